//! Predictive coding with predictions, slopes and output error frozen at the forward pass \[FRM app. A.2\].
//!
//! Then q_l = E'(z_l − z̄_l), z_l ← z_l − η(q_l − J̄_{l+1}ᵀ q_{l+1}) and q_L = −∂ℓ_Π/∂o stays: a nilpotent map beside
//! (1 − ηΠ) I, whose fixed point is BP's adjoint for any precision, stable iff 0 < ηλ_max(Π) < 2 whatever the weights.
//! With Π = p I the credit of layer l after T steps is P(Bin(T, ηp) ≥ L − l) times BP's, exactly; with ηp = 1 it is BP's
//! after L − l steps.

use super::{CHECK_EVERY, Rule, RuleSettings, beside::keep_as_duals, positive};
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
    tolerance: Option<R>,
}

impl<R: Real> FixedPrediction<R> {
    /// With the budget, η and tolerance of `settings`.
    ///
    /// # Errors
    /// If η or the tolerance is not a positive number or the budget 0.
    pub fn new(settings: &RuleSettings) -> Result<Self, Error> {
        let (budget, tolerance) = (settings.positive_budget()?, settings.positive_tolerance()?);
        Ok(FixedPrediction { eta: positive("eta", settings.eta)?, budget, tolerance })
    }
}

/// z̄, the forward pass, among what the rule keeps.
const FORWARD: usize = 0;
/// A buffer.
const GRADIENT: usize = 1;

impl<B: Backend> Rule<B> for FixedPrediction<B::Real> {
    fn name(&self) -> &str {
        "fixed-prediction"
    }

    /// The forward pass; then a buffer for the gradient that a tolerance is held against.
    fn memory(&self) -> usize {
        1 + usize::from(self.tolerance.is_some())
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

    fn terminate(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, cycles: usize) -> Option<Stop> {
        if cycles >= self.budget {
            return Some(Stop::Budget);
        }
        let tolerance = self.tolerance.filter(|_| cycles > 0 && cycles.is_multiple_of(CHECK_EVERY))?;
        lagrangian.credit_beside(state, DualStep::Still, FORWARD);
        let mut gradient = state.memory.swap_remove(GRADIENT);
        lagrangian.activity_gradient(state, &mut gradient);
        let largest = lagrangian.largest(&gradient);
        state.memory.push(gradient);
        (largest <= tolerance).then_some(Stop::Converged)
    }

    fn settle(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        keep_as_duals(lagrangian, state, FORWARD);
    }
}
