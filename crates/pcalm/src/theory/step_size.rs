//! Step sizes that follow from a network: η, β, and the bound that η has to keep (docs/maths.md §7). Nobody else works
//! them out.

use super::{
    curvature::{Accuracy, Operator, largest_eigenvalue},
    lanczos,
};
use crate::{
    backend::Host,
    error::{Error, StabilityBound},
    minibatch::Minibatch,
    network::Network,
    objective::Objective,
    real::Real,
};

/// The automatic η is at most this share of the largest stable one.
///
/// Without duals 1/λ_max(H) is half of it, and with α = ρ at least three quarters, as
/// λ_max(2H + αCᵀC) ≤ 3 λ_max(H): a larger share would let η rise above 1/λ_max(H)'s own margin, a smaller one
/// would change it where it is known to train.
pub const SHARE: f64 = 0.75;

/// For the automatic η, which every later bit follows from.
const FOR_ETA: Accuracy = Accuracy { tolerance: 1e-5, limit: 500 };
/// Products for a warning about the stability bound, which two digits of σ_max² are enough for.
const FOR_BOUND: usize = 40;

/// A step size made from a network.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct AutomaticStep {
    /// λ_max(H).
    pub lambda_max: f64,
    /// η.
    pub eta: f64,
}

/// The automatic η at dual step `alpha`: the smaller of 1/λ_max(H), and of [`SHARE`] times the largest stable one,
/// 4/λ_max(2H + αCᵀC). On the samples loaded into `minibatch`.
///
/// With α up to the smallest ρ the second cannot be the smaller, and is not measured.
///
/// # Errors
/// As [`largest_eigenvalue`].
pub fn automatic_step<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    alpha: f64,
) -> Result<AutomaticStep, Error> {
    step_for(minibatch, network, alpha, |operator| operator)
}

/// The same for preconditioned steps z −= η Π⁻¹ ∂𝓛/∂z, whose eigenvalues are those of Π⁻¹H.
///
/// # Errors
/// As [`largest_eigenvalue`].
pub fn preconditioned_step<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    alpha: f64,
) -> Result<AutomaticStep, Error> {
    step_for(minibatch, network, alpha, Operator::preconditioned)
}

/// For steps that see the operators as `seen` makes them.
fn step_for<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    alpha: f64,
    seen: fn(Operator) -> Operator,
) -> Result<AutomaticStep, Error> {
    let lambda_max = largest_eigenvalue(minibatch, network, seen(Operator::ENERGY), FOR_ETA)?;
    let eta = 1.0 / lambda_max;
    if alpha <= minibatch.objective().least_penalty() {
        return Ok(AutomaticStep { lambda_max, eta });
    }
    let both = largest_eigenvalue(minibatch, network, seen(Operator::stability(alpha)), FOR_ETA)?;
    Ok(AutomaticStep { lambda_max, eta: eta.min(SHARE * StabilityBound::LIMIT / both) })
}

/// σ_max² to about two digits, from below: what a [`stability_bound`] is made from. On the samples loaded into `minibatch`.
///
/// # Errors
/// As [`largest_eigenvalue`].
pub fn constraint_curvature<B: Host>(minibatch: &mut Minibatch<B>, network: &Network<B::Real>) -> Result<f64, Error> {
    lanczos::estimate(minibatch, network, Operator::CONSTRAINT, FOR_BOUND)
}

/// The bound on η at a σ_max² and dual step α, with the largest ρ: exact with one ρ and without the loss.
pub fn stability_bound<R: Real>(objective: &Objective<R>, eta: f64, sigma_squared: f64, alpha: f64) -> StabilityBound {
    StabilityBound::new(eta, sigma_squared, objective.largest_penalty(), alpha)
}

/// β = (√κ − 1)/(√κ + 1): with η = 1/λ_max the momentum at which the slowest mode of a quadratic energy of
/// condition κ shrinks by 1 − 1/√κ per step instead of 1 − 1/κ \[Nesterov 2004, scheme 2.2.11\].
pub fn nesterov_momentum(condition: f64) -> f64 {
    (condition.sqrt() - 1.0) / (condition.sqrt() + 1.0)
}
