//! The primitives on this machine: sweeps over the nodes, one edge at a time, over a kernel's products.

pub(crate) mod dense;
mod node;
mod weigh;

use super::{
    Backend, Moving, Problem,
    host::{Block, Memo, Rolling, Slopes},
};
use crate::{
    activation::Activation,
    dual_step::DualStep,
    network::{Dense, Edge, Map, Network},
    objective::End,
    real::Real,
    stack::{Matrix, Stack},
    work::Work,
};
use std::{borrow::Cow, fmt::Debug, ops::Range};

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
        _problem: &Problem<Sweeps<Self>>,
        _moving: Moving<Sweeps<Self>>,
        _dual_step: DualStep<Self::Real>,
        _eta: Self::Real,
    ) -> Option<Work> {
        None
    }
}

/// A backend made of one kernel.
#[derive(Clone, Copy, Debug, Default)]
pub struct Sweeps<K> {
    pub(crate) kernel: K,
}

impl<K: Kernel<Real = R>, R: Real> Backend for Sweeps<K> {
    type Real = R;
    type Weights<'n> = &'n Network<R>;
    type Stack = Stack<R>;
    type Block = Block<R>;
    type Memo = Memo<R>;

    fn block_samples(&self) -> usize {
        32
    }

    fn weights<'n>(&self, network: &'n Network<R>) -> &'n Network<R> {
        network
    }

    fn stack(&self, widths: &[usize], samples: usize) -> Stack<R> {
        Stack::zeros(widths, samples)
    }

    fn memo(&self, network: &Network<R>, samples: usize) -> Memo<R> {
        Memo::zeros(network, samples)
    }

    fn block(&self, network: &Network<R>, samples: usize) -> Block<R> {
        Block::zeros(network, samples)
    }

    fn load(
        &self,
        (network, _): (&Network<R>, &Network<R>),
        (inputs, targets): (&[R], &[R]),
        block: &mut Block<R>,
        memo: &mut Memo<R>,
    ) {
        block.samples = inputs.len() / block.input.rows();
        block.input.load(inputs);
        block.target.load(targets);
        let Block { input, drive, slopes, .. } = block;
        for (out, node) in drive.layers.iter_mut().zip(1..).filter(|(out, _)| out.rows() > 0) {
            let source = |from: usize| (from == 0).then_some(&*input);
            self.predict_node(network, node, (source, None), slopes, &mut memo.rolling[0].credit, out);
        }
    }

    fn forward(&self, problem: &Problem<Self>, activities: &mut Stack<R>, memo: &mut Memo<R>) {
        let Problem { network, block, .. } = *problem;
        let Memo { slopes, output, rolling: [Rolling { credit: partial, .. }, _], .. } = memo;
        for l in 0..=network.hidden() {
            let (before, after) = activities.layers.split_at_mut(l);
            let source = |from: usize| before.get(from.checked_sub(1)?);
            let out = after.first_mut().unwrap_or(output);
            self.predict_node(network, l + 1, (source, driven(block, l)), slopes, partial, out);
        }
    }

    fn adjoint(&self, problem: &Problem<Self>, credit: &mut Stack<R>, memo: &mut Memo<R>) {
        for l in (0..problem.network.hidden()).rev() {
            let (below, above) = credit.layers.split_at_mut(l + 1);
            let source = |to: usize| &above[to - l - 2];
            self.pull_node(problem.network, l + 1, source, memo, &mut below[l]);
        }
    }

    fn predict(&self, problem: &Problem<Self>, activities: &Stack<R>, memo: &mut Memo<R>, predictions: &mut Stack<R>) {
        let Problem { network, block, .. } = *problem;
        let Memo { slopes, output, rolling: [Rolling { credit: partial, .. }, _], .. } = memo;
        for l in 0..=network.hidden() {
            let source = |from: usize| activities.layers.get(from.checked_sub(1)?);
            let out = if l < network.hidden() { &mut predictions.layers[l] } else { &mut *output };
            self.predict_node(network, l + 1, (source, driven(block, l)), slopes, partial, out);
        }
    }

    fn supervise(&self, problem: &Problem<Self>, memo: &Memo<R>, credit: &mut Stack<R>) {
        let Block { target, samples, .. } = problem.block;
        let error = &mut credit.layers[problem.network.hidden()];
        if problem.objective.output() == End::Free {
            return error.clear();
        }
        problem.objective.output_credit(&memo.output, target, *samples, error);
    }

    fn weigh(
        &self,
        problem: &Problem<Self>,
        activities: &Stack<R>,
        (duals, credit): (&mut Stack<R>, &mut Stack<R>),
        memo: &mut Memo<R>,
        dual_step: DualStep<R>,
    ) {
        for (l, z) in activities.layers.iter().enumerate() {
            let into = (&mut duals.layers[l], &mut credit.layers[l]);
            weigh::weigh(&self.kernel, problem.objective.penalty(l), dual_step, z, into, &mut memo.signal);
        }
    }

    fn precondition(&self, problem: &Problem<Self>, y: &mut Stack<R>, memo: &mut Memo<R>) {
        for (l, y) in y.layers.iter_mut().enumerate() {
            if let Some(penalty) = problem.objective.penalty(l) {
                weigh::precondition(&self.kernel, penalty.weight(), y, &mut memo.signal);
            }
        }
    }

    fn push(&self, problem: &Problem<Self>, memo: &mut Memo<R>, direction: &Stack<R>, image: &mut Stack<R>) {
        let Memo { slopes, signal, rolling: [Rolling { credit: partial, .. }, _], .. } = memo;
        for (out, node) in image.layers.iter_mut().zip(1..) {
            let edges = problem.network.entering(node);
            let edges = edges.filter_map(|(i, edge)| Some((i, edge, direction.layers.get(edge.from.checked_sub(1)?)?)));
            node::sum(edges, None, partial, out, |(i, dense), v, base, out| {
                dense::push(&self.kernel, dense, v, base, &slopes[i], signal, out);
            });
        }
    }

    fn pull(&self, problem: &Problem<Self>, memo: &mut Memo<R>, credit: &Stack<R>, pulled: &mut Stack<R>) {
        for (out, node) in pulled.layers.iter_mut().zip(1..) {
            self.pull_node(problem.network, node, |to| &credit.layers[to - 1], memo, out);
        }
    }

    fn combine(&self, a: R, x: &Stack<R>, b: R, y: &mut Stack<R>) {
        for (x, y) in x.layers.iter().zip(&mut y.layers) {
            self.kernel.combine(a, x.data(), b, y.data_mut());
        }
    }

    fn extrapolate(
        &self,
        beta: R,
        activities: &mut Stack<R>,
        previous: &mut Stack<R>,
        (front, samples): (usize, usize),
    ) {
        // Padding stays as it is, and layers below the front have not moved.
        for (z, previous) in activities.layers.iter_mut().zip(&mut previous.layers).skip(front) {
            let cols = z.cols();
            let rows = z.data_mut().chunks_exact_mut(cols).zip(previous.data_mut().chunks_exact_mut(cols));
            for (z, previous) in rows {
                for (z, previous) in z[..samples].iter_mut().zip(previous) {
                    let now = *z;
                    *z = now + beta * (now - *previous);
                    *previous = now;
                }
            }
        }
    }

    fn clear(&self, y: &mut Stack<R>) {
        y.clear();
    }

    fn copy(&self, x: &Stack<R>, y: &mut Stack<R>, layers: Range<usize>) {
        let both = x.layers.iter().zip(&mut y.layers).take(layers.end).skip(layers.start);
        both.for_each(|(x, y)| y.copy_from(x));
    }

    fn trim(&self, y: &mut Stack<R>, samples: usize) {
        for layer in &mut y.layers {
            let cols = layer.cols();
            layer.data_mut().chunks_exact_mut(cols).for_each(|row| row[samples..].fill(R::zero()));
        }
    }

    fn largest(&self, stack: &Stack<R>, layer: usize) -> R {
        stack.layers[layer].max_abs()
    }

    fn inner(&self, x: &Stack<R>, y: &Stack<R>, samples: usize) -> Vec<f64> {
        x.inner(y, samples)
    }

    fn read<'s>(&self, stack: &'s Stack<R>) -> Cow<'s, Stack<R>> {
        Cow::Borrowed(stack)
    }

    fn write(&self, numbers: &Stack<R>, y: &mut Stack<R>) {
        numbers.layers.iter().zip(&mut y.layers).for_each(|(x, y)| y.copy_from(x));
    }

    fn output<'s>(&self, memo: &'s Memo<R>) -> Cow<'s, Matrix<R>> {
        Cow::Borrowed(&memo.output)
    }

    fn input<'s>(&self, block: &'s Block<R>) -> Cow<'s, Matrix<R>> {
        Cow::Borrowed(&block.input)
    }

    fn target<'s>(&self, block: &'s Block<R>) -> Cow<'s, Matrix<R>> {
        Cow::Borrowed(&block.target)
    }

    fn weight_gradient(
        &self,
        problem: &Problem<Self>,
        (activities, credit, memo): (&Stack<R>, &Stack<R>, &Memo<R>),
        edge: usize,
        weight: R,
        gradient: &mut [R],
    ) {
        let Edge { from, to, map } = &problem.network.edges()[edge];
        let Map::Dense(dense) = map else { return };
        let (z, at) = match from.checked_sub(1) {
            None => (&problem.block.input, &problem.block.slopes[edge]),
            Some(l) => (&activities.layers[l], &memo.slopes[edge]),
        };
        dense::weight_gradient(&self.kernel, dense, (z, &credit.layers[to - 1]), at, weight, gradient);
    }

    fn fused(&self, problem: &Problem<Self>, moving: Moving<Self>, dual_step: DualStep<R>, eta: R) -> Option<Work> {
        self.kernel.fused(problem, moving, dual_step, eta)
    }
}

impl<K: Kernel<Real = R>, R: Real> Sweeps<K> {
    /// `out` ← what is predicted of a node by the edges whose `source` there is, plus a constant `drive`.
    fn predict_node<'m>(
        &self,
        network: &'m Network<R>,
        node: usize,
        (source, drive): (impl Fn(usize) -> Option<&'m Matrix<R>> + Copy, Option<&'m Matrix<R>>),
        slopes: &mut [Slopes<R>],
        partial: &mut Matrix<R>,
        out: &mut Matrix<R>,
    ) {
        let edges = network.entering(node).filter_map(|(i, edge)| Some((i, edge, source(edge.from)?)));
        node::sum(edges, drive, partial, out, |(i, dense), z, base, out| {
            dense::predict(&self.kernel, dense, z, base, &mut slopes[i], out);
        });
    }

    /// `out` ← Σ Jᵀ q over the edges that leave a node, for the credit q that `source` has of the nodes they enter.
    fn pull_node<'m>(
        &self,
        network: &'m Network<R>,
        node: usize,
        source: impl Fn(usize) -> &'m Matrix<R> + Copy,
        memo: &mut Memo<R>,
        out: &mut Matrix<R>,
    ) {
        let Memo { slopes, signal, rolling: [Rolling { credit: partial, .. }, _], .. } = memo;
        let edges = network.leaving(node).map(|(i, edge)| (i, edge, source(edge.to)));
        node::sum(edges, None, partial, out, |(i, dense), q, base, out| {
            dense::pull(&self.kernel, dense, q, base, &slopes[i], signal, out);
        });
    }
}

/// What the input predicts of the 0-based layer `l`, if any edge leads there from it.
fn driven<R: Real>(block: &Block<R>, l: usize) -> Option<&Matrix<R>> {
    Some(&block.drive.layers[l]).filter(|drive| drive.rows() > 0)
}
