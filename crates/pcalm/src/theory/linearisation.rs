//! The constraint operator C and the energy's Hessian as linear maps (docs/maths.md §7).
//!
//! Symbols: the stacked activities v = (v_1 … v_{L-1}) of one sample; J_l, the Jacobian of edge l
//! at given activities, V_l = a_l W_l + τ_l I in a linear network; C v = (v_l − J_l v_{l-1})_l,
//! block lower-bidiagonal; P = diag(E_l''(0)), which is diag(ρ_l Π_l); H_ℓ, the curvature of ℓ_Π at the output;
//! S = J_LᵀH_ℓJ_L in the last block; H = CᵀPC + S. In a network that is no chain each sum over the edges that enter a
//! node takes the place of J_l v_{l-1}: C is block lower-triangular, and S may have more blocks.
//!
//! In a linear network with the squared error this is the whole truth. In a nonlinear network it
//! is the linearisation at the activities it was taken at: φ' is frozen, and H is the Gauss–Newton
//! form, which leaves out φ''. With another energy than the half square P is that of small residuals.
//!
//! C is a forward pass away from its inverse: w = C v is solved by v_l = w_l + J_l v_{l-1}, and
//! Cᵀ by the adjoint recursion, at the cost of applying them. So the smallest eigenvalues of CᵀC
//! and H are as cheap as the largest.

use super::{
    dense::{Cholesky, dot, product, symmetric_eigen},
    jacobian::Jacobian,
    stiffness::Stiffness,
};
use crate::{
    backend::{Host, Reference, host::Block},
    error::Error,
    lagrangian::Lagrangian,
    loss::Loss,
    minibatch::Batch,
    network::Network,
    objective::{End, Objective},
    solve::hessian::loss_curvature,
    stack::Matrix,
    state::State,
};
use faer::{Mat, MatRef};
use rayon::prelude::*;

/// C, S and what is made of them, for one sample at given activities.
#[derive(Clone, Debug)]
pub struct Linearisation<'a> {
    /// Those between hidden nodes and from them into the output, by the node they enter.
    jacobians: Vec<Jacobian<'a>>,
    /// The places among them of those into each hidden layer and then into the output.
    entering: Vec<Vec<usize>>,
    /// Of those out of each hidden layer into another.
    leaving: Vec<Vec<usize>>,
    /// Where each hidden layer begins in the stacked vector; the last entry is its length.
    starts: Vec<usize>,
    /// P.
    stiffness: Vec<Stiffness>,
    /// √H_ℓ, `[O, O]`.
    root: Mat<f64>,
}

impl<'a> Linearisation<'a> {
    /// At the activities of sample `sample` of `block` in `state`, with the slopes and the output
    /// that the last sweep left there.
    ///
    /// # Errors
    /// If the penalties do not fit the network, or the loss curvature at the output is not finite, or
    /// negative.
    pub fn of<B: Host<Real = f64>>(
        network: &'a Network<f64>,
        objective: &Objective<f64>,
        block: &Block<f64>,
        state: &State<B>,
        sample: usize,
    ) -> Result<Self, Error> {
        objective.fits(network)?;
        if [objective.input(), objective.output()].contains(&End::Free) {
            return Err(Error::Network("an end of it is free; the linearisation is of networks held at both".into()));
        }
        let column = |m: &Matrix<f64>| m.column(sample).collect::<Vec<f64>>();
        let hidden = network.hidden();
        let stiffness = (0..hidden).map(|l| Stiffness::of(objective.penalty(l), network.widths()[l]));
        let stiffness = stiffness.collect::<Result<_, _>>()?;
        let mut jacobians = Jacobian::all(network, |edge| column(&state.memo.slopes[edge].slopes));
        jacobians.retain(|j| j.from > 0);
        let (mut entering, mut leaving) = (vec![Vec::new(); hidden + 1], vec![Vec::new(); hidden]);
        for (place, j) in jacobians.iter().enumerate() {
            entering[j.to - 1].push(place);
            if j.to <= hidden {
                leaving[j.from - 1].push(place);
            }
        }
        let mut starts = vec![0];
        for (l, width) in network.widths()[..hidden].iter().enumerate() {
            starts.push(starts[l] + width);
        }
        let root = root_of_loss_curvature(objective, &column(state.output()), &column(&block.target))?;
        Ok(Linearisation { jacobians, entering, leaving, starts, stiffness, root })
    }

    /// At the forward pass of one sample: inputs `x` of width D, targets `y` of width O.
    ///
    /// # Errors
    /// If the sample does not fit the network, or its forward pass is not finite.
    pub fn at_forward_pass(
        network: &'a Network<f64>,
        objective: &Objective<f64>,
        x: &[f64],
        y: &[f64],
    ) -> Result<Self, Error> {
        let backend = Reference::<f64>::new();
        let (block, mut state) = Batch::new(x, y, 1)?.block(&backend, network)?;
        Lagrangian::new(&backend, network, &block, objective)?.forward(&mut state);
        if !(state.activities.max_abs() + state.output().max_abs()).is_finite() {
            return Err(Error::Network("its forward pass on this sample is not finite".into()));
        }
        Linearisation::of(network, objective, &block, &state, 0)
    }

    /// Unknowns: Σ n_l over the hidden layers.
    pub fn unknowns(&self) -> usize {
        self.starts[self.hidden()]
    }

    /// Hidden layers, L − 1.
    pub fn hidden(&self) -> usize {
        self.stiffness.len()
    }

    /// The Jacobians that enter the 0-based layer `l`, each with the layer it leaves; the output is layer L − 1.
    fn entering(&self, l: usize) -> impl Iterator<Item = (usize, &Jacobian<'a>)> {
        self.entering[l].iter().map(|&i| (self.jacobians[i].from - 1, &self.jacobians[i]))
    }

    /// The Jacobians that leave it for another hidden layer, each with that layer.
    fn leaving(&self, l: usize) -> impl Iterator<Item = (usize, &Jacobian<'a>)> {
        self.leaving[l].iter().map(|&i| (self.jacobians[i].to - 1, &self.jacobians[i]))
    }

    /// The smallest eigenvalue of P: CᵀC is at most H over it, as S is not negative. ρ, where all layers have one.
    pub fn least_rho(&self) -> f64 {
        self.stiffness.iter().map(Stiffness::least).fold(f64::INFINITY, f64::min)
    }

    /// (h + k/ρ) λ_max(H) with the smallest ρ, from `lambda_max`: not less than λ_max(hH + kCᵀC).
    pub fn at_most(&self, h: f64, k: f64, lambda_max: f64) -> f64 {
        (h + k / self.least_rho()) * lambda_max
    }

    fn layer(&self, l: usize) -> std::ops::Range<usize> {
        self.starts[l]..self.starts[l + 1]
    }

    fn layers<'s>(&self, v: &'s mut [f64]) -> Vec<&'s mut [f64]> {
        let mut rest = v;
        (0..self.hidden())
            .map(|l| {
                let (head, tail) = std::mem::take(&mut rest).split_at_mut(self.layer(l).len());
                rest = tail;
                head
            })
            .collect()
    }

    /// `out ← C v`.
    pub fn constraint(&self, v: &[f64], out: &mut [f64]) {
        out.copy_from_slice(v);
        self.layers(out).into_par_iter().enumerate().for_each(|(l, out)| {
            self.entering(l).for_each(|(below, j)| j.add_to(-1.0, &v[self.layer(below)], out));
        });
    }

    /// `out ← Cᵀ q`.
    pub fn constraint_transposed(&self, q: &[f64], out: &mut [f64]) {
        out.copy_from_slice(q);
        self.layers(out).into_par_iter().enumerate().for_each(|(l, out)| {
            self.leaving(l).for_each(|(above, j)| j.add_transposed_to(-1.0, &q[self.layer(above)], out));
        });
    }

    /// `v ← C⁻¹ v`: a forward pass.
    pub fn solve_constraint(&self, v: &mut [f64]) {
        for l in 1..self.hidden() {
            let (below, here) = v.split_at_mut(self.starts[l]);
            let width = self.layer(l).len();
            self.entering(l).for_each(|(from, j)| j.add_to(1.0, &below[self.layer(from)], &mut here[..width]));
        }
    }

    /// `q ← C⁻ᵀ q`: the adjoint recursion.
    pub fn solve_constraint_transposed(&self, q: &mut [f64]) {
        for l in (0..self.hidden() - 1).rev() {
            let next = self.starts[l + 1];
            let (here, above) = q.split_at_mut(next);
            for (to, j) in self.leaving(l) {
                let above = &above[self.starts[to] - next..self.starts[to + 1] - next];
                j.add_transposed_to(1.0, above, &mut here[self.starts[l]..]);
            }
        }
    }

    /// `out ← Cᵀf(P)C v`. Each J is read once, for its product and its transpose's: in large networks that is what
    /// takes the time.
    pub fn stiffness(&self, f: impl Fn(f64) -> f64 + Sync, v: &[f64], out: &mut [f64]) {
        let pulled: Vec<Vec<(usize, Vec<f64>)>> = self
            .layers(out)
            .into_par_iter()
            .enumerate()
            .map(|(l, out)| {
                out.copy_from_slice(&v[self.layer(l)]);
                self.entering(l).for_each(|(below, j)| j.add_to(-1.0, &v[self.layer(below)], out));
                self.stiffness[l].apply(&f, out);
                let pull = |(below, j): (usize, &Jacobian)| {
                    let mut pulled = vec![0.0; j.cols()];
                    j.add_transposed_to(1.0, out, &mut pulled);
                    (below, pulled)
                };
                self.entering(l).map(pull).collect()
            })
            .collect();
        for (below, pulled) in pulled.iter().flatten() {
            out[self.layer(*below)].iter_mut().zip(pulled).for_each(|(out, p)| *out -= p);
        }
    }

    /// `v ← (Cᵀf(P)C)⁻¹ v`.
    pub fn solve_stiffness(&self, f: impl Fn(f64) -> f64, v: &mut [f64]) {
        self.solve_constraint_transposed(v);
        self.weigh(|d| 1.0 / f(d), v);
        self.solve_constraint(v);
    }

    /// `v ← f(P) v`.
    pub fn weigh(&self, f: impl Fn(f64) -> f64, v: &mut [f64]) {
        for (l, stiffness) in self.stiffness.iter().enumerate() {
            stiffness.apply(&f, &mut v[self.layer(l)]);
        }
    }

    /// `out += factor · S v`.
    pub fn add_loss_curvature(&self, factor: f64, v: &[f64], out: &mut [f64]) {
        let mut image = vec![0.0; self.root.nrows()];
        self.readouts().for_each(|(l, j)| j.add_to(1.0, &v[self.layer(l)], &mut image));
        let image = product(self.root.transpose(), MatRef::from_column_major_slice(&image, image.len(), 1));
        let image = product(self.root.as_ref(), image.as_ref());
        let image: Vec<f64> = (0..image.nrows()).map(|i| image[(i, 0)]).collect();
        self.readouts().for_each(|(l, j)| j.add_transposed_to(factor, &image, &mut out[self.layer(l)]));
    }

    /// `out ← H v` = (CᵀPC + S) v.
    pub fn hessian(&self, v: &[f64], out: &mut [f64]) {
        self.stiffness(|d| d, v, out);
        self.add_loss_curvature(1.0, v, out);
    }

    /// H⁻¹ made ready, by the Woodbury identity on the rank O of S.
    ///
    /// # Errors
    /// If the readout's curvature is not finite.
    pub fn hessian_inverse(&self) -> Result<HessianInverse<'_, 'a>, Error> {
        HessianInverse::new(self)
    }

    /// C as a dense matrix.
    pub fn dense_constraint(&self) -> Mat<f64> {
        let mut c = Mat::identity(self.unknowns(), self.unknowns());
        for l in 1..self.hidden() {
            for (below, j) in self.entering(l) {
                let mut corner = c.as_mut().submatrix_mut(self.starts[l], self.starts[below], j.rows(), j.cols());
                corner -= j.dense();
            }
        }
        c
    }

    /// S as a dense matrix, `[n, n]`.
    pub fn dense_loss_curvature(&self) -> Mat<f64> {
        let n = self.unknowns();
        let roots = self.readouts().map(|(l, j)| (self.layer(l), product(self.root.transpose(), j.dense().as_ref())));
        let roots: Vec<_> = roots.collect();
        let mut s = Mat::<f64>::zeros(n, n);
        for (down, left) in &roots {
            for (across, right) in &roots {
                let mut block = s.as_mut().submatrix_mut(down.start, across.start, down.len(), across.len());
                block += product(left.transpose(), right.as_ref());
            }
        }
        s
    }

    /// The Jacobians that enter the output, each with the layer it leaves.
    fn readouts(&self) -> impl Iterator<Item = (usize, &Jacobian<'a>)> {
        self.entering(self.hidden())
    }

    /// The columns of G = √H_ℓᵀ J_L, transposed: one stacked vector per output.
    fn readout_columns(&self) -> Vec<Vec<f64>> {
        let column = |o: usize| {
            let root: Vec<f64> = (0..self.root.nrows()).map(|i| self.root[(i, o)]).collect();
            let mut v = vec![0.0; self.unknowns()];
            self.readouts().for_each(|(l, j)| j.add_transposed_to(1.0, &root, &mut v[self.layer(l)]));
            v
        };
        (0..self.root.ncols()).map(column).collect()
    }
}

/// H⁻¹ = K⁻¹ − (K⁻¹Gᵀ) R⁻¹ (K⁻¹Gᵀ)ᵀ, with K = CᵀPC, S = GᵀG and R = I + G K⁻¹Gᵀ, the rescaling of the
/// linear equilibrium (docs/maths.md §7).
#[derive(Debug)]
pub struct HessianInverse<'s, 'a> {
    linearisation: &'s Linearisation<'a>,
    /// The columns of K⁻¹Gᵀ.
    columns: Vec<Vec<f64>>,
    /// R⁻¹, `[O, O]`.
    inverse: Mat<f64>,
}

impl<'s, 'a> HessianInverse<'s, 'a> {
    fn new(linearisation: &'s Linearisation<'a>) -> Result<Self, Error> {
        let rows = linearisation.readout_columns();
        let columns: Vec<Vec<f64>> = rows
            .par_iter()
            .map(|row| {
                let mut v = row.clone();
                linearisation.solve_stiffness(|d| d, &mut v);
                v
            })
            .collect();
        let rescaling =
            Mat::from_fn(rows.len(), rows.len(), |i, j| dot(&rows[i], &columns[j]) + if i == j { 1.0 } else { 0.0 });
        let factors = Cholesky::new(&rescaling).ok_or_else(|| {
            Error::Network("the curvature at its readout is not finite: the forward pass overflows".into())
        })?;
        Ok(HessianInverse { linearisation, columns, inverse: factors.inverse() })
    }

    /// `v ← H⁻¹ v`.
    pub fn apply(&self, v: &mut [f64]) {
        let seen = Mat::from_fn(self.columns.len(), 1, |o, _| dot(&self.columns[o], v));
        let weights = product(self.inverse.as_ref(), seen.as_ref());
        self.linearisation.solve_stiffness(|d| d, v);
        for (o, column) in self.columns.iter().enumerate() {
            v.iter_mut().zip(column).for_each(|(v, c)| *v -= weights[(o, 0)] * c);
        }
    }
}

/// √H_ℓ of the weighed loss at an output, from its eigenvectors: H_ℓ = (√H_ℓ)(√H_ℓ)ᵀ.
fn root_of_loss_curvature(objective: &Objective<f64>, output: &[f64], target: &[f64]) -> Result<Mat<f64>, Error> {
    let n = output.len();
    let sum: f64 = target.iter().sum();
    if objective.loss() == Loss::CrossEntropy && sum < 0.0 {
        return Err(Error::Batch(format!(
            "the targets of this sample sum to {sum}; the cross-entropy is convex only if they sum to at least 0"
        )));
    }
    let (values, vectors) = symmetric_eigen(&loss_curvature(objective, output, target))
        .ok_or_else(|| Error::Network("its output on this sample is not finite".into()))?;
    Ok(Mat::from_fn(n, n, |i, j| vectors[(i, j)] * values[j].max(0.0).sqrt()))
}
