//! From a spectrum to step sizes and a budget.

use super::{
    linearisation::Linearisation,
    spectrum::{Iteration, Spectrum},
};
use crate::error::Error;

/// Recommended step sizes and budget of PC-ALM.
#[derive(Clone, Debug, PartialEq)]
pub struct Advice {
    /// Activity step η.
    pub eta: f64,
    /// Dual step α.
    pub alpha: f64,
    /// The largest α that is stable with that η.
    pub largest_alpha: f64,
    /// Budget T.
    pub budget: usize,
    /// Why.
    pub reason: String,
}

/// T* = L/√(ηα): steps until the credit front, at √(ηα) layers a step, has crossed a network of
/// `depth` weight matrices \[ALM app. D\].
pub fn crossing_time(depth: usize, eta: f64, alpha: f64) -> f64 {
    depth as f64 / (eta * alpha).sqrt()
}

impl Advice {
    /// η = 1/λ_max; α, half of the largest that is stable with it; T = ⌈L/√(ηα)⌉.
    ///
    /// # Errors
    /// If the linearisation's eigenvalues cannot be found.
    pub fn new(linearisation: &Linearisation, spectrum: &Spectrum) -> Result<Self, Error> {
        let eta = 1.0 / spectrum.lambda_max;
        let limit = Iteration { linearisation, eta, alpha: 0.0 }.largest_alpha(spectrum)?;
        let limit = limit.ok_or_else(|| Error::setting("rho", "no dual step is stable with these penalties"))?;
        let alpha = 0.5 * limit;
        let depth = linearisation.hidden() + 1;
        let crossing = crossing_time(depth, eta, alpha);
        let reason = format!(
            "η = 1/λ_max = {eta:.4} is half of the largest step that PC alone can take; α = {alpha:.4} is half of the \
             largest stable one, {limit:.4}, so both steps have a factor 2 in hand while the weights change; credit \
             then moves √(ηα) = {:.3} layers per step and crosses L = {depth} layers in T* = {crossing:.1} steps",
            (eta * alpha).sqrt()
        );
        Ok(Advice { eta, alpha, largest_alpha: limit, budget: crossing.ceil() as usize, reason })
    }
}
