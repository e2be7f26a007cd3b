//! The step size that a rule takes where none is given, and the curvature that bounds it, by what decides the two.

use pcalm::{
    backend::Host,
    error::Error,
    minibatch::Minibatch,
    network::Network,
    rule::Pace,
    theory::{automatic_step, constraint_curvature, preconditioned_step},
};

/// η, and the eigenvalue it is the inverse of.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct OwnStep {
    /// η.
    pub eta: f64,
    /// λ_max of the Hessian or of the precisions, where η follows from one.
    pub lambda_max: Option<f64>,
}

/// The automatic η at a dual step, of steps that are divided by the precisions or not, on the samples loaded into `minibatch`.
///
/// # Errors
/// As [`automatic_step`].
pub fn own_step<B: Host>(
    pace: Pace,
    precondition: bool,
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    dual_step: f64,
) -> Result<OwnStep, Error> {
    Ok(match pace {
        Pace::Curvature => {
            let measure = if precondition { preconditioned_step } else { automatic_step };
            let step = measure(minibatch, network, dual_step)?;
            OwnStep { eta: step.eta, lambda_max: Some(step.lambda_max) }
        }
        Pace::Precision => {
            let largest = minibatch.objective().largest_penalty();
            OwnStep { eta: 1.0 / largest, lambda_max: Some(largest) }
        }
        Pace::One => OwnStep { eta: 1.0, lambda_max: None },
    })
}

/// σ_max² of what a stability bound is made from, on the samples loaded into `minibatch`; none where η has no bound.
///
/// # Errors
/// As [`constraint_curvature`].
pub fn bounded_curvature<B: Host>(
    pace: Pace,
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
) -> Result<Option<f64>, Error> {
    match pace {
        Pace::Curvature => constraint_curvature(minibatch, network).map(Some),
        // Predictions that do not move: C is the identity.
        Pace::Precision => Ok(Some(1.0)),
        Pace::One => Ok(None),
    }
}
