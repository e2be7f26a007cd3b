//! The exact equilibrium of predictive coding in a linear network, and what it is worth
//! (docs/maths.md §7; \[FRM\] thm 3.4 and 3.5, \[LIM\] eq. 19).
//!
//! Symbols: V_l = a_l W_l + τ_l I; Π_l, the precision of residual c_l; Π_L, that of the output
//! error. F is quadratic in the activities, so its minimum solves
//!
//!   −Π_l V_l z_{l-1} + (Π_l + V_{l+1}ᵀΠ_{l+1}V_{l+1}) z_l − V_{l+1}ᵀΠ_{l+1} z_{l+1} = 0,
//!
//! with z_0 = x and z_L = y: a block-tridiagonal system, factored once for all samples. Its energy
//! is F* = ½ rᵀR⁻¹r with r = y − V_L…V_1 x and
//! R = Π_L⁻¹ + Σ_l (V_L…V_l) Π_{l-1}⁻¹ (V_L…V_l)ᵀ, l = 2 … L; where a ρ is given too, Π_l stands for ρ_l Π_l.
//!
//! Biases shift everything by the forward pass they make of an input of zeros: z is that of the network without them,
//! for the target less that pass's output, plus the pass.

use super::{
    dense::{Cholesky, dot, precision_matrix, product},
    jacobian::Jacobian,
};
use crate::{
    activation::Activation,
    backend::{Host, host::Block},
    error::Error,
    lagrangian::{DualStep, Lagrangian},
    network::Network,
    objective::{End, Objective},
    penalty::Penalty,
    stack::Matrix,
    state::State,
};
use faer::{Mat, MatRef};

/// Equilibria of a linear network with the squared error, for any inputs and targets.
#[derive(Debug)]
pub struct LinearEquilibrium {
    /// V_1 … V_L.
    operators: Vec<Mat<f64>>,
    /// z_1 … z_L of the forward pass of an input of zeros.
    offsets: Vec<Vec<f64>>,
    /// Π_1 … Π_L.
    precisions: Vec<Mat<f64>>,
    /// Factors of the diagonal blocks after elimination from the input side.
    blocks: Vec<Cholesky>,
    rescaling: Mat<f64>,
}

impl LinearEquilibrium {
    /// Factors the system for `network`, at the objective's precisions.
    ///
    /// # Errors
    /// If F is not quadratic: the network not linear, the loss not the squared error, or an energy not the half square;
    /// or the objective does not fit the network.
    pub fn new(network: &Network<f64>, objective: &Objective<f64>) -> Result<Self, Error> {
        let Some(chain) = network.as_chain() else {
            let problem =
                "its edges join other nodes than neighbours; the equilibrium has a closed form in chains alone";
            return Err(Error::Network(problem.into()));
        };
        if chain.activation() != Activation::Identity {
            return Err(Error::setting(
                "activation",
                format!(
                    "the equilibrium has a closed form in linear networks alone; {} is not `identity`",
                    chain.activation().name()
                ),
            ));
        }
        objective.fits(network)?;
        if !objective.is_quadratic() || [objective.input(), objective.output()] != [End::Held; 2] {
            let problem = "the equilibrium has a closed form with the squared error, `half-square` and both ends held";
            return Err(Error::setting("energy", problem));
        }
        let (hidden, widths) = (network.hidden(), network.widths());
        let all = (0..hidden).filter_map(|l| objective.penalty(l)).map(Penalty::weight).chain([objective.readout()]);
        let precisions: Vec<Mat<f64>> = all.zip(widths).map(|(weight, &n)| precision_matrix(weight, n)).collect();
        let operators: Vec<Mat<f64>> =
            Jacobian::all(network, |_| Vec::new()).iter().map(|jacobian| jacobian.dense()).collect();
        let mut offsets: Vec<Vec<f64>> = Vec::with_capacity(operators.len());
        for (l, v) in operators.iter().enumerate() {
            let mut z = chain.link(l).0.bias().map_or_else(|| vec![0.0; v.nrows()], <[f64]>::to_vec);
            if let Some(below) = offsets.last() {
                let pushed = product(v.as_ref(), MatRef::from_column_major_slice(below, below.len(), 1));
                z.iter_mut().enumerate().for_each(|(i, z)| *z += pushed[(i, 0)]);
            }
            offsets.push(z);
        }
        let rescaling = rescaling(&operators, &precisions)?;
        let mut blocks: Vec<Cholesky> = Vec::with_capacity(hidden);
        for l in 0..hidden {
            let (v, p) = (&operators[l + 1], &precisions[l + 1]);
            let mut block = &precisions[l] + product(v.transpose(), product(p.as_ref(), v.as_ref()).as_ref());
            if let Some(before) = blocks.last() {
                let coupling = product(precisions[l].as_ref(), operators[l].as_ref());
                block -= product(coupling.as_ref(), before.solve(coupling.transpose().to_owned()).as_ref());
            }
            blocks.push(positive(&block, l)?);
        }
        Ok(LinearEquilibrium { operators, offsets, precisions, blocks, rescaling })
    }

    /// R, `[O, O]`.
    pub fn rescaling(&self) -> &Mat<f64> {
        &self.rescaling
    }

    /// z_1* … z_{L-1}* of every column of the inputs `x` `[D, samples]` and targets `y`
    /// `[O, samples]`.
    pub fn activities(&self, x: MatRef<f64>, y: MatRef<f64>) -> Vec<Mat<f64>> {
        let hidden = self.blocks.len();
        let y = self.less_offset(y);
        let mut z: Vec<Mat<f64>> = Vec::with_capacity(hidden);
        for l in 0..hidden {
            let coupling = product(self.precisions[l].as_ref(), self.operators[l].as_ref());
            let below = l.checked_sub(1).map_or(x, |below| z[below].as_ref());
            let mut right = product(coupling.as_ref(), below);
            if l + 1 == hidden {
                right += self.pulled(hidden, y.as_ref());
            }
            z.push(self.blocks[l].solve(right));
        }
        for l in (0..hidden - 1).rev() {
            let above = self.pulled(l + 1, z[l + 1].as_ref());
            z[l] += self.blocks[l].solve(above);
        }
        for (z, offset) in z.iter_mut().zip(&self.offsets) {
            *z = Mat::from_fn(z.nrows(), z.ncols(), |i, s| z[(i, s)] + offset[i]);
        }
        z
    }

    /// Targets less the output of an input of zeros.
    fn less_offset(&self, y: MatRef<f64>) -> Mat<f64> {
        let offset = &self.offsets[self.blocks.len()];
        Mat::from_fn(y.nrows(), y.ncols(), |i, s| y[(i, s)] - offset[i])
    }

    /// V_lᵀΠ_l z.
    fn pulled(&self, l: usize, z: MatRef<f64>) -> Mat<f64> {
        product(self.operators[l].transpose(), product(self.precisions[l].as_ref(), z).as_ref())
    }

    /// F at the equilibrium of each sample, as ½ rᵀR⁻¹r.
    ///
    /// # Errors
    /// If R is not finite.
    pub fn energies(&self, x: MatRef<f64>, y: MatRef<f64>) -> Result<Vec<f64>, Error> {
        let output = self.operators.iter().fold(x.to_owned(), |z, v| product(v.as_ref(), z.as_ref()));
        let r = self.less_offset(y) - output;
        let solved = positive(&self.rescaling, self.blocks.len())?.solve(r.clone());
        Ok((0..r.ncols()).map(|s| 0.5 * dot(r.col_as_slice(s), solved.col_as_slice(s))).collect())
    }

    /// [`energies`](Self::energies) of the samples of a block.
    ///
    /// # Errors
    /// As there.
    pub fn energies_of(&self, block: &Block<f64>) -> Result<Vec<f64>, Error> {
        self.energies(columns(&block.input, block.samples).as_ref(), columns(&block.target, block.samples).as_ref())
    }

    /// The credit at the equilibrium, q_l = B_lᵀR⁻¹r with B_l = V_L…V_{l+1}, of every column of inputs and targets;
    /// the output's last. Without the difference z − f, whose digits go where Π_l is far above Π_L.
    ///
    /// # Errors
    /// If R is not finite.
    pub fn credit(&self, x: MatRef<f64>, y: MatRef<f64>) -> Result<Vec<Mat<f64>>, Error> {
        let output = self.operators.iter().fold(x.to_owned(), |z, v| product(v.as_ref(), z.as_ref()));
        let r = self.less_offset(y) - output;
        let mut credit = vec![positive(&self.rescaling, self.blocks.len())?.solve(r)];
        for v in self.operators[1..].iter().rev() {
            let above = &credit[credit.len() - 1];
            credit.push(product(v.transpose(), above.as_ref()));
        }
        credit.reverse();
        Ok(credit)
    }

    /// Sets a block's state to its samples' equilibrium: activities, no duals, and the credit there.
    pub fn place<B: Host<Real = f64>>(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        let block = lagrangian.problem().block;
        let samples = block.samples;
        let z = self.activities(columns(&block.input, samples).as_ref(), columns(&block.target, samples).as_ref());
        for (layer, z) in state.activities_mut().layers.iter_mut().zip(&z) {
            fill(layer, z);
        }
        state.duals_mut().clear();
        lagrangian.credit(state, DualStep::Still);
    }
}

/// R = Π_L⁻¹ + Σ_l (V_L…V_l) Π_{l-1}⁻¹ (V_L…V_l)ᵀ.
fn rescaling(operators: &[Mat<f64>], precisions: &[Mat<f64>]) -> Result<Mat<f64>, Error> {
    let hidden = operators.len() - 1;
    let outputs = operators[hidden].nrows();
    let mut tail = Mat::<f64>::identity(outputs, outputs);
    let mut sum = positive(&precisions[hidden], hidden)?.inverse();
    for l in (1..=hidden).rev() {
        tail = product(tail.as_ref(), operators[l].as_ref());
        let solved = positive(&precisions[l - 1], l - 1)?.solve(tail.transpose().to_owned());
        sum += product(tail.as_ref(), solved.as_ref());
    }
    Ok(sum)
}

fn positive(matrix: &Mat<f64>, layer: usize) -> Result<Cholesky, Error> {
    Cholesky::new(matrix).ok_or_else(|| {
        Error::setting("precision", format!("that of layer {} is not finite and positive definite", layer + 1))
    })
}

fn columns(matrix: &Matrix<f64>, samples: usize) -> Mat<f64> {
    Mat::from_fn(matrix.rows(), samples, |i, s| matrix.at(i, s))
}

fn fill(matrix: &mut Matrix<f64>, values: &Mat<f64>) {
    let cols = matrix.cols();
    for i in 0..values.nrows() {
        for s in 0..values.ncols() {
            matrix.data_mut()[i * cols + s] = values[(i, s)];
        }
    }
}
