//! The exact Hessian of F in the activities of one sample, in blocks, and its factors (docs/maths.md §4).
//!
//! With D_l = E_l''(c_l) and D_L the curvature of ℓ_Π at the output, in a chain
//!
//!   H_ll = D_l + J_{l+1}ᵀD_{l+1}J_{l+1} − ∂(J_{l+1}ᵀq_{l+1})/∂z_l,  H_{l,l+1} = −J_{l+1}ᵀD_{l+1}:
//!
//! block tridiagonal, and factored as that. The last term is φ'': diag(φ''(z) ⊙ aWᵀq) in `pre` placement,
//! a²Wᵀdiag(φ''(u) ⊙ q)W in `post`. In a network that is no chain each sum is over the edges, there are blocks further
//! off the diagonal, and the whole matrix is factored.

use super::{
    dense::{Cholesky, precision_matrix, product},
    jacobian::Jacobian,
    wide::Wide,
};
use crate::{
    lagrangian::Lagrangian,
    network::{Dense, Placement},
    objective::{End, Objective},
    penalty::Penalty,
    stack::{Matrix, Stack},
    state::State,
};
use faer::{Mat, MatRef};
use std::collections::BTreeMap;

/// H of one sample, `[N, N]` over the stacked hidden layers; of its upper blocks those that are not zero.
#[derive(Clone, Debug)]
pub struct Hessian {
    /// Where each hidden layer begins; the last entry is N.
    starts: Vec<usize>,
    blocks: BTreeMap<(usize, usize), Mat<f64>>,
}

impl Hessian {
    /// Of the first sample of a state whose credit, slopes and output are those of its activities, where the residuals
    /// are `c`.
    pub fn at(lagrangian: &Lagrangian<Wide>, state: &State<Wide>, c: &Stack<f64>) -> Self {
        let problem = lagrangian.problem();
        let (network, objective, hidden) = (problem.network, problem.objective, problem.network.hidden());
        let column = |m: &Matrix<f64>| m.column(0).collect::<Vec<f64>>();
        let widths = &network.widths()[..hidden];
        let starts = std::iter::once(0).chain(widths.iter().scan(0, |at, n| {
            *at += n;
            Some(*at)
        }));
        let square = |n: usize| Mat::<f64>::zeros(n, n);
        let mut hessian = Hessian {
            starts: starts.collect(),
            blocks: widths.iter().enumerate().map(|(l, &n)| ((l, l), square(n))).collect(),
        };
        let curvature = |l: usize| match objective.penalty(l) {
            None => square(widths[l]),
            Some(penalty) => residual_curvature(penalty, &column(&c.layers[l])),
        };
        let mut d: Vec<Mat<f64>> = (0..hidden).map(curvature).collect();
        d.push(loss_curvature(objective, &column(state.output()), &column(&problem.block.target)));
        for (l, d) in d[..hidden].iter().enumerate() {
            hessian.add((l, l), d);
        }
        let mut jacobians = Jacobian::all(network, |edge| column(&state.memo.slopes[edge].slopes));
        jacobians.retain(|j| j.from > 0);
        let formed: Vec<(usize, usize, Mat<f64>)> =
            jacobians.iter().map(|j| (j.from - 1, j.to - 1, j.dense())).collect();
        for (from, to, j) in &formed {
            let weighed = product(j.transpose(), d[*to].as_ref());
            if *to < hidden {
                hessian.add((*from, *to), &(&weighed * faer::Scale(-1.0)));
            }
            for (other, _, k) in formed.iter().filter(|(other, same, _)| same == to && other >= from) {
                hessian.add((*from, *other), &product(weighed.as_ref(), k.as_ref()));
            }
        }
        for (_, edge) in network.edges().iter().enumerate().filter(|(_, edge)| edge.from > 0) {
            let Some(dense) = edge.dense() else { continue };
            let (z, q) = (column(&state.activities.layers[edge.from - 1]), column(&state.credit.layers[edge.to - 1]));
            if let Some(bend) = bend(dense, &z, &q) {
                hessian.add((edge.from - 1, edge.from - 1), &bend);
            }
        }
        hessian
    }

    fn add(&mut self, (row, column): (usize, usize), block: &Mat<f64>) {
        let into = self.blocks.entry((row, column)).or_insert_with(|| Mat::zeros(block.nrows(), block.ncols()));
        *into += block;
    }

    /// Adds `weight` a aᵀ in the units of one 0-based layer.
    pub fn add_outer(&mut self, layer: usize, weight: f64, a: &[f64]) {
        let outer = Mat::from_fn(a.len(), a.len(), |i, j| weight * a[i] * a[j]);
        self.add((layer, layer), &outer);
    }

    /// The largest entry on the diagonal.
    pub fn scale(&self) -> f64 {
        let layers = 0..self.starts.len() - 1;
        let entries = layers.flat_map(|l| (0..self.blocks[&(l, l)].nrows()).map(move |i| self.blocks[&(l, l)][(i, i)]));
        entries.fold(0.0, |m, d| f64::max(m, d.abs()))
    }

    /// The factors of H + shift · I; `None` if it is not positive definite.
    pub fn factor(&self, shift: f64) -> Option<Factors> {
        let layers = self.starts.len() - 1;
        let shifted = |l: usize| {
            let mut block = self.blocks[&(l, l)].clone();
            (0..block.nrows()).for_each(|i| block[(i, i)] += shift);
            block
        };
        if self.blocks.keys().any(|(row, column)| column - row > 1) {
            let mut whole = Mat::zeros(self.starts[layers], self.starts[layers]);
            for (&(row, column), block) in &self.blocks {
                let block = if row == column { shifted(row) } else { block.clone() };
                let at = (self.starts[row], self.starts[column]);
                whole.as_mut().submatrix_mut(at.0, at.1, block.nrows(), block.ncols()).copy_from(&block);
                let transposed = block.transpose();
                whole.as_mut().submatrix_mut(at.1, at.0, block.ncols(), block.nrows()).copy_from(transposed);
            }
            return Some(Factors::Whole(Cholesky::new(&whole)?));
        }
        let mut pivots: Vec<Cholesky> = Vec::with_capacity(layers);
        let mut couplings: Vec<Option<Mat<f64>>> = Vec::with_capacity(layers);
        for l in 0..layers {
            let mut block = shifted(l);
            if let Some(Some(coupling)) = couplings.last() {
                block -= product(coupling.transpose(), pivots[l - 1].solve(coupling.clone()).as_ref());
            }
            pivots.push(Cholesky::new(&block)?);
            couplings.push(self.blocks.get(&(l, l + 1)).cloned());
        }
        Some(Factors::Tridiagonal { starts: self.starts.clone(), pivots, couplings })
    }
}

/// A factored Hessian.
#[derive(Debug)]
pub enum Factors {
    /// By layers, from the input side.
    Tridiagonal {
        /// Where each layer begins.
        starts: Vec<usize>,
        /// Of each diagonal block after elimination of those before it.
        pivots: Vec<Cholesky>,
        /// H_{l,l+1}.
        couplings: Vec<Option<Mat<f64>>>,
    },
    /// At once.
    Whole(Cholesky),
}

impl Factors {
    /// x of (H + shift · I) x = `right`, column by column.
    pub fn solve(&self, right: Mat<f64>) -> Mat<f64> {
        let (starts, pivots, couplings) = match self {
            Factors::Whole(whole) => return whole.solve(right),
            Factors::Tridiagonal { starts, pivots, couplings } => (starts, pivots, couplings),
        };
        let mut right = right;
        let layer = |right: &Mat<f64>, l: usize| {
            right.submatrix(starts[l], 0, starts[l + 1] - starts[l], right.ncols()).to_owned()
        };
        let set = |right: &mut Mat<f64>, l: usize, values: &Mat<f64>| {
            let mut into = right.as_mut().submatrix_mut(starts[l], 0, values.nrows(), values.ncols());
            into.copy_from(values);
        };
        for l in 1..pivots.len() {
            if let Some(coupling) = &couplings[l - 1] {
                let below = pivots[l - 1].solve(layer(&right, l - 1));
                let here = layer(&right, l) - product(coupling.transpose(), below.as_ref());
                set(&mut right, l, &here);
            }
        }
        for l in (0..pivots.len()).rev() {
            let mut here = layer(&right, l);
            if let Some(Some(coupling)) = couplings.get(l).filter(|_| l + 1 < pivots.len()) {
                here -= product(coupling.as_ref(), layer(&right, l + 1).as_ref());
            }
            let solved = pivots[l].solve(here);
            set(&mut right, l, &solved);
        }
        right
    }
}

/// ∂²ℓ_Π/∂o² at an output.
pub fn loss_curvature(objective: &Objective<f64>, output: &[f64], target: &[f64]) -> Mat<f64> {
    let n = output.len();
    if objective.output() == End::Free {
        return Mat::zeros(n, n);
    }
    // Every column of the identity is a sample of its own, at the same output.
    let columns = |values: &[f64]| {
        let mut m = Matrix::zeros(n, n);
        m.load(values);
        m
    };
    let mut curvature = columns(&(0..n * n).map(|k| f64::from(u8::from(k / n == k % n))).collect::<Vec<_>>());
    objective.loss_curvature(&columns(&output.repeat(n)), &columns(&target.repeat(n)), &mut curvature, n);
    Mat::from_fn(n, n, |i, j| curvature.at(i, j))
}

/// E''(c).
fn residual_curvature(penalty: &Penalty<f64>, c: &[f64]) -> Mat<f64> {
    let mut curvature = precision_matrix(penalty.weight(), c.len());
    c.iter().enumerate().for_each(|(i, &c)| curvature[(i, i)] *= penalty.shape().curvature(c));
    curvature
}

/// −∂(Jᵀq)/∂z of one edge, if φ bends.
fn bend(dense: &Dense<f64>, z: &[f64], q: &[f64]) -> Option<Mat<f64>> {
    let (phi, placement) = dense.nonlinearity()?;
    let weight = MatRef::from_row_major_slice(dense.weight(), dense.rows(), dense.cols());
    let column = |v: &[f64]| Mat::from_fn(v.len(), 1, |i, _| v[i]);
    match placement {
        Placement::Pre => {
            let back = product(weight.transpose(), column(q).as_ref());
            let entry = |i: usize| -phi.curvature(z[i]) * dense.scale() * back[(i, 0)];
            Some(Mat::from_fn(z.len(), z.len(), |i, j| if i == j { entry(i) } else { 0.0 }))
        }
        Placement::Post => {
            let u = product(weight, column(z).as_ref());
            let u = |i: usize| dense.scale() * u[(i, 0)] + dense.bias().map_or(0.0, |b| b[i]);
            let gates: Vec<f64> = (0..q.len()).map(|i| -dense.scale().powi(2) * phi.curvature(u(i)) * q[i]).collect();
            if gates.iter().all(|g| *g == 0.0) {
                return None;
            }
            let gated = Mat::from_fn(q.len(), z.len(), |i, j| gates[i] * weight[(i, j)]);
            Some(product(weight.transpose(), gated.as_ref()))
        }
    }
}
