//! Predictive coding read as its first wave passes: Z-IL \[FRM app. A.2, after Song et al. 2020\].
//!
//! From the forward pass the first activity step moves layer L − 1 alone, the next L − 2 too, and so on, and the first
//! credit that layer l has, after L − l steps, is (ηρ)^{L−l} times BP's: BP's own with η = ρ = 1, in exact arithmetic.
//! So the gradient of W_L is read at the start, that of W_l after step L − l, from the credit and the activities as they
//! are then; those below are still at the forward pass.

use super::{Rule, RuleSettings, positive};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    network::Network,
    objective::Objective,
    real::Real,
    state::State,
};

/// L − 1 steps of predictive coding; each layer's first credit becomes its dual at the forward pass.
#[derive(Clone, Debug)]
pub struct FirstStep<R> {
    eta: R,
    any_step: bool,
}

impl<R: Real> FirstStep<R> {
    /// With the η of `settings`; another than 1 only where `any_step` says so.
    ///
    /// # Errors
    /// If η is not a positive number.
    pub fn new(settings: &RuleSettings) -> Result<Self, Error> {
        Ok(FirstStep { eta: positive("eta", settings.eta)?, any_step: settings.any_step })
    }
}

/// The credit of each layer when it was first there, among what the rule keeps.
const FIRST: usize = 0;

impl<B: Backend> Rule<B> for FirstStep<B::Real> {
    fn name(&self) -> &str {
        "first-step"
    }

    fn memory(&self) -> usize {
        1
    }

    fn fits(&self, network: &Network<B::Real>, objective: &Objective<B::Real>) -> Result<(), Error> {
        if network.as_chain().is_none() {
            let problem =
                "its edges join other nodes than neighbours; first-step reads a wave that passes them in turn";
            return Err(Error::Network(problem.into()));
        }
        let one = B::Real::of(1.0);
        let unit = |l| objective.penalty(l).is_none_or(|p| p.rho().is_some_and(|rho| self.eta * rho == one));
        match (0..network.hidden()).find(|&l| !unit(l)) {
            Some(l) if !self.any_step => Err(Error::setting(
                "eta",
                format!(
                    "ηρ of layer {} is not 1 (η = {}): the credit read there is (ηρ)^(L − l) times BP's; take η = ρ = 1, \
                     or ask for it with any-step",
                    l + 1,
                    self.eta
                ),
            )),
            _ => Ok(()),
        }
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        Ok(())
    }

    fn step(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, at: Step) {
        self.read(lagrangian, state, at.cycle);
        lagrangian.descend(state, self.eta);
    }

    fn terminate(&self, lagrangian: &Lagrangian<B>, _state: &mut State<B>, cycles: usize) -> Option<Stop> {
        (cycles >= lagrangian.problem().network.hidden()).then_some(Stop::Converged)
    }

    fn settle(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        self.read(lagrangian, state, lagrangian.problem().network.hidden());
        lagrangian.forward(state);
        lagrangian.copy(&state.memory[FIRST], &mut state.duals);
        state.touch();
    }
}

impl<R: Real> FirstStep<R> {
    /// The credit at the current activities, of which that of the layer the wave has just reached is kept.
    fn read<B: Backend<Real = R>>(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, steps: usize) {
        lagrangian.credit(state, DualStep::Still);
        // After no step it has only reached the output.
        if let Some(layer) = lagrangian.problem().network.depth().checked_sub(steps + 1).filter(|_| steps > 0) {
            lagrangian.copy_layer(&state.credit, &mut state.memory[FIRST], layer);
        }
    }
}
