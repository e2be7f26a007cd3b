//! The primitives on this machine: sweeps over the nodes, one edge at a time, over a kernel's products.

pub(super) mod dense;
mod node;

use super::{Backend, Problem};
use crate::{
    activation::Activation,
    dual_step::DualStep,
    network::{Dense, Edge, Map, Network},
    real::Real,
    stack::{Matrix, Stack},
    state::{Block, Memo, Rolling, State, Work},
};
use std::fmt::Debug;

/// The arithmetic below the sweeps: what a machine may do in its own way.
///
/// Each sample's sums run over features in index order and never mix columns, so that a
/// sample's result does not depend on its batch mates.
pub trait Kernel: Clone + Debug + Send + Sync {
    /// The number type.
    type Real: Real;

    /// `out ← a W x`, plus `bias` in every column and then `base`, where given; all may have more rows than needed.
    fn forward(
        &self,
        dense: &Dense<Self::Real>,
        x: &Matrix<Self::Real>,
        bias: Option<&[Self::Real]>,
        base: Option<&Matrix<Self::Real>>,
        out: &mut Matrix<Self::Real>,
    );

    /// `out ← gate ⊙ (a Wᵀ q)`, plus `base` if given; without a gate, 1. All may have more rows than needed.
    fn transposed(
        &self,
        dense: &Dense<Self::Real>,
        q: &Matrix<Self::Real>,
        gate: Option<&Matrix<Self::Real>>,
        base: Option<&Matrix<Self::Real>>,
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
        let Block { input, drive, memos, samples, .. } = block;
        for (out, node) in drive.layers.iter_mut().zip(1..).filter(|(out, _)| out.rows() > 0) {
            let source = |from: usize| (from == 0).then_some(&*input);
            self.predict_node(network, node, (source, None), memos, &mut state.rolling[0].credit, out);
        }
        state.front = 0;
        count_edges(network, true, *samples, &mut state.work);
    }

    fn forward(&self, problem: &Problem<R>, state: &mut State<R>) {
        let Problem { network, block, .. } = *problem;
        let State { activities, memos, output, rolling: [Rolling { credit: partial, .. }, _], work, .. } = state;
        for l in 0..=network.hidden() {
            let (before, after) = activities.layers.split_at_mut(l);
            let source = |from: usize| before.get(from.checked_sub(1)?);
            let out = after.first_mut().unwrap_or(output);
            self.predict_node(network, l + 1, (source, driven(block, l)), memos, partial, out);
        }
        count_edges(network, false, block.samples, work);
    }

    fn adjoint(&self, problem: &Problem<R>, state: &mut State<R>) {
        let State { credit, memos, signal, rolling: [Rolling { credit: partial, .. }, _], work, .. } = state;
        for l in (0..problem.network.hidden()).rev() {
            let (below, above) = credit.layers.split_at_mut(l + 1);
            let source = |to: usize| &above[to - l - 2];
            self.pull_node(problem.network, l + 1, source, memos, [signal, partial], &mut below[l]);
        }
        count_edges(problem.network, false, problem.block.samples, work);
    }

    fn predict(&self, problem: &Problem<R>, state: &mut State<R>, predictions: &mut Stack<R>) {
        let Problem { network, block, .. } = *problem;
        let State { activities, memos, output, rolling: [Rolling { credit: partial, .. }, _], work, .. } = state;
        for l in 0..=network.hidden() {
            let source = |from: usize| activities.layers.get(from.checked_sub(1)?);
            let out = if l < network.hidden() { &mut predictions.layers[l] } else { &mut *output };
            self.predict_node(network, l + 1, (source, driven(block, l)), memos, partial, out);
        }
        count_edges(network, false, block.samples, work);
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
        let network = problem.network;
        let State { memos, signal, rolling: [Rolling { credit: partial, .. }, _], work, .. } = state;
        for (out, node) in image.layers.iter_mut().zip(1..) {
            let edges = network.entering(node);
            let edges = edges.filter_map(|(i, edge)| Some((i, edge, direction.layers.get(edge.from.checked_sub(1)?)?)));
            node::sum(edges, None, partial, out, |(i, dense), v, base, out| {
                dense::push(&self.kernel, dense, v, base, &memos[i], signal, out);
            });
        }
        count_edges(network, false, problem.block.samples, work);
    }

    fn pull(&self, problem: &Problem<R>, state: &mut State<R>, pulled: &mut Stack<R>) {
        let State { credit, memos, signal, rolling: [Rolling { credit: partial, .. }, _], work, .. } = state;
        for (out, node) in pulled.layers.iter_mut().zip(1..) {
            let source = |to: usize| &credit.layers[to - 1];
            self.pull_node(problem.network, node, source, memos, [signal, partial], out);
        }
        count_edges(problem.network, false, problem.block.samples, work);
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
        let Edge { from, to, map } = &problem.network.edges()[edge];
        let Map::Dense(dense) = map else { return };
        let (z, memo) = match from.checked_sub(1) {
            None => (&problem.block.input, &problem.block.memos[edge]),
            Some(l) => (&state.activities.layers[l], &state.memos[edge]),
        };
        let q = &state.credit.layers[to - 1];
        dense::weight_gradient(&self.kernel, dense, (z, q), memo, weight, gradient);
    }
}

impl<K: Kernel<Real = R>, R: Real> Sweeps<K> {
    /// `out` ← what is predicted of a node by the edges whose `source` there is, plus a constant `drive`.
    fn predict_node<'m>(
        &self,
        network: &'m Network<R>,
        node: usize,
        (source, drive): (impl Fn(usize) -> Option<&'m Matrix<R>> + Copy, Option<&'m Matrix<R>>),
        memos: &mut [Memo<R>],
        partial: &mut Matrix<R>,
        out: &mut Matrix<R>,
    ) {
        let edges = network.entering(node).filter_map(|(i, edge)| Some((i, edge, source(edge.from)?)));
        node::sum(edges, drive, partial, out, |(i, dense), z, base, out| {
            dense::predict(&self.kernel, dense, z, base, &mut memos[i], out);
        });
    }

    /// `out` ← Σ Jᵀ q over the edges that leave a node, for the credit q that `source` has of the nodes they enter.
    fn pull_node<'m>(
        &self,
        network: &'m Network<R>,
        node: usize,
        source: impl Fn(usize) -> &'m Matrix<R> + Copy,
        memos: &[Memo<R>],
        [signal, partial]: [&mut Matrix<R>; 2],
        out: &mut Matrix<R>,
    ) {
        let edges = network.leaving(node).map(|(i, edge)| (i, edge, source(edge.to)));
        node::sum(edges, None, partial, out, |(i, dense), q, base, out| {
            dense::pull(&self.kernel, dense, q, base, &memos[i], signal, out);
        });
    }
}

/// What the input predicts of the 0-based layer `l`, if any edge leads there from it.
fn driven<R: Real>(block: &Block<R>, l: usize) -> Option<&Matrix<R>> {
    Some(&block.drive.layers[l]).filter(|drive| drive.rows() > 0)
}

/// Counts one product on every edge from the input, which is done once, or on every other.
fn count_edges<R: Real>(network: &Network<R>, from_input: bool, samples: usize, work: &mut Work) {
    for edge in network.edges().iter().filter(|edge| (edge.from == 0) == from_input) {
        if let Some(dense) = edge.dense() {
            work.count(dense.rows(), dense.cols(), samples);
        }
    }
}
