//! The primitives on this machine: sweeps over the layers, one edge at a time, over a kernel's products.

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

    /// `y ← a x + b y`.
    fn combine(&self, a: Self::Real, x: &[Self::Real], b: Self::Real, y: &mut [Self::Real]);

    /// `gradient += factor · q xᵀ`, summed over samples in a fixed order.
    fn outer(&self, factor: Self::Real, q: &Matrix<Self::Real>, x: &Matrix<Self::Real>, gradient: &mut [Self::Real]);

    /// `values ← φ(values)` and `slopes ← φ'(values)`, both at the old values.
    fn activate_in_place(&self, phi: Activation, values: &mut [Self::Real], slopes: &mut [Self::Real]);

    /// `values ← φ(x)` and `slopes ← φ'(x)`.
    fn activate(&self, phi: Activation, x: &[Self::Real], values: &mut [Self::Real], slopes: &mut [Self::Real]) {
        values.copy_from_slice(x);
        self.activate_in_place(phi, values, slopes);
    }

    /// [`Backend::fused`].
    fn fused(
        &self,
        _problem: &Problem<Self::Real>,
        _state: &mut State<Self::Real>,
        _dual_step: DualStep<Self::Real>,
        _eta: Self::Real,
    ) -> bool {
        false
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
        let State { activities, slopes, rates, output, work, .. } = state;
        drive_slopes(problem, slopes);
        activities.layers[0].copy_from(&problem.block.drive);
        let last = problem.network.hidden();
        for l in 1..last {
            let (before, after) = activities.layers.split_at_mut(l);
            edge::predict(&self.kernel, problem, l, &before[l - 1], &mut after[0], slopes, rates);
        }
        edge::predict(&self.kernel, problem, last, &activities.layers[last - 1], output, slopes, rates);
        count_edges(problem, work);
    }

    fn adjoint(&self, problem: &Problem<R>, state: &mut State<R>) {
        let State { credit, slopes, signal, work, .. } = state;
        for l in (0..problem.network.hidden()).rev() {
            let (q, above) = credit.layers.split_at_mut(l + 1);
            edge::pull_back(&self.kernel, problem, l + 1, &above[0], slopes, signal, &mut q[l]);
        }
        count_edges(problem, work);
    }

    fn predict(&self, problem: &Problem<R>, state: &mut State<R>, predictions: &mut Stack<R>) {
        let State { activities, slopes, rates, output, work, .. } = state;
        drive_slopes(problem, slopes);
        predictions.layers[0].copy_from(&problem.block.drive);
        for (l, z) in (1..).zip(&activities.layers) {
            let f = if l < problem.network.hidden() { &mut predictions.layers[l] } else { &mut *output };
            edge::predict(&self.kernel, problem, l, z, f, slopes, rates);
        }
        count_edges(problem, work);
    }

    fn supervise(&self, problem: &Problem<R>, state: &mut State<R>) {
        let (block, last) = (problem.block, problem.network.hidden());
        let error = &mut state.credit.layers[last];
        problem.objective.loss().output_credit(&state.output, &block.target, block.samples, error);
    }

    fn weigh(&self, problem: &Problem<R>, state: &mut State<R>, dual_step: DualStep<R>) {
        let State { activities, duals, credit, .. } = state;
        for (l, z) in activities.layers.iter().enumerate() {
            let (f, lambda) = (credit.layers[l].data_mut(), duals.layers[l].data_mut());
            let rho = problem.objective.penalty(l);
            self.kernel.credit(dual_step.at(rho), rho, z.data(), f, lambda);
        }
    }

    fn push(&self, problem: &Problem<R>, state: &mut State<R>, direction: &Stack<R>, image: &mut Stack<R>) {
        let State { slopes, signal, work, .. } = state;
        image.layers[0].clear();
        for (l, v) in (1..).zip(&direction.layers) {
            edge::push_forward(&self.kernel, problem, l, v, slopes, signal, &mut image.layers[l]);
        }
        count_edges(problem, work);
    }

    fn pull(&self, problem: &Problem<R>, state: &mut State<R>, pulled: &mut Stack<R>) {
        let State { credit, slopes, signal, work, .. } = state;
        for (l, out) in pulled.layers.iter_mut().enumerate() {
            edge::pull_back(&self.kernel, problem, l + 1, &credit.layers[l + 1], slopes, signal, out);
        }
        count_edges(problem, work);
    }

    fn combine(&self, a: R, x: &Stack<R>, b: R, y: &mut Stack<R>) {
        for (x, y) in x.layers.iter().zip(&mut y.layers) {
            self.kernel.combine(a, x.data(), b, y.data_mut());
        }
    }

    fn fused(&self, problem: &Problem<R>, state: &mut State<R>, dual_step: DualStep<R>, eta: R) -> bool {
        self.kernel.fused(problem, state, dual_step, eta)
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
