//! Learning rules: how each chooses activities z and duals λ (docs/maths.md §5).
//!
//! A rule is one file here and one line in [`rules`]; the Lagrangian turns its (z, λ) into
//! credit and weight gradients, the same way for every rule.

#[cfg(feature = "theory")]
mod aim;
mod backprop;
mod beside;
#[cfg(feature = "theory")]
mod difference_target_propagation;
#[cfg(feature = "theory")]
mod equilibrium;
mod first_step;
mod fixed_prediction;
mod primal_dual;
#[cfg(feature = "theory")]
mod target_propagation;
mod target_top;

#[cfg(feature = "theory")]
pub use aim::{TARGET_RULES, TargetFacts, target_facts};
pub use backprop::Backprop;
#[cfg(feature = "theory")]
pub use difference_target_propagation::DifferenceTargetPropagation;
#[cfg(feature = "theory")]
pub use equilibrium::Equilibrium;
pub use first_step::FirstStep;
pub use fixed_prediction::FixedPrediction;
pub use primal_dual::{Credit, Inner, PrimalDual};
#[cfg(feature = "theory")]
pub use target_propagation::TargetPropagation;
pub use target_top::TargetTop;

pub use crate::decoder::Decoder;
pub use crate::infer::Rule;
use crate::{backend::Backend, error::Error, network::Dense, real::Real};
use std::sync::Arc;

/// Everything a rule can be asked for; each takes what it needs. The penalties ρ_l are the
/// [objective](crate::objective::Objective)'s.
///
/// | field | symbol | default | range | what it is |
/// | --- | --- | --- | --- | --- |
/// | `budget` | T | 2 | ≥ 1 | cycles; 2L crosses a network of depth L |
/// | `eta` | η | ¼ | > 0, stable below [the bound](crate::theory::stability_bound) | activity step |
/// | `alpha` | α | 1 | ≥ 0; 0 is `pc` | dual step of `pc-alm` |
/// | `inner_steps` | K | 1 | ≥ 1 | activity steps per cycle of `pc-alm` |
/// | `nesterov` | β | 0.9 | \[0, 1) | momentum of `pc-nesterov` |
/// | `credit` | | before the last dual step | | which duals `pc-alm` and `mm` end with |
/// | `tolerance` | | none | > 0 | ends inference before its budget |
/// | `inner_tolerance` | | 10⁻⁶ | > 0 | how far `mm` solves |
/// | `inner_limit` | | 10 000 | ≥ 1 | steps of such a solve at most |
/// | `precondition` | | no | | activity steps are divided by Π |
/// | `any_step` | | no | | `first-step` also with ηρ ≠ 1 |
/// | `clip` | δ | none | (0, ½) | targets are clipped to φ's range less δ before φ⁻¹, not refused |
/// | `nearest` | | no | | of all states that a layer takes to its target, `target-propagation` takes the nearest |
/// | `top` | | `target` | | what `difference-target-propagation` starts from |
/// | `beta` | β | 1; 0.1 from a gradient | > 0 | how far the first target of target propagation is from the forward pass |
/// | `decoder` | g | `linear` | | how `difference-target-propagation` takes a target down |
/// | `difference` | | yes | | whether it corrects for the forward pass |
/// | `backward` | B_2 … B_L | V_lᵀ | | its backward weights |
#[derive(Clone, Debug, PartialEq)]
pub struct RuleSettings {
    /// Inference budget T in cycles (a cycle: a dual step, then K activity steps or a solve).
    pub budget: usize,
    /// Activity step size η.
    pub eta: f64,
    /// Dual step size α of PC-ALM.
    pub alpha: f64,
    /// Activity steps K per cycle of PC-ALM.
    pub inner_steps: usize,
    /// Momentum β of pc-nesterov's activity steps.
    pub nesterov: f64,
    /// When PC-ALM's credit is read.
    pub credit: Credit,
    /// Stop before the budget once ‖∂𝓛/∂z‖_∞ (and, with duals, ‖c‖_∞) is at most this.
    pub tolerance: Option<f64>,
    /// ‖∂𝓛/∂z‖_∞ to which the method of multipliers solves each activity step.
    pub inner_tolerance: f64,
    /// Activity steps after which one such solve gives up.
    pub inner_limit: usize,
    /// Whether `pc`, `pc-nesterov`, `pc-alm` and `mm` step by η Π⁻¹ ∂𝓛/∂z: the same equilibrium, and no hidden
    /// precision makes it stiff.
    pub precondition: bool,
    /// Whether `first-step` takes steps with ηρ ≠ 1, where the credit of layer l is (ηρ)^{L−l} times BP's.
    pub any_step: bool,
    /// How far from the ends of φ's range (δ) what φ⁻¹ is asked for is clipped to by `target-propagation` and the decoder
    /// `inverse`; without it, they refuse samples whose targets are outside.
    pub clip: Option<f64>,
    /// Whether `target-propagation` takes, of all states that a layer takes to its target, the one nearest to the forward
    /// pass and not the smallest.
    pub nearest: bool,
    /// What `difference-target-propagation` starts from.
    pub top: TargetTop,
    /// How far the first target is from the forward pass, on the way to y or against the loss's gradient (β).
    pub beta: Option<f64>,
    /// How `difference-target-propagation` takes a target down a layer.
    pub decoder: Decoder,
    /// Whether it corrects what the decoder makes of a target by what it makes of the forward pass.
    pub difference: bool,
    /// Its backward weights B_2 … B_L, the input side's first, `[n_{l−1}, n_l]` and without activation or bias; V_lᵀ if
    /// there are none, where V has the skip in it.
    pub backward: Option<Arc<Vec<Dense<f64>>>>,
}

impl Default for RuleSettings {
    fn default() -> Self {
        RuleSettings {
            budget: 2,
            eta: 0.25,
            alpha: 1.0,
            inner_steps: 1,
            nesterov: 0.9,
            credit: Credit::PreDual,
            tolerance: None,
            inner_tolerance: 1e-6,
            inner_limit: 10_000,
            precondition: false,
            any_step: false,
            clip: None,
            nearest: false,
            top: TargetTop::Target,
            beta: None,
            decoder: Decoder::Linear,
            difference: true,
            backward: None,
        }
    }
}

/// Looking at the gradient's size costs a step's products, so solves and tolerances look at it only this often.
const CHECK_EVERY: usize = 8;

impl RuleSettings {
    /// T, of a rule that has to have one.
    fn positive_budget(&self) -> Result<usize, Error> {
        match self.budget {
            0 => Err(Error::setting("budget", "0 inference steps; at least 1 is needed")),
            budget => Ok(budget),
        }
    }

    /// The tolerance, if there is one.
    fn positive_tolerance<R: Real>(&self) -> Result<Option<R>, Error> {
        self.tolerance.map(|tolerance| positive("tolerance", tolerance)).transpose()
    }
}

/// A rule chosen at run time.
pub type BoxedRule<B> = Box<dyn Rule<B>>;

/// What there is to know of a rule before it is made.
#[derive(Clone, Copy, Debug)]
pub struct RuleFacts {
    /// The name used in files, flags and reports.
    pub name: &'static str,
    /// What the rule does, in one line.
    pub summary: &'static str,
    /// Paper and equation.
    pub source: &'static str,
    /// Whether inference iterates with a step size η (false: a closed form).
    pub iterative: bool,
    /// Whether its activity steps have momentum β, to be tuned from κ.
    pub accelerated: bool,
    /// The dual step size whose stability bound is the rule's, where the largest ρ is the second argument.
    pub dual_step: fn(&RuleSettings, f64) -> f64,
    /// What the automatic η comes from, and what bounds it.
    pub pace: Pace,
}

/// What decides how large η may be.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Pace {
    /// The Hessian of F in the activities: 1/λ_max(H).
    #[default]
    Curvature,
    /// The precisions alone, as predictions do not move: 1/λ_max(Π).
    Precision,
    /// It is 1: what the rule reads is another thing with any other.
    One,
}

impl RuleFacts {
    /// Of a rule that iterates in the activities alone; what else it does is said by changing fields.
    pub fn new(name: &'static str, summary: &'static str) -> Self {
        RuleFacts {
            name,
            summary,
            source: "",
            iterative: true,
            accelerated: false,
            dual_step: |_, _| 0.0,
            pace: Pace::Curvature,
        }
    }
}

/// One row of the list of rules.
pub struct RuleInfo<B: Backend> {
    /// What it is.
    pub facts: RuleFacts,
    /// Makes the rule.
    pub build: Build<B>,
}

/// Makes a rule, checking the settings it uses.
pub type Build<B> = Arc<dyn Fn(&RuleSettings) -> Result<BoxedRule<B>, Error> + Send + Sync>;

/// Every rule, in the order lists, the command line and conformance tests walk them.
pub fn rules<B: Backend>() -> Vec<RuleInfo<B>> {
    vec![
        RuleInfo {
            facts: RuleFacts {
                source: "[ALM] app. A",
                iterative: false,
                ..RuleFacts::new("bp", "backpropagation: the KKT point of the Lagrangian in closed form")
            },
            build: Arc::new(|_| Ok(Box::new(Backprop))),
        },
        RuleInfo {
            facts: RuleFacts {
                source: "[ALM] eq. 4; equilibrated with a tolerance: [FRM] thm 3.4",
                ..RuleFacts::new("pc", "predictive coding: T activity steps without duals")
            },
            build: Arc::new(|s| Ok(Box::new(PrimalDual::<B::Real>::predictive_coding(s)?))),
        },
        RuleInfo {
            facts: RuleFacts {
                source: "Nesterov 2004, Introductory Lectures on Convex Optimization, scheme 2.2.11",
                accelerated: true,
                // ηh < 2(1 + β)/(1 + 2β) as ηh(2ρ + α)/ρ < 4.
                dual_step: |s, rho| 2.0 * rho * s.nesterov / (1.0 + s.nesterov),
                ..RuleFacts::new("pc-nesterov", "predictive coding with Nesterov's momentum β in its activity steps")
            },
            build: Arc::new(|s| Ok(Box::new(PrimalDual::<B::Real>::accelerated(s)?))),
        },
        RuleInfo {
            facts: RuleFacts {
                source: "[ALM] alg. 1",
                dual_step: |s, _| s.alpha,
                ..RuleFacts::new(
                    "pc-alm",
                    "augmented Lagrangian predictive coding: T cycles of a dual and K activity steps",
                )
            },
            build: Arc::new(|s| Ok(Box::new(PrimalDual::<B::Real>::augmented(s)?))),
        },
        RuleInfo {
            // Its activity steps run at a fixed λ: the bound is that of PC.
            facts: RuleFacts {
                source: "[ALM] eq. 6",
                ..RuleFacts::new("mm", "method of multipliers: each activity step solved to tolerance, then λ += ρc")
            },
            build: Arc::new(|s| Ok(Box::new(PrimalDual::<B::Real>::multipliers(s)?))),
        },
        #[cfg(feature = "theory")]
        RuleInfo {
            facts: RuleFacts {
                source: "[FRM] thm 3.4, 3.5",
                iterative: false,
                ..RuleFacts::new(
                    "pc-equilibrium",
                    "predictive coding at its equilibrium: the energy's minimum, solved for",
                )
            },
            build: Arc::new(|s| Ok(Box::new(Equilibrium::new(s)?))),
        },
        RuleInfo {
            facts: RuleFacts {
                source: "[FRM] app. A.2, eq. 27",
                pace: Pace::Precision,
                ..RuleFacts::new(
                    "fixed-prediction",
                    "predictive coding with predictions frozen at the forward pass: goes to BP's credit",
                )
            },
            build: Arc::new(|s| Ok(Box::new(FixedPrediction::<B::Real>::new(s)?))),
        },
        RuleInfo {
            facts: RuleFacts {
                source: "[FRM] app. A.2; Song et al. 2020",
                pace: Pace::One,
                ..RuleFacts::new(
                    "first-step",
                    "predictive coding read as its first wave passes (Z-IL): BP's credit after L − 1 steps of η = 1",
                )
            },
            build: Arc::new(|s| Ok(Box::new(FirstStep::<B::Real>::new(s)?))),
        },
        #[cfg(feature = "theory")]
        RuleInfo {
            facts: RuleFacts {
                source: "[FRM] eq. 3, eq. 25",
                iterative: false,
                ..RuleFacts::new(
                    "target-propagation",
                    "targets by the inverse of each layer, from y down; credit is their distance from the forward pass",
                )
            },
            build: Arc::new(|s| Ok(Box::new(TargetPropagation::new(s)?))),
        },
        #[cfg(feature = "theory")]
        RuleInfo {
            facts: RuleFacts {
                source: "[FRM] A.1.3; Lee et al. 2015",
                iterative: false,
                ..RuleFacts::new(
                    "difference-target-propagation",
                    "targets by backward weights, from y or a gradient down, corrected for what they make of the forward \
                     pass",
                )
            },
            build: Arc::new(|s| Ok(Box::new(DifferenceTargetPropagation::new(s)?))),
        },
    ]
}

/// The listed rule of that name.
///
/// # Errors
/// If no rule has the name, or it cannot run with these settings.
pub fn build<B: Backend>(name: &str, settings: &RuleSettings) -> Result<BoxedRule<B>, Error> {
    of(&rules::<B>(), name, settings)
}

/// The rule of that name among these.
pub(crate) fn of<B: Backend>(all: &[RuleInfo<B>], name: &str, settings: &RuleSettings) -> Result<BoxedRule<B>, Error> {
    match all.iter().find(|rule| rule.facts.name == name) {
        Some(rule) => (rule.build)(settings),
        None => {
            let names: Vec<&str> = all.iter().map(|rule| rule.facts.name).collect();
            Err(Error::setting("rule", format!("no rule `{name}`; there are {}", names.join(", "))))
        }
    }
}

/// `value` as a number of type `R` if it is finite and positive.
fn positive<R: Real>(name: &'static str, value: f64) -> Result<R, Error> {
    if value.is_finite() && value > 0.0 {
        Ok(R::of(value))
    } else {
        Err(Error::setting(name, format!("{value} is not a positive number")))
    }
}
