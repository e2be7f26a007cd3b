//! Friedman's first benchmark.

use super::Formula;
use crate::dataset::Dataset;

/// Name of the set in the registry.
pub const NAME: &str = "friedman-1";

/// Ten inputs, uniform in [0, 1); one output
/// y = 10 sin(π x₁x₂) + 20 (x₃ − ½)² + 10 x₄ + 5 x₅ + ε, ε being standard normal.
///
/// The last five inputs say nothing. Friedman (1991), Multivariate adaptive regression splines,
/// Annals of Statistics 19. No model can have a mean squared error below 1.
pub fn friedman() -> Dataset {
    let sample = |draw: &mut super::Draw, x: &mut [f64], y: &mut [f64]| {
        x.iter_mut().for_each(|x| *x = draw.unit());
        let curved = 10.0 * libm::sin(std::f64::consts::PI * x[0] * x[1]) + 20.0 * (x[2] - 0.5) * (x[2] - 0.5);
        y[0] = curved + 10.0 * x[3] + 5.0 * x[4] + draw.normal();
    };
    Formula { name: NAME, inputs: 10, outputs: 1, train: 4_000, test: 1_000, sample }.dataset()
}
