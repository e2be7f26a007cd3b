//! The path of predictive coding in a linear network, exactly \[FRM eq. 31, with its sign put right\].
//!
//! F is quadratic, so that ż = −∂F/∂z = −A(z − z*) with A = H, the Hessian of all hidden activities, or
//! A = Π_l + V_{l+1}ᵀΠ_{l+1}V_{l+1} of one layer whose neighbours are held. Then z(τ) = z* + e^{−Aτ}(z(0) − z*), and T steps
//! of size η end at z* + (I − ηA)^T (z(0) − z*); both by the eigenvectors of A. Printed is e^{+Aτ} in the place of e^{−Aτ}:
//! the solution of ż = +A(z − z*), which runs away.

use super::{
    dense::{Cholesky, precision_matrix, product, symmetric_eigen},
    jacobian::Jacobian,
    linearisation::Linearisation,
};
use crate::{
    error::Error,
    network::Network,
    objective::{End, Objective},
    penalty::Penalty,
};
use faer::{Mat, MatRef};

/// Unknowns at most: A is a dense matrix, and its eigenvectors take some ten times its cube.
pub const DENSE_RELAXATION: usize = 1024;

/// A symmetric positive definite A, by its eigenvectors.
#[derive(Clone, Debug)]
pub struct Relaxation {
    /// Smallest first.
    rates: Vec<f64>,
    /// As columns.
    modes: Mat<f64>,
}

impl Relaxation {
    /// Of all hidden activities of one sample: exact in a linear network with quadratic energies, where it is the same
    /// for all samples, and the Gauss–Newton form at the activities of the linearisation in others.
    ///
    /// # Errors
    /// If there are too many unknowns, or the Hessian is not finite.
    pub fn of_energy(linearisation: &Linearisation) -> Result<Self, Error> {
        let n = linearisation.unknowns();
        few(n)?;
        let mut dense = Mat::zeros(n, n);
        let (mut unit, mut column) = (vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            unit[j] = 1.0;
            linearisation.hessian(&unit, &mut column);
            unit[j] = 0.0;
            (0..n).for_each(|i| dense[(i, j)] = column[i]);
        }
        Relaxation::of(&dense)
    }

    /// Of the 0-based hidden layer `layer` between its neighbours, held at `below` (the input, for the first) and `above`
    /// (the target, for the last); and its rest z*.
    ///
    /// # Errors
    /// If the network is no linear chain, an energy not quadratic, an end free, a width wrong, or there are too many
    /// units.
    pub fn between(
        network: &Network<f64>,
        objective: &Objective<f64>,
        layer: usize,
        below: &[f64],
        above: &[f64],
    ) -> Result<(Self, Vec<f64>), Error> {
        let Some(chain) = network.as_chain() else {
            return Err(Error::Network(
                "a layer has two neighbours in chains alone; its edges join other nodes".into(),
            ));
        };
        objective.fits(network)?;
        let held = [objective.input(), objective.output()] == [End::Held; 2];
        if !(network.is_linear() && objective.is_quadratic() && held) {
            let problem =
                "a layer's path is exact in linear networks with the squared error, `half-square` and both ends held";
            return Err(Error::Network(problem.into()));
        }
        if layer >= network.hidden() {
            let problem = format!("there are {} hidden layers, and none numbered {}", network.hidden(), layer + 1);
            return Err(Error::Network(problem));
        }
        let jacobians = Jacobian::all(network, |_| Vec::new());
        let [into, out_of] = [jacobians[layer].dense(), jacobians[layer + 1].dense()];
        if (below.len(), above.len()) != (into.ncols(), out_of.nrows()) {
            let problem = format!(
                "neighbours of {} and {} units, where the network has {} and {}",
                below.len(),
                above.len(),
                into.ncols(),
                out_of.nrows()
            );
            return Err(Error::Batch(problem));
        }
        few(into.nrows())?;
        // Of a hidden layer; what nothing of the kind holds is the output.
        let weight = |l: usize| {
            let penalty = if l < network.hidden() { objective.penalty(l) } else { None };
            penalty.map_or(objective.readout(), Penalty::weight)
        };
        let here = precision_matrix(weight(layer), into.nrows());
        let next = precision_matrix(weight(layer + 1), out_of.nrows());
        let pull = product(out_of.transpose(), next.as_ref());
        let bias = |l: usize, n: usize| chain.link(l).0.bias().map_or_else(|| vec![0.0; n], <[f64]>::to_vec);
        let mut predicted = product(into.as_ref(), column(below));
        bias(layer, into.nrows()).iter().enumerate().for_each(|(i, b)| predicted[(i, 0)] += b);
        let wanted: Vec<f64> = above.iter().zip(bias(layer + 1, above.len())).map(|(z, b)| z - b).collect();
        let matrix = &here + product(pull.as_ref(), out_of.as_ref());
        let right = product(here.as_ref(), predicted.as_ref()) + product(pull.as_ref(), column(&wanted));
        let solved = Cholesky::new(&matrix).ok_or_else(not_finite)?.solve(right);
        Ok((Relaxation::of(&matrix)?, (0..solved.nrows()).map(|i| solved[(i, 0)]).collect()))
    }

    fn of(matrix: &Mat<f64>) -> Result<Self, Error> {
        let (rates, modes) = symmetric_eigen(matrix).ok_or_else(not_finite)?;
        Ok(Relaxation { rates, modes })
    }

    /// The eigenvalues of A, smallest first: what is left along each shrinks by e^{−rate} per unit of time.
    pub fn rates(&self) -> &[f64] {
        &self.rates
    }

    /// z(τ) of ż = −A(z − z*) from `start`, with z* = `rest`.
    pub fn continuous(&self, rest: &[f64], start: &[f64], time: f64) -> Vec<f64> {
        self.moved(rest, start, |rate| (-rate * time).exp())
    }

    /// z after `steps` steps z ← z − ηA(z − z*).
    pub fn discrete(&self, rest: &[f64], start: &[f64], eta: f64, steps: usize) -> Vec<f64> {
        self.moved(rest, start, |rate| power(1.0 - eta * rate, steps))
    }

    /// z(τ) of ż = +A(z − z*): eq. 31 as it is printed, infinite where that overflows.
    pub fn as_printed(&self, rest: &[f64], start: &[f64], time: f64) -> Vec<f64> {
        self.moved(rest, start, |rate| (rate * time).exp())
    }

    /// z* + f(A)(z − z*).
    fn moved(&self, rest: &[f64], start: &[f64], f: impl Fn(f64) -> f64) -> Vec<f64> {
        let away: Vec<f64> = start.iter().zip(rest).map(|(z, rest)| z - rest).collect();
        let mut along = product(self.modes.transpose(), column(&away));
        self.rates.iter().enumerate().for_each(|(i, &rate)| along[(i, 0)] *= f(rate));
        let back = product(self.modes.as_ref(), along.as_ref());
        rest.iter().enumerate().map(|(i, rest)| rest + back[(i, 0)]).collect()
    }
}

/// xⁿ for any whole n.
fn power(x: f64, n: usize) -> f64 {
    i32::try_from(n).map_or_else(|_| x.signum().powi((n % 2) as i32) * x.abs().powf(n as f64), |n| x.powi(n))
}

fn column(v: &[f64]) -> MatRef<'_, f64> {
    MatRef::from_column_major_slice(v, v.len(), 1)
}

fn few(unknowns: usize) -> Result<(), Error> {
    if unknowns <= DENSE_RELAXATION {
        return Ok(());
    }
    let problem = format!(
        "{unknowns} unknowns; the exact path is by the eigenvectors of a dense matrix, of at most {DENSE_RELAXATION}; take \
         a smaller width or depth"
    );
    Err(Error::Network(problem))
}

fn not_finite() -> Error {
    Error::Network("its Hessian is not finite".into())
}
