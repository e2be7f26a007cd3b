//! Predictive coding with predictions, slopes and output error frozen at the forward pass \[FRM app. A.2\].
//!
//! Then q_l = E'(z_l − z̄_l), z_l ← z_l − η(q_l − J̄_{l+1}ᵀ q_{l+1}) and q_L = −∂ℓ_Π/∂o stays: a nilpotent map beside
//! (1 − ηΠ) I, whose fixed point is BP's adjoint for any precision, stable iff 0 < ηλ_max(Π) < 2 whatever the weights.
//! With Π = p I the credit of layer l after T steps is P(Bin(T, ηp) ≥ L − l) times BP's, exactly; with ηp = 1 it is BP's
//! after L − l steps.

use super::{Rule, RuleSettings, beside::keep_as_duals, positive};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    real::Real,
    state::State,
};

/// T steps beside the forward pass; the credit that they end with becomes the duals there.
#[derive(Clone, Debug)]
pub struct FixedPrediction<R> {
    eta: R,
    budget: usize,
}

impl<R: Real> FixedPrediction<R> {
    /// With the budget and η of `settings`.
    ///
    /// # Errors
    /// If η is not a positive number or the budget 0.
    pub fn new(settings: &RuleSettings) -> Result<Self, Error> {
        if settings.budget == 0 {
            return Err(Error::setting("budget", "0 inference steps; at least 1 is needed"));
        }
        Ok(FixedPrediction { eta: positive("eta", settings.eta)?, budget: settings.budget })
    }
}

/// z̄, the forward pass, among what the rule keeps.
const FORWARD: usize = 0;

impl<B: Backend> Rule<B> for FixedPrediction<B::Real> {
    fn name(&self) -> &str {
        "fixed-prediction"
    }

    fn memory(&self) -> usize {
        1
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        lagrangian.copy(&state.activities, &mut state.memory[FORWARD]);
        Ok(())
    }

    fn step(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, _at: Step) {
        lagrangian.credit_beside(state, DualStep::Still, FORWARD);
        lagrangian.descend(state, self.eta);
    }

    fn terminate(&self, _lagrangian: &Lagrangian<B>, _state: &mut State<B>, cycles: usize) -> Option<Stop> {
        (cycles >= self.budget).then_some(Stop::Budget)
    }

    fn settle(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        keep_as_duals(lagrangian, state, FORWARD);
    }
}
