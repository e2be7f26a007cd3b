//! y = sin(3x) + 0.1 ε.

use super::Formula;
use crate::dataset::Dataset;

/// Name of the set in the registry.
pub const NAME: &str = "noisy-sine";

/// One input, uniform in [−2, 2); one output y = sin(3x) + 0.1 ε, ε being standard normal.
///
/// No model can have a mean squared error below 0.01.
pub fn noisy_sine() -> Dataset {
    let sample = |draw: &mut super::Draw, x: &mut [f64], y: &mut [f64]| {
        x[0] = 4.0 * draw.unit() - 2.0;
        y[0] = libm::sin(3.0 * x[0]) + 0.1 * draw.normal();
    };
    Formula { name: NAME, inputs: 1, outputs: 1, train: 2_000, test: 1_000, sample }.dataset()
}
