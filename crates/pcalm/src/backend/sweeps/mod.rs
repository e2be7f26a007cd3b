//! The sweeps over the layers, one equation at a time, over a kernel's products.

pub(super) mod edge;

use super::{Backend, Problem};
use crate::{
    activation::Activation,
    dual_step::DualStep,
    network::{Edge, Network, Placement},
    real::Real,
    stack::{Matrix, Stack},
    state::{Block, State, Work},
};
use std::fmt::Debug;

/// The arithmetic below the sweeps: what a machine may do in its own way.
///
/// Each sample's sums run over features in index order and never mix columns, so that a
/// sample's result does not depend on its batch mates.
pub trait Kernel: Clone + Debug + Send + Sync {
    /// The number type.
    type Real: Real;

    /// `out ← a W x`, plus `skip` if given; `x` may have more rows than W has columns.
    fn forward(
        &self,
        edge: &Edge<Self::Real>,
        x: &Matrix<Self::Real>,
        skip: Option<&Matrix<Self::Real>>,
        out: &mut Matrix<Self::Real>,
    );

    /// `out ← gate ⊙ (a Wᵀ q)`, plus `skip` if given; without a gate, 1. `q` and `out` may have
    /// more rows than needed.
    fn transposed(
        &self,
        edge: &Edge<Self::Real>,
        q: &Matrix<Self::Real>,
        gate: Option<&Matrix<Self::Real>>,
        skip: Option<&Matrix<Self::Real>>,
        out: &mut Matrix<Self::Real>,
    );

    /// With c = z − f: `duals += alpha · c`, then `f ← duals + rho · c`, the credit.
    fn credit(
        &self,
        alpha: Self::Real,
        rho: Self::Real,
        z: &[Self::Real],
        f: &mut [Self::Real],
        duals: &mut [Self::Real],
    );

    /// `z -= eta · (q − pulled)`; `pulled` may be longer.
    fn descend(&self, eta: Self::Real, q: &[Self::Real], pulled: &[Self::Real], z: &mut [Self::Real]);

    /// `gradient += factor · q xᵀ`, summed over samples in a fixed order.
    fn outer(&self, factor: Self::Real, q: &Matrix<Self::Real>, x: &Matrix<Self::Real>, gradient: &mut [Self::Real]);

    /// `values ← φ(values)` and `slopes ← φ'(values)`, both at the old values.
    fn activate_in_place(&self, phi: Activation, values: &mut [Self::Real], slopes: &mut [Self::Real]);

    /// `values ← φ(x)` and `slopes ← φ'(x)`.
    fn activate(&self, phi: Activation, x: &[Self::Real], values: &mut [Self::Real], slopes: &mut [Self::Real]) {
        values.copy_from_slice(x);
        self.activate_in_place(phi, values, slopes);
    }

    /// [`Backend::cycle`].
    fn cycle(
        sweeps: &Sweeps<Self>,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        dual_step: DualStep<Self::Real>,
        eta: Self::Real,
    ) {
        sweeps.credit_sweep(problem, state, dual_step);
        sweeps.activity_sweep(problem, state, eta);
    }
}

/// A backend made of one kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweeps<K> {
    pub(super) kernel: K,
}

impl<K: Kernel<Real = R>, R: Real> Backend for Sweeps<K> {
    type Real = R;

    fn block_samples(&self) -> usize {
        32
    }

    fn drive(&self, network: &Network<R>, block: &mut Block<R>, state: &mut State<R>) {
        let first = &network.edges()[0];
        let skip_after = |wanted: bool| (first.skip() && wanted).then_some(&block.input);
        let post = network.placement() == Placement::Post;
        self.kernel.forward(first, &block.input, skip_after(!post), &mut block.drive);
        state.front = 0;
        state.work.count(first.rows(), first.cols(), block.samples);
        if post {
            self.kernel.activate_in_place(network.activation(), block.drive.data_mut(), block.drive_slopes.data_mut());
            if let Some(input) = skip_after(true) {
                edge::add(input, &mut block.drive);
            }
        }
    }

    fn forward(&self, problem: &Problem<R>, state: &mut State<R>) {
        let State { activities, credit, slopes, rates, output, work, .. } = state;
        drive_slopes(problem, slopes);
        activities.layers[0].copy_from(&problem.block.drive);
        for l in 1..problem.network.hidden() {
            let (before, after) = activities.layers.split_at_mut(l);
            edge::predict(&self.kernel, problem, l, &before[l - 1], &mut after[0], slopes, rates);
        }
        self.readout(problem, activities, slopes, rates, output, credit);
        count_edges(problem, work);
    }

    fn residuals(&self, problem: &Problem<R>, state: &mut State<R>, residuals: &mut Stack<R>) {
        let State { activities, credit, slopes, rates, output, work, .. } = state;
        self.predictions(problem, activities, slopes, rates, &mut residuals.layers);
        for (c, z) in residuals.layers.iter_mut().zip(&activities.layers) {
            for (c, &z) in c.data_mut().iter_mut().zip(z.data()) {
                *c = z - *c;
            }
        }
        self.readout(problem, activities, slopes, rates, output, credit);
        count_edges(problem, work);
    }

    fn credit_sweep(&self, problem: &Problem<R>, state: &mut State<R>, dual_step: DualStep<R>) {
        let State { activities, duals, credit, slopes, rates, output, work, .. } = state;
        let hidden = &mut credit.layers[..problem.network.hidden()];
        self.predictions(problem, activities, slopes, rates, hidden);
        for (l, c) in hidden.iter_mut().enumerate() {
            let (z, lambda) = (activities.layers[l].data(), duals.layers[l].data_mut());
            let rho = problem.objective.penalty(l);
            self.kernel.credit(dual_step.at(rho), rho, z, c.data_mut(), lambda);
        }
        self.readout(problem, activities, slopes, rates, output, credit);
        count_edges(problem, work);
    }

    fn activity_sweep(&self, problem: &Problem<R>, state: &mut State<R>, eta: R) {
        state.front = 0;
        let State { activities, credit, slopes, scratch, work, .. } = state;
        for (l, z) in activities.layers.iter_mut().enumerate() {
            edge::pull_back(&self.kernel, problem, l + 1, &credit.layers[l + 1], slopes, scratch);
            self.kernel.descend(eta, credit.layers[l].data(), scratch.pulled.data(), z.data_mut());
        }
        count_edges(problem, work);
    }

    fn cycle(&self, problem: &Problem<R>, state: &mut State<R>, dual_step: DualStep<R>, eta: R) {
        K::cycle(self, problem, state, dual_step, eta);
    }

    fn activity_gradient(&self, problem: &Problem<R>, state: &mut State<R>, gradient: &mut Stack<R>) {
        let State { credit, slopes, scratch, work, .. } = state;
        for (l, g) in gradient.layers.iter_mut().enumerate() {
            edge::pull_back(&self.kernel, problem, l + 1, &credit.layers[l + 1], slopes, scratch);
            let q = credit.layers[l].data();
            for ((g, &q), &pulled) in g.data_mut().iter_mut().zip(q).zip(scratch.pulled.data()) {
                *g = q - pulled;
            }
        }
        count_edges(problem, work);
    }

    fn adjoint_sweep(&self, problem: &Problem<R>, state: &mut State<R>) {
        state.front = 0;
        let State { duals, credit, slopes, scratch, work, .. } = state;
        for l in (0..problem.network.hidden()).rev() {
            edge::pull_back(&self.kernel, problem, l + 1, &credit.layers[l + 1], slopes, scratch);
            let size = credit.layers[l].data().len();
            credit.layers[l].data_mut().copy_from_slice(&scratch.pulled.data()[..size]);
            duals.layers[l].copy_from(&credit.layers[l]);
        }
        count_edges(problem, work);
    }

    fn push_forward(&self, problem: &Problem<R>, state: &mut State<R>, direction: &Stack<R>, product: &mut Stack<R>) {
        let State { slopes, scratch, work, .. } = state;
        for (l, out) in product.layers.iter_mut().enumerate() {
            match l.checked_sub(1) {
                None => out.clear(),
                Some(below) => {
                    let v = &direction.layers[below];
                    edge::push_forward(&self.kernel, problem, l, v, slopes, &mut scratch.signal, out);
                }
            }
            if let Some(v) = direction.layers.get(l) {
                for (out, &v) in out.data_mut().iter_mut().zip(v.data()) {
                    *out = v - *out;
                }
            }
        }
        count_edges(problem, work);
    }

    fn weight_gradient(&self, problem: &Problem<R>, state: &State<R>, edge: usize, weight: R, gradient: &mut [R]) {
        let network = problem.network;
        let factor = -weight * network.edges()[edge].scale();
        let x = match (edge.checked_sub(1), network.placement()) {
            (None, _) => &problem.block.input,
            (Some(below), Placement::Pre) => &state.rates.layers[below],
            (Some(below), Placement::Post) => &state.activities.layers[below],
        };
        let q = &state.credit.layers[edge];
        if network.placement() == Placement::Post && edge < network.hidden() {
            let mut signal = q.clone();
            edge::gate(&state.slopes.layers[edge], &mut signal);
            self.kernel.outer(factor, &signal, x, gradient);
        } else {
            self.kernel.outer(factor, q, x, gradient);
        }
    }
}

impl<K: Kernel<Real = R>, R: Real> Sweeps<K> {
    /// f(z) of every hidden layer, and slopes and rates at z.
    fn predictions(
        &self,
        problem: &Problem<R>,
        activities: &Stack<R>,
        slopes: &mut Stack<R>,
        rates: &mut Stack<R>,
        predictions: &mut [Matrix<R>],
    ) {
        drive_slopes(problem, slopes);
        for (l, f) in predictions.iter_mut().enumerate() {
            match l.checked_sub(1) {
                None => f.copy_from(&problem.block.drive),
                Some(below) => {
                    edge::predict(&self.kernel, problem, l, &activities.layers[below], f, slopes, rates);
                }
            }
        }
    }

    /// The output and its credit −e at the current activities.
    fn readout(
        &self,
        problem: &Problem<R>,
        activities: &Stack<R>,
        slopes: &mut Stack<R>,
        rates: &mut Stack<R>,
        output: &mut Matrix<R>,
        credit: &mut Stack<R>,
    ) {
        let last = problem.network.hidden();
        edge::predict(&self.kernel, problem, last, &activities.layers[last - 1], output, slopes, rates);
        let block = problem.block;
        problem.objective.loss().output_credit(output, &block.target, block.samples, &mut credit.layers[last]);
    }
}

/// In `post` placement the first edge's slopes are constant; the sweeps fill in the others.
fn drive_slopes<R: Real>(problem: &Problem<R>, slopes: &mut Stack<R>) {
    if problem.network.placement() == Placement::Post {
        slopes.layers[0].copy_from(&problem.block.drive_slopes);
    }
}

/// Counts one product on every edge but the first, whose input is constant.
fn count_edges<R: Real>(problem: &Problem<R>, work: &mut Work) {
    for edge in &problem.network.edges()[1..] {
        work.count(edge.rows(), edge.cols(), problem.block.samples);
    }
}
