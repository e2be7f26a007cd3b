//! The boundary between the mathematics and the machine.
//!
//! A backend carries out whole sweeps over the layers of one block of samples. Rules and the
//! inference loop see only this trait, so a faster engine joins without touching them; every
//! backend is held to [`Reference`] by contract tests.

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

/// Sweeps over all layers of one block (docs/maths.md §4–5). All layers of a sweep read the state as
/// it was before the sweep (Jacobi), so a backend may compute them in any order or together.
pub trait Backend: Send + Sync {
    /// The number type.
    type Real: Real;

    /// Samples per block: minibatches are cut into blocks of this size, which are inferred
    /// independently. The same on every machine, whatever its core count.
    fn block_samples(&self) -> usize;

    /// Computes the constant part of inference, `block.drive` = f_1(x), from `block.input`.
    fn drive(&self, network: &Network<Self::Real>, block: &mut Block<Self::Real>, state: &mut State<Self::Real>);

    /// z ← the forward pass (c = 0), with output, slopes and output credit −e at it.
    fn forward(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>);

    /// `residuals` ← c = z − f(z), and output, slopes and output credit at z.
    fn residuals(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        residuals: &mut Stack<Self::Real>,
    );

    /// c = z − f(z); λ_l += step · c_l; q = λ + ρc. One product per edge.
    fn credit_sweep(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        dual_step: DualStep<Self::Real>,
    );

    /// z −= η (q − Jᵀq) at the credit and slopes of the last credit sweep. One product per edge.
    fn activity_sweep(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>, eta: Self::Real);

    /// A credit sweep, then an activity sweep: one cycle of inference. May skip products that
    /// are known to be zero, and may leave credit and slopes unwritten; (z, λ) and the output are
    /// those of the two sweeps, bit for bit.
    fn cycle(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        dual_step: DualStep<Self::Real>,
        eta: Self::Real,
    ) {
        self.credit_sweep(problem, state, dual_step);
        self.activity_sweep(problem, state, eta);
    }

    /// `gradient` ← ∂𝓛/∂z = q − Jᵀq at the credit and slopes in `state`.
    fn activity_gradient(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        gradient: &mut Stack<Self::Real>,
    );

    /// λ_l = q_l = J_{l+1}ᵀ q_{l+1} from the output credit down: backpropagation.
    fn adjoint_sweep(&self, problem: &Problem<Self::Real>, state: &mut State<Self::Real>);

    /// `product` ← (v_l − J_l v_{l-1})_l for the hidden edges, then J_L v_{L-1}: the constraint
    /// operator C and the readout applied to a direction v, at the slopes in `state`.
    fn push_forward(
        &self,
        problem: &Problem<Self::Real>,
        state: &mut State<Self::Real>,
        direction: &Stack<Self::Real>,
        product: &mut Stack<Self::Real>,
    );

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
}
