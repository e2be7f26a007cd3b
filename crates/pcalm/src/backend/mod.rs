//! The boundary between the mathematics and the machine.
//!
//! A backend has the primitives that the Lagrangian's equations are written in, and may run a whole cycle of
//! them in one pass. Equations, rules and the inference loop see only this trait, so a faster engine joins
//! without touching them; every backend is held to [`Reference`] by contract tests.

pub mod cpu;
mod reference;
mod sweeps;

pub use cpu::Cpu;
pub use reference::Reference;
pub use sweeps::{Kernel, Sweeps};

use crate::{
    dual_step::DualStep,
    network::Network,
    objective::Objective,
    real::Real,
    stack::Stack,
    state::{Block, State},
};

/// One block's inference problem: everything that stays fixed while (z, λ) move.
#[derive(Clone, Copy, Debug)]
pub struct Problem<'a, R> {
    /// The weights.
    pub network: &'a Network<R>,
    /// Inputs and targets.
    pub block: &'a Block<R>,
    /// Loss and penalties.
    pub objective: &'a Objective<R>,
}

/// What the equations of [`Lagrangian`](crate::lagrangian::Lagrangian) are made of (docs/maths.md §4–5): each
/// primitive takes all layers of one block at once, so that a backend may compute them in any order or together;
/// [`forward`](Self::forward) and [`adjoint`](Self::adjoint) alone go layer by layer.
pub trait Backend: Send + Sync {
    /// The number type.
    type Real: Real;

    /// Samples per block: minibatches are cut into blocks of this size, which are inferred
    /// independently. The same on every machine, whatever its core count.
    fn block_samples(&self) -> usize;

    /// Computes the constant part of inference, `block.drive` = f_1(x), from `block.input`.
    fn drive(&self, network: &Network<Self::Real>, block: &mut Block<Self::Real>, state: &mut State<Self::Real>);

    /// z ← the forward pass, z_l = f_l(z_{l-1}), with output and slopes at it. One product per edge.
    fn forward(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>);

    /// q_l ← J_{l+1}ᵀ q_{l+1} from the output credit down, at the slopes in `state`. One product per edge.
    fn adjoint(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>);

    /// `predictions` ← f_l(z_{l-1}) of every hidden layer, and output and slopes at z. `predictions` may have one
    /// more layer, which is left alone. One product per edge.
    fn predict(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        predictions: &mut Stack<Self::Real>,
    );

    /// q_L ← −∂ℓ/∂o at the output in `state`.
    fn supervise(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>);

    /// With f where the hidden layers' credit will be, and c = z − f: λ_l += step · c_l; q_l ← λ_l + ρ_l c_l.
    fn weigh(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>, dual_step: DualStep<Self::Real>);

    /// `image` ← J_l v_{l-1} for every edge at the slopes in `state`, the readout's last; the first, whose input is
    /// held, gets 0. One product per edge.
    fn push(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        direction: &Stack<Self::Real>,
        image: &mut Stack<Self::Real>,
    );

    /// `pulled` ← J_{l+1}ᵀ q_{l+1} for every hidden layer at the credit and slopes in `state`. One product per edge.
    fn pull(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>, pulled: &mut Stack<Self::Real>);

    /// `y` ← a x + b y, over the layers that both have.
    fn combine(&self, a: Self::Real, x: &Stack<Self::Real>, b: Self::Real, y: &mut Stack<Self::Real>);

    /// Adds this block's part of edge `edge`'s weight gradient, −`weight` · a q φ(z)ᵀ, to
    /// `gradient`, row-major like the weights.
    fn weight_gradient(
        &self,
        problem: &Problem<Self::Real>,
        state: &State<Self::Real>,
        edge: usize,
        weight: Self::Real,
        gradient: &mut [Self::Real],
    );

    /// A whole [cycle](crate::lagrangian::Lagrangian::cycle) in one pass, if the backend has one for this block:
    /// `false`, with nothing done, if not. May skip products that are known to be zero, and may leave credit and
    /// slopes unwritten; (z, λ) and the output are those of the primitives, bit for bit.
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
