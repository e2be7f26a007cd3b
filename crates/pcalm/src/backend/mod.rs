//! The boundary between the mathematics and the machine.
//!
//! A backend has the primitives that the Lagrangian's equations are written in, over memory of its own, and may run a
//! whole cycle of them in one pass. Equations, rules and the inference loop see only this trait, so a faster engine
//! joins without touching them; every backend is held to [`Reference`] by contract tests.

pub mod cpu;
pub mod host;
mod reference;
mod sweeps;

pub use cpu::Cpu;
pub use host::Host;
pub use reference::Reference;
#[cfg(feature = "theory")]
pub(crate) use sweeps::dense::predict;
pub use sweeps::{Kernel, Sweeps};

use crate::{
    dual_step::DualStep,
    network::Network,
    objective::Objective,
    real::Real,
    stack::{Matrix, Stack},
    work::Work,
};
use std::{borrow::Cow, fmt::Debug, ops::Range};

/// One block's inference problem: everything that stays fixed while (z, λ) move.
#[derive(Debug)]
pub struct Problem<'a, B: Backend> {
    /// The network.
    pub network: &'a Network<B::Real>,
    /// Its weights where the backend has them.
    pub weights: B::Weights<'a>,
    /// Inputs and targets.
    pub block: &'a B::Block,
    /// Loss, penalties and precisions.
    pub objective: &'a Objective<B::Real>,
}

impl<B: Backend> Clone for Problem<'_, B> {
    fn clone(&self) -> Self {
        *self
    }
}

impl<B: Backend> Copy for Problem<'_, B> {}

/// Memory that can be counted.
pub trait Held {
    /// Bytes of all its buffers.
    fn bytes(&self) -> usize;
}

/// A block of samples, wherever it is.
pub trait Samples: Held {
    /// How many there are.
    fn samples(&self) -> usize;
    /// Width of the inputs.
    fn inputs(&self) -> usize;
    /// Width of the targets.
    fn targets(&self) -> usize;
}

/// What a cycle changes.
#[derive(Debug)]
pub struct Moving<'s, B: Backend> {
    /// z.
    pub activities: &'s mut B::Stack,
    /// λ.
    pub duals: &'s mut B::Stack,
    /// q.
    pub credit: &'s mut B::Stack,
    /// What the primitives leave for one another.
    pub memo: &'s mut B::Memo,
    /// Hidden layers below this still hold z = forward pass and λ = 0, so that their residual, credit and gradient
    /// are exactly zero.
    pub front: &'s mut usize,
}

/// What the equations of [`Lagrangian`](crate::lagrangian::Lagrangian) are made of (docs/maths.md §4–5): each
/// primitive takes all layers of one block at once, so that a backend may compute them in any order or together;
/// [`forward`](Self::forward) and [`adjoint`](Self::adjoint) alone go layer by layer. Forward, adjoint, predict, push
/// and pull are one product on every dense edge that does not leave the input, and are counted as that.
pub trait Backend: Debug + Send + Sync + Sized {
    /// The number type.
    type Real: Real;
    /// A network's weights where products with them are taken.
    type Weights<'n>: Copy + Debug + Send + Sync;
    /// One matrix per layer. Stacks of activities, duals and gradients have the hidden layers; the credit and images
    /// of directions have the output too.
    type Stack: Held + Clone + Debug + Send + Sync;
    /// Inputs, targets, and what is constant during inference.
    type Block: Samples + Debug + Send + Sync;
    /// What primitives leave for one another: slopes, the network's output, scratch.
    type Memo: Held + Clone + Debug + Send + Sync;

    /// Samples per block: minibatches are cut into blocks of this size, which are inferred
    /// independently. The same on every machine, whatever its core count.
    fn block_samples(&self) -> usize;

    /// The network's weights, brought to where they are needed.
    fn weights<'n>(&self, network: &'n Network<Self::Real>) -> Self::Weights<'n>;

    /// Zeros of these widths.
    fn stack(&self, widths: &[usize], samples: usize) -> Self::Stack;

    /// Shaped for `samples` samples of `network`.
    fn memo(&self, network: &Network<Self::Real>, samples: usize) -> Self::Memo;

    /// Shaped for `samples` samples of `network`, of zeros.
    fn block(&self, network: &Network<Self::Real>, samples: usize) -> Self::Block;

    /// `block` ← these samples, row-major, and what the edges from the input predict of them.
    fn load(
        &self,
        network: (&Network<Self::Real>, Self::Weights<'_>),
        inputs_and_targets: (&[Self::Real], &[Self::Real]),
        block: &mut Self::Block,
        memo: &mut Self::Memo,
    );

    /// z ← the forward pass, z_l = f_l(z_{l-1}), with output and slopes at it.
    fn forward(&self, problem: &Problem<Self>, activities: &mut Self::Stack, memo: &mut Self::Memo);

    /// q_l ← J_{l+1}ᵀ q_{l+1} from the output credit down, at the slopes in `memo`.
    fn adjoint(&self, problem: &Problem<Self>, credit: &mut Self::Stack, memo: &mut Self::Memo);

    /// `predictions` ← f_l(z_{l-1}) of every hidden layer, with output and slopes at z. `predictions` may have one
    /// more layer, which is left alone.
    fn predict(
        &self,
        problem: &Problem<Self>,
        activities: &Self::Stack,
        memo: &mut Self::Memo,
        predictions: &mut Self::Stack,
    );

    /// q_L ← −∂ℓ_Π/∂o at the output in `memo`.
    fn supervise(&self, problem: &Problem<Self>, memo: &Self::Memo, credit: &mut Self::Stack);

    /// With f where the hidden layers' credit will be, and c = z − f: λ_l moves by the step, then q_l ← λ_l + E'(c_l).
    /// A layer that nothing holds at its prediction has no dual step and no E.
    fn weigh(
        &self,
        problem: &Problem<Self>,
        activities: &Self::Stack,
        duals_and_credit: (&mut Self::Stack, &mut Self::Stack),
        memo: &mut Self::Memo,
        dual_step: DualStep<Self::Real>,
    );

    /// y_l ← Π_l⁻¹ y_l of every layer that something holds at its prediction.
    fn precondition(&self, problem: &Problem<Self>, y: &mut Self::Stack, memo: &mut Self::Memo);

    /// `image` ← J_l v_{l-1} for every edge at the slopes in `memo`, the readout's last; the first, whose input is
    /// held, gets 0.
    fn push(&self, problem: &Problem<Self>, memo: &mut Self::Memo, direction: &Self::Stack, image: &mut Self::Stack);

    /// `pulled` ← J_{l+1}ᵀ q_{l+1} for every hidden layer at the slopes in `memo`.
    fn pull(&self, problem: &Problem<Self>, memo: &mut Self::Memo, credit: &Self::Stack, pulled: &mut Self::Stack);

    /// `y` ← a x + b y, over the layers that both have.
    fn combine(&self, a: Self::Real, x: &Self::Stack, b: Self::Real, y: &mut Self::Stack);

    /// z ← z + β(z − p), and p ← z as it was, for the first `samples` samples of the layers from `front` on.
    fn extrapolate(
        &self,
        beta: Self::Real,
        activities: &mut Self::Stack,
        previous: &mut Self::Stack,
        front_and_samples: (usize, usize),
    );

    /// `y` ← 0.
    fn clear(&self, y: &mut Self::Stack);

    /// `y` ← x, over those of the 0-based `layers` that both have.
    fn copy(&self, x: &Self::Stack, y: &mut Self::Stack, layers: Range<usize>);

    /// Sets whatever is beyond the first `samples` samples to 0.
    fn trim(&self, y: &mut Self::Stack, samples: usize);

    /// max |v| over the 0-based layer; NaN if a number is not finite.
    fn largest(&self, stack: &Self::Stack, layer: usize) -> Self::Real;

    /// ⟨x, y⟩ of each of the first `samples` samples over all layers, in `f64`.
    fn inner(&self, x: &Self::Stack, y: &Self::Stack, samples: usize) -> Vec<f64>;

    /// The numbers of a stack, to be looked at.
    fn read<'s>(&self, stack: &'s Self::Stack) -> Cow<'s, Stack<Self::Real>>;

    /// `y` ← these numbers, over the layers that both have.
    fn write(&self, numbers: &Stack<Self::Real>, y: &mut Self::Stack);

    /// The network's output where it was last computed.
    fn output<'s>(&self, memo: &'s Self::Memo) -> Cow<'s, Matrix<Self::Real>>;

    /// The inputs.
    fn input<'s>(&self, block: &'s Self::Block) -> Cow<'s, Matrix<Self::Real>>;

    /// The targets.
    fn target<'s>(&self, block: &'s Self::Block) -> Cow<'s, Matrix<Self::Real>>;

    /// Adds this block's part of the gradient of the dense edge at place `edge`, −`weight` · a q φ(z)ᵀ and then that
    /// of its bias, to `gradient`, laid out like the edge's parameters.
    fn weight_gradient(
        &self,
        problem: &Problem<Self>,
        activities_credit_memo: (&Self::Stack, &Self::Stack, &Self::Memo),
        edge: usize,
        weight: Self::Real,
        gradient: &mut [Self::Real],
    );

    /// A whole [cycle](crate::lagrangian::Lagrangian::cycle) in one pass, if the backend has one for this problem:
    /// `None`, with nothing done, if not. May skip products that are known to be zero, and may leave credit and
    /// slopes unwritten; (z, λ) and the output are those of the primitives, bit for bit.
    fn fused(
        &self,
        _problem: &Problem<Self>,
        _moving: Moving<Self>,
        _dual_step: DualStep<Self::Real>,
        _eta: Self::Real,
    ) -> Option<Work> {
        None
    }
}
