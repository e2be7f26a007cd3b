//! The augmented Lagrangian of one block of samples (docs/maths.md §3–5).
//!
//! 𝓛_ρ = ℓ + Σ λ_lᵀ c_l + ½ Σ ρ_l ‖c_l‖² \[ALM eq. 5, 9\], with c_l = z_l − f_l(z_{l-1}). A rule
//! chooses (z, λ); everything else is read from here, in the equations below, once for every backend:
//!
//! | | |
//! | --- | --- |
//! | residual | c = z − f |
//! | credit | q = λ + ρc, and q_L = −∂ℓ/∂o at the output |
//! | activity gradient | ∂𝓛/∂z = q − Jᵀq |
//! | constraint operator | C v = v − J v, with the readout J_L v |
//!
//! There is no loop over inference steps in this module.

pub use crate::dual_step::DualStep;
use crate::{
    backend::{Backend, Problem},
    error::Error,
    gradient::Gradient,
    network::Network,
    objective::Objective,
    real::Real,
    stack::Stack,
    state::{Block, State},
};
use num_traits::{One, Zero};
use std::sync::atomic::{AtomicBool, Ordering};

/// One block's Lagrangian on a backend: shapes checked once, then equations over all layers. All layers of one read
/// the state as it was before (Jacobi).
#[derive(Debug)]
pub struct Lagrangian<'a, B: Backend> {
    backend: &'a B,
    problem: Problem<'a, B::Real>,
    interrupt: Option<&'a AtomicBool>,
}

/// Scalars of a state, summed over the samples of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Energies {
    /// Σ ℓ.
    pub loss: f64,
    /// Σ ½ Σ_l ρ_l ‖c_l‖², the residual energy Ẽ \[FRM eq. 12\].
    pub residual: f64,
    /// Σ Σ_l λ_lᵀ c_l.
    pub dual: f64,
    /// Σ Σ_l ‖c_l‖².
    pub residual_norm_squared: f64,
}

impl Energies {
    /// The PC energy F = ℓ + Ẽ \[ALM eq. 2\].
    pub fn energy(&self) -> f64 {
        self.loss + self.residual
    }

    /// The augmented Lagrangian 𝓛_ρ \[ALM eq. 5\].
    pub fn lagrangian(&self) -> f64 {
        self.energy() + self.dual
    }
}

impl std::ops::AddAssign for Energies {
    fn add_assign(&mut self, other: Self) {
        self.loss += other.loss;
        self.residual += other.residual;
        self.dual += other.dual;
        self.residual_norm_squared += other.residual_norm_squared;
    }
}

impl<'a, B: Backend> Lagrangian<'a, B> {
    /// The Lagrangian of `block` under `network`.
    ///
    /// # Errors
    /// If the block or the objective's penalties do not fit the network.
    pub fn new(
        backend: &'a B,
        network: &'a Network<B::Real>,
        block: &'a Block<B::Real>,
        objective: &'a Objective<B::Real>,
    ) -> Result<Self, Error> {
        if block.input.rows() != network.inputs() || block.target.rows() != network.outputs() {
            return Err(Error::Batch(format!(
                "inputs and targets of widths {} and {} for a network from {} to {} units",
                block.input.rows(),
                block.target.rows(),
                network.inputs(),
                network.outputs()
            )));
        }
        objective.fits(network)?;
        Ok(Lagrangian { backend, problem: Problem { network, block, objective }, interrupt: None })
    }

    /// The same, with iterations that stop early once `flag` is raised.
    pub fn interruptible(self, flag: &'a AtomicBool) -> Self {
        Lagrangian { interrupt: Some(flag), ..self }
    }

    /// Whether the flag is raised: whoever iterates asks before each step.
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// The fixed parts: network, block and objective.
    pub fn problem(&self) -> &Problem<'a, B::Real> {
        &self.problem
    }

    /// Samples in the block.
    pub fn samples(&self) -> usize {
        self.problem.block.samples
    }

    /// z ← forward pass, λ ← 0.
    pub fn forward(&self, state: &mut State<B::Real>) {
        self.backend.forward(&self.problem, state);
        self.backend.supervise(&self.problem, state);
        state.duals.clear();
        state.front = self.problem.network.hidden();
        state.current = false;
    }

    /// λ_l += step · c_l, then q = λ + ρc, at the current activities.
    pub fn credit(&self, state: &mut State<B::Real>, dual_step: DualStep<B::Real>) {
        let mut q = std::mem::take(&mut state.credit);
        self.backend.predict(&self.problem, state, &mut q);
        state.credit = q;
        self.backend.weigh(&self.problem, state, dual_step);
        self.backend.supervise(&self.problem, state);
        state.current = true;
    }

    /// z ← z − η ∂𝓛/∂z at the credit that was last taken.
    pub fn descend(&self, state: &mut State<B::Real>, eta: B::Real) {
        let mut gradient = std::mem::take(&mut state.gradient);
        self.activity_gradient(state, &mut gradient);
        self.backend.combine(-eta, &gradient, B::Real::one(), &mut state.activities);
        state.gradient = gradient;
        (state.front, state.current) = (0, false);
    }

    /// [`credit`](Self::credit), then [`descend`](Self::descend), as fast as the backend can.
    pub fn cycle(&self, state: &mut State<B::Real>, dual_step: DualStep<B::Real>, eta: B::Real) {
        if self.backend.fused(&self.problem, state, dual_step, eta) {
            state.current = false;
        } else {
            self.credit(state, dual_step);
            self.descend(state, eta);
        }
    }

    /// λ ← the BP adjoints at the current activities; at the forward pass, with c = 0, they are the credit.
    pub fn adjoint(&self, state: &mut State<B::Real>) {
        self.backend.adjoint(&self.problem, state);
        state.duals.copy_from(&state.credit);
        state.current = state.front == self.problem.network.hidden();
        state.front = 0;
    }

    /// The credit of the (z, λ) that inference ends with, unless it is there already; of the samples alone,
    /// whatever a rule has done to the padding.
    pub(crate) fn settle(&self, state: &mut State<B::Real>) {
        if !state.current {
            self.credit(state, DualStep::Still);
        }
        let samples = self.samples();
        for q in &mut state.credit.layers {
            let cols = q.cols();
            q.data_mut().chunks_exact_mut(cols).for_each(|row| row[samples..].fill(B::Real::zero()));
        }
    }

    /// `gradient` ← ∂𝓛/∂z at the credit in `state`, per sample.
    pub fn activity_gradient(&self, state: &mut State<B::Real>, gradient: &mut Stack<B::Real>) {
        self.backend.pull(&self.problem, state, gradient);
        self.backend.combine(B::Real::one(), &state.credit, -B::Real::one(), gradient);
    }

    /// `residuals` ← c at the current activities.
    pub fn residuals(&self, state: &mut State<B::Real>, residuals: &mut Stack<B::Real>) {
        self.backend.predict(&self.problem, state, residuals);
        self.backend.combine(B::Real::one(), &state.activities, -B::Real::one(), residuals);
        self.backend.supervise(&self.problem, state);
    }

    /// `product` ← (v_l − J_l v_{l-1})_l for the hidden edges, then J_L v_{L-1}: the constraint operator C and the
    /// readout applied to a direction v, at the slopes in `state`.
    pub fn push_forward(&self, state: &mut State<B::Real>, direction: &Stack<B::Real>, product: &mut Stack<B::Real>) {
        self.backend.push(&self.problem, state, direction, product);
        self.backend.combine(B::Real::one(), direction, -B::Real::one(), product);
    }

    /// `gradient` ← the weight gradient at the credit in `state`, a mean over the block's samples.
    pub fn weight_gradient(&self, state: &State<B::Real>, gradient: &mut Gradient<B::Real>) {
        let weight = B::Real::of(1.0 / self.samples() as f64);
        for (edge, out) in gradient.edges.iter_mut().enumerate() {
            out.fill(B::Real::zero());
            self.backend.weight_gradient(&self.problem, state, edge, weight, out);
        }
    }

    /// The energies of the current state; `residuals` receives c.
    pub fn energies(&self, state: &mut State<B::Real>, residuals: &mut Stack<B::Real>) -> Energies {
        self.residuals(state, residuals);
        let samples = self.samples();
        let mut sum = Energies {
            loss: self.problem.objective.loss().total(&state.output, &self.problem.block.target, samples),
            ..Energies::default()
        };
        for (l, c) in residuals.layers.iter().enumerate() {
            let norm = c.norm_squared(samples);
            sum.residual_norm_squared += norm;
            sum.residual += 0.5 * self.problem.objective.penalty(l).wide() * norm;
            for i in 0..c.rows() {
                let pairs = c.row(i)[..samples].iter().zip(state.duals.layers[l].row(i));
                sum.dual += pairs.map(|(c, lambda)| c.wide() * lambda.wide()).sum::<f64>();
            }
        }
        sum
    }
}
