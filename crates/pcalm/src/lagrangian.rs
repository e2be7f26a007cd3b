//! The augmented Lagrangian of one block of samples (docs/maths.md §3–5).
//!
//! 𝓛_ρ = ℓ + Σ λ_lᵀ c_l + ½ Σ ρ_l ‖c_l‖² \[ALM eq. 5, 9\], with c_l = z_l − f_l(z_{l-1}), or with precisions and
//! other energies ℓ_Π + Σ λ_lᵀ c_l + Σ E_l(c_l). A rule
//! chooses (z, λ); everything else is read from here, in the equations below, once for every backend:
//!
//! | | |
//! | --- | --- |
//! | residual | c = z − f |
//! | credit | q = λ + E'(c), which is λ + ρc without precisions; q_L = −∂ℓ_Π/∂o at the output |
//! | activity gradient | ∂𝓛/∂z = q − Jᵀq |
//! | constraint operator | C v = v − J v, with the readout J_L v |
//!
//! There is no loop over inference steps in this module.

pub use crate::dual_step::DualStep;
use crate::{
    backend::{Backend, Problem, Samples},
    error::Error,
    gradient::Gradient,
    network::Network,
    objective::{End, Objective},
    real::Real,
    stack::{Stack, nan_max},
    state::State,
    work::Work,
};
use num_traits::{One, Zero};
use std::{
    borrow::Cow,
    ops::Range,
    sync::atomic::{AtomicBool, Ordering},
};

/// One block's Lagrangian on a backend: shapes checked once, then equations over all layers. All layers of one read
/// the state as it was before (Jacobi). Whoever looks at a stack looks through it, wherever the numbers are.
#[derive(Debug)]
pub struct Lagrangian<'a, B: Backend> {
    backend: &'a B,
    problem: Problem<'a, B>,
    /// Of one product on every dense edge that does not leave the input.
    products: Work,
    interrupt: Option<&'a AtomicBool>,
}

/// Scalars of a state, summed over the samples of a block.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Energies {
    /// Σ ℓ_Π: the loss as it is weighed.
    pub loss: f64,
    /// Σ ℓ, which is ℓ_Π where the output's precision is 1.
    pub plain_loss: f64,
    /// Σ Σ_l E_l(c_l), the residual energy Ẽ \[FRM eq. 12\].
    pub residual: f64,
    /// Σ Σ_l λ_lᵀ c_l.
    pub dual: f64,
    /// Σ Σ_l ‖c_l‖².
    pub residual_norm_squared: f64,
}

impl Energies {
    /// The PC energy F = ℓ_Π + Ẽ \[ALM eq. 2\].
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
        self.plain_loss += other.plain_loss;
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
        block: &'a B::Block,
        objective: &'a Objective<B::Real>,
    ) -> Result<Self, Error> {
        Lagrangian::of(backend, Problem { network, weights: backend.weights(network), block, objective })
    }

    /// The Lagrangian of a problem whose weights are where the backend has them.
    ///
    /// # Errors
    /// As [`new`](Self::new).
    pub fn of(backend: &'a B, problem: Problem<'a, B>) -> Result<Self, Error> {
        let Problem { network, block, objective, .. } = problem;
        if (block.inputs(), block.targets()) != (network.inputs(), network.outputs()) {
            return Err(Error::Batch(format!(
                "inputs and targets of widths {} and {} for a network from {} to {} units",
                block.inputs(),
                block.targets(),
                network.inputs(),
                network.outputs()
            )));
        }
        objective.fits(network)?;
        let products = products(network, false, block.samples());
        Ok(Lagrangian { backend, problem, products, interrupt: None })
    }

    /// The same, with iterations that stop early once `flag` is raised.
    pub fn interruptible(self, flag: &'a AtomicBool) -> Self {
        Lagrangian { interrupt: Some(flag), ..self }
    }

    /// Whether the flag is raised: whoever iterates asks before each step.
    pub fn interrupted(&self) -> bool {
        self.interrupt.is_some_and(|flag| flag.load(Ordering::Relaxed))
    }

    /// The backend.
    pub fn backend(&self) -> &'a B {
        self.backend
    }

    /// The fixed parts: network, block and objective.
    pub fn problem(&self) -> &Problem<'a, B> {
        &self.problem
    }

    /// Samples in the block.
    pub fn samples(&self) -> usize {
        self.problem.block.samples()
    }

    /// z ← forward pass, λ ← 0.
    pub fn forward(&self, state: &mut State<B>) {
        self.backend.forward(&self.problem, &mut state.activities, &mut state.memo);
        self.backend.supervise(&self.problem, &state.memo, &mut state.credit);
        self.backend.clear(&mut state.duals);
        state.work += self.products;
        state.front = self.problem.network.hidden();
        state.current = false;
    }

    /// The dual step, then q = λ + E'(c), at the current activities.
    pub fn credit(&self, state: &mut State<B>, dual_step: DualStep<B::Real>) {
        let State { activities, duals, credit, memo, .. } = state;
        self.backend.predict(&self.problem, activities, memo, credit);
        self.backend.weigh(&self.problem, activities, (duals, credit), memo, dual_step);
        self.backend.supervise(&self.problem, memo, credit);
        state.work += self.products;
        state.current = true;
    }

    /// q = λ + E'(c) at the current activities with `residuals` ← c, of one prediction.
    pub fn credit_and_residuals(&self, state: &mut State<B>, residuals: &mut B::Stack) {
        let State { activities, duals, credit, memo, .. } = state;
        self.backend.predict(&self.problem, activities, memo, residuals);
        self.backend.copy(residuals, credit, ALL);
        self.backend.combine(B::Real::one(), activities, -B::Real::one(), residuals);
        self.backend.weigh(&self.problem, activities, (duals, credit), memo, DualStep::Still);
        self.backend.supervise(&self.problem, memo, credit);
        state.work += self.products;
        state.current = true;
    }

    /// The dual step, then q = λ + E'(z − p), with predictions p that the rule keeps, in the stack `kept` of its memory,
    /// in the place of f(z): slopes, output and q_L stay those of the activities they were last taken at.
    pub fn credit_beside(&self, state: &mut State<B>, dual_step: DualStep<B::Real>, kept: usize) {
        let State { activities, duals, credit, memo, memory, .. } = state;
        self.backend.copy(&memory[kept], credit, ALL);
        self.backend.weigh(&self.problem, activities, (duals, credit), memo, dual_step);
        state.current = false;
    }

    /// z ← z − η ∂𝓛/∂z at the credit that was last taken.
    pub fn descend(&self, state: &mut State<B>, eta: B::Real) {
        self.move_by(state, eta, false);
    }

    /// z ← z − η Π⁻¹ ∂𝓛/∂z: the same equilibrium, by steps that no precision of a hidden layer stiffens (FRM eq. 6
    /// divided by Π_l).
    pub fn descend_preconditioned(&self, state: &mut State<B>, eta: B::Real) {
        self.move_by(state, eta, true);
    }

    fn move_by(&self, state: &mut State<B>, eta: B::Real, preconditioned: bool) {
        let State { activities, credit, memo, gradient, .. } = state;
        self.gradient_at(memo, credit, gradient);
        if preconditioned {
            self.backend.precondition(&self.problem, gradient, memo);
        }
        self.backend.combine(-eta, gradient, B::Real::one(), activities);
        state.work += self.products;
        (state.front, state.current) = (0, false);
    }

    /// [`credit`](Self::credit), then [`descend`](Self::descend), as fast as the backend can.
    pub fn cycle(&self, state: &mut State<B>, dual_step: DualStep<B::Real>, eta: B::Real) {
        match self.backend.fused(&self.problem, state.moving(), dual_step, eta) {
            Some(work) => {
                state.work += work;
                state.current = false;
            }
            None => {
                self.credit(state, dual_step);
                self.descend(state, eta);
            }
        }
    }

    /// λ ← the BP adjoints at the current activities; at the forward pass, with c = 0, they are the credit.
    pub fn adjoint(&self, state: &mut State<B>) {
        self.backend.adjoint(&self.problem, &mut state.credit, &mut state.memo);
        self.backend.copy(&state.credit, &mut state.duals, ALL);
        state.work += self.products;
        state.current = state.front == self.problem.network.hidden();
        state.front = 0;
    }

    /// The credit of the (z, λ) that inference ends with, unless it is there already; of the samples alone,
    /// whatever a rule has done to the padding.
    pub(crate) fn settle(&self, state: &mut State<B>) {
        if !state.current {
            self.credit(state, DualStep::Still);
        }
        self.backend.trim(&mut state.credit, self.samples());
    }

    /// `gradient` ← ∂𝓛/∂z at the credit in `state`, per sample.
    pub fn activity_gradient(&self, state: &mut State<B>, gradient: &mut B::Stack) {
        self.gradient_at(&mut state.memo, &state.credit, gradient);
        state.work += self.products;
    }

    /// `gradient` ← q − Jᵀq.
    fn gradient_at(&self, memo: &mut B::Memo, credit: &B::Stack, gradient: &mut B::Stack) {
        self.backend.pull(&self.problem, memo, credit, gradient);
        self.backend.combine(B::Real::one(), credit, -B::Real::one(), gradient);
    }

    /// `residuals` ← c at the current activities.
    pub fn residuals(&self, state: &mut State<B>, residuals: &mut B::Stack) {
        let State { activities, memo, credit, .. } = state;
        self.backend.predict(&self.problem, activities, memo, residuals);
        self.backend.combine(B::Real::one(), activities, -B::Real::one(), residuals);
        self.backend.supervise(&self.problem, memo, credit);
        state.work += self.products;
    }

    /// `product` ← (v_l − J_l v_{l-1})_l for the hidden edges, then J_L v_{L-1}: the constraint operator C and the
    /// readout applied to a direction v, at the slopes in `state`.
    pub fn push_forward(&self, state: &mut State<B>, direction: &B::Stack, product: &mut B::Stack) {
        self.backend.push(&self.problem, &mut state.memo, direction, product);
        self.backend.combine(B::Real::one(), direction, -B::Real::one(), product);
        state.work += self.products;
    }

    /// z ← z + β(z − p), where the stack `kept` of the rule's memory holds p and then z as it was.
    pub fn extrapolate(&self, state: &mut State<B>, beta: B::Real, kept: usize) {
        let extent = (state.front, self.samples());
        self.backend.extrapolate(beta, &mut state.activities, &mut state.memory[kept], extent);
    }

    /// `y` ← a x + b y, over the layers that both have.
    pub fn combine(&self, a: B::Real, x: &B::Stack, b: B::Real, y: &mut B::Stack) {
        self.backend.combine(a, x, b, y);
    }

    /// `y` ← x, of one 0-based layer.
    pub fn copy_layer(&self, x: &B::Stack, y: &mut B::Stack, layer: usize) {
        self.backend.copy(x, y, layer..layer + 1);
    }

    /// `y` ← x, over the layers that both have.
    pub fn copy(&self, x: &B::Stack, y: &mut B::Stack) {
        self.backend.copy(x, y, ALL);
    }

    /// max |v| over the hidden layers; NaN if a number is not finite.
    pub fn largest(&self, stack: &B::Stack) -> B::Real {
        (0..self.problem.network.hidden()).map(|l| self.backend.largest(stack, l)).fold(B::Real::zero(), nan_max)
    }

    /// ⟨x, y⟩ of each sample over all layers.
    pub fn inner(&self, x: &B::Stack, y: &B::Stack) -> Vec<f64> {
        self.backend.inner(x, y, self.samples())
    }

    /// The numbers of a stack, to be looked at.
    pub fn read<'s>(&self, stack: &'s B::Stack) -> Cow<'s, Stack<B::Real>> {
        self.backend.read(stack)
    }

    /// Σ ℓ over the samples at the output in `state`.
    pub fn loss(&self, state: &State<B>) -> f64 {
        let (output, target) = (self.backend.output(&state.memo), self.backend.target(self.problem.block));
        self.problem.objective.loss().total(&output, &target, self.samples())
    }

    /// `gradient` ← the weight gradient at the credit in `state`, a mean over the block's samples.
    pub fn weight_gradient(&self, state: &State<B>, gradient: &mut Gradient<B::Real>) {
        let weight = B::Real::of(1.0 / self.samples() as f64);
        for (out, &edge) in gradient.edges.iter_mut().zip(self.problem.network.dense_edges()) {
            out.fill(B::Real::zero());
            let at = (&state.activities, &state.credit, &state.memo);
            self.backend.weight_gradient(&self.problem, at, edge, weight, out);
        }
    }

    /// The energies of the current state; `residuals` receives c.
    pub fn energies(&self, state: &mut State<B>, residuals: &mut B::Stack) -> Energies {
        self.residuals(state, residuals);
        self.energies_at(state, residuals)
    }

    /// The same where c and the output are at hand.
    pub fn energies_at(&self, state: &State<B>, residuals: &B::Stack) -> Energies {
        let samples = self.samples();
        let held = self.problem.objective.output() == End::Held;
        let mut sum = Energies::default();
        if held {
            let (output, target) = (self.backend.output(&state.memo), self.backend.target(self.problem.block));
            sum.loss = self.problem.objective.total_loss(&output, &target, samples);
            sum.plain_loss = self.loss(state);
        }
        let (residuals, duals) = (self.read(residuals), self.read(&state.duals));
        for (l, c) in residuals.layers.iter().enumerate() {
            let norm = c.norm_squared(samples);
            sum.residual_norm_squared += norm;
            sum.residual += self.problem.objective.penalty(l).map_or(0.0, |penalty| penalty.energy(c, samples));
            for i in 0..c.rows() {
                let pairs = c.row(i)[..samples].iter().zip(duals.layers[l].row(i));
                sum.dual += pairs.map(|(c, lambda)| c.wide() * lambda.wide()).sum::<f64>();
            }
        }
        sum
    }
}

/// Every layer.
const ALL: Range<usize> = 0..usize::MAX;

/// One product on every dense edge that leaves the input, or on every other.
pub(crate) fn products<R: Real>(network: &Network<R>, from_input: bool, samples: usize) -> Work {
    let mut work = Work::default();
    for edge in network.edges().iter().filter(|edge| (edge.from == 0) == from_input) {
        if let Some(dense) = edge.dense() {
            work.count(dense.rows(), dense.cols(), samples);
        }
    }
    work
}
