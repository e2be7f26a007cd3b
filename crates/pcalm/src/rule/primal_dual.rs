//! PC, PC-ALM and the method of multipliers as one primal–dual loop.
//!
//! Each cycle is a dual step λ += αc followed by activity steps z −= η ∂𝓛/∂z. The first dual
//! step finds c = 0 at the forward pass and does nothing, so T cycles visit bit for bit the
//! states of \[ALM alg. 1\], whose T activity steps have T − 1 dual steps between them; and
//! α = 0 is PC, bit for bit.
//!
//! Activity steps may have Nesterov's momentum β: the gradient step is taken from
//! y = z + β(z − z before the last step) \[Nesterov 2004, scheme 2.2.11\]. On a quadratic energy with
//! eigenvalues h the stable range shrinks from ηh < 2 to ηh < 2(1 + β)/(1 + 2β): the roots θ of
//! θ² − (1 + β)(1 − ηh)θ + β(1 − ηh) lie inside the unit circle exactly there (Jury).

use super::{CHECK_EVERY, Rule, RuleSettings, positive};
use crate::{
    backend::Backend,
    error::{Error, Refusal},
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    real::Real,
    state::State,
};
use num_traits::Zero;

/// Which duals the credit q = λ + ρc of the weight gradient is read with.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Credit {
    /// The duals before the last dual step, as in \[ALM alg. 1\].
    #[default]
    PreDual,
    /// One more dual step at the final activities first.
    PostDual,
}

impl Credit {
    /// Both timings, for lists and tests.
    pub const ALL: &'static [Credit] = &[Credit::PreDual, Credit::PostDual];

    /// The name used in flags.
    pub fn name(self) -> &'static str {
        match self {
            Credit::PreDual => "pre-dual",
            Credit::PostDual => "post-dual",
        }
    }

    /// The timing of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|c| c.name() == name)
    }
}

/// The activity part of a cycle.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Inner<R> {
    /// K gradient steps.
    Steps(usize),
    /// Gradient steps until ‖∂𝓛/∂z‖_∞ ≤ `tolerance`, at most `limit`.
    Solve {
        /// Largest gradient entry left.
        tolerance: R,
        /// Steps after which the solve gives up.
        limit: usize,
    },
}

/// T cycles of a dual step and activity steps, from the forward pass.
#[derive(Clone, Debug)]
pub struct PrimalDual<R> {
    name: &'static str,
    eta: R,
    dual_step: DualStep<R>,
    /// β of the activity steps; 0 for none.
    momentum: R,
    inner: Inner<R>,
    budget: usize,
    tolerance: Option<R>,
    credit: Credit,
    /// Whether steps are divided by Π.
    precondition: bool,
}

impl<R: Real> PrimalDual<R> {
    /// Predictive coding \[ALM eq. 4\]: no duals, T activity steps, or fewer with a tolerance.
    pub fn predictive_coding(settings: &RuleSettings) -> Result<Self, Error> {
        Self::new("pc", settings, DualStep::Still, Inner::Steps(1), Credit::PreDual)
    }

    /// Predictive coding with Nesterov's momentum β in its activity steps.
    pub fn accelerated(settings: &RuleSettings) -> Result<Self, Error> {
        if !(0.0..1.0).contains(&settings.nesterov) {
            return Err(Error::setting("nesterov", format!("{} does not lie in [0, 1)", settings.nesterov)));
        }
        let plain = Self::predictive_coding(settings)?;
        Ok(PrimalDual { name: "pc-nesterov", momentum: R::of(settings.nesterov), ..plain })
    }

    /// PC-ALM \[ALM alg. 1\]: T cycles of one dual step of size α and K activity steps.
    pub fn augmented(settings: &RuleSettings) -> Result<Self, Error> {
        if !(settings.alpha.is_finite() && settings.alpha >= 0.0) {
            return Err(Error::setting("alpha", format!("{} is not a number of at least 0", settings.alpha)));
        }
        if settings.inner_steps == 0 {
            return Err(Error::setting("inner-steps", "0 activity steps per cycle; at least 1 is needed"));
        }
        let alpha = DualStep::Along(R::of(settings.alpha));
        Self::new("pc-alm", settings, alpha, Inner::Steps(settings.inner_steps), settings.credit)
    }

    /// The method of multipliers \[ALM eq. 6\]: T cycles of λ += E'(c), which is ρc without precisions, and a solve in z.
    pub fn multipliers(settings: &RuleSettings) -> Result<Self, Error> {
        let tolerance = positive("inner-tolerance", settings.inner_tolerance)?;
        let inner = Inner::Solve { tolerance, limit: settings.inner_limit };
        Self::new("mm", settings, DualStep::Penalty, inner, settings.credit)
    }

    fn new(
        name: &'static str,
        settings: &RuleSettings,
        dual_step: DualStep<R>,
        inner: Inner<R>,
        credit: Credit,
    ) -> Result<Self, Error> {
        let (budget, tolerance) = (settings.positive_budget()?, settings.positive_tolerance()?);
        let eta = positive("eta", settings.eta)?;
        Ok(PrimalDual {
            name,
            eta,
            dual_step,
            momentum: R::zero(),
            inner,
            budget,
            tolerance,
            credit,
            precondition: settings.precondition,
        })
    }

    fn has_momentum(&self) -> bool {
        self.momentum > R::zero()
    }

    /// Whether it ever looks at the gradient's size.
    fn looks(&self) -> bool {
        self.tolerance.is_some() || matches!(self.inner, Inner::Solve { .. })
    }

    /// max |∂𝓛/∂z| and max |c| at the current (z, λ).
    fn stationarity<B: Backend<Real = R>>(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> (R, R) {
        let mut look = state.memory.swap_remove(usize::from(self.has_momentum()));
        lagrangian.residuals(state, &mut look);
        let residual = lagrangian.largest(&look);
        lagrangian.credit(state, DualStep::Still);
        lagrangian.activity_gradient(state, &mut look);
        let gradient = lagrangian.largest(&look);
        state.memory.push(look);
        (gradient, residual)
    }
}

impl<B: Backend> Rule<B> for PrimalDual<B::Real> {
    fn name(&self) -> &str {
        self.name
    }

    /// z before the last step, for momentum; then a buffer for the gradient that tolerances are held against.
    fn memory(&self) -> usize {
        usize::from(self.has_momentum()) + usize::from(self.looks())
    }

    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        if self.has_momentum() {
            lagrangian.copy(&state.activities, &mut state.memory[0]);
        }
        Ok(())
    }

    fn step(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, at: Step) {
        if self.has_momentum() {
            lagrangian.extrapolate(state, self.momentum, 0);
        }
        let dual_step = if at.inner == 0 { self.dual_step } else { DualStep::Still };
        if self.precondition {
            lagrangian.credit(state, dual_step);
            lagrangian.descend_preconditioned(state, self.eta);
        } else {
            lagrangian.cycle(state, dual_step, self.eta);
        }
    }

    fn completes(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, at: Step) -> bool {
        match self.inner {
            Inner::Steps(count) => at.inner + 1 >= count,
            Inner::Solve { tolerance, limit } => {
                at.inner + 1 >= limit
                    || at.inner.is_multiple_of(CHECK_EVERY) && self.stationarity(lagrangian, state).0 <= tolerance
            }
        }
    }

    fn terminate(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>, cycles: usize) -> Option<Stop> {
        if cycles >= self.budget {
            return Some(Stop::Budget);
        }
        let tolerance = self.tolerance?;
        // A cycle that solves costs far more than a look; single steps are looked at rarely.
        let due = matches!(self.inner, Inner::Solve { .. }) || cycles.is_multiple_of(CHECK_EVERY);
        if cycles == 0 || !due {
            return None;
        }
        let (gradient, residual) = self.stationarity(lagrangian, state);
        let has_duals = self.dual_step != DualStep::Still && self.dual_step != DualStep::Along(B::Real::zero());
        let converged = gradient <= tolerance && (!has_duals || residual <= tolerance);
        converged.then_some(Stop::Converged)
    }

    fn settle(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        if self.credit == Credit::PostDual {
            lagrangian.credit(state, self.dual_step);
        }
    }
}
