//! A fixed random network to imitate.

use super::{Formula, SEED};
use crate::dataset::{Dataset, draw::Draw};

/// Name of the set in the registry.
pub const NAME: &str = "teacher";

const INPUTS: usize = 16;
const HIDDEN: usize = 32;
const OUTPUTS: usize = 2;
/// Standard deviation of the noise.
const NOISE: f64 = 0.05;
/// The weights' stream; samples are in the parts 0 and 1.
const WEIGHTS: u64 = 2;

/// The teacher's two matrices, row-major.
#[derive(Clone, Debug, PartialEq)]
pub struct Weights {
    /// W₁, 32 × 16, entries of variance 1/16.
    pub first: Vec<f64>,
    /// W₂, 2 × 32, entries of variance 1/32.
    pub second: Vec<f64>,
}

/// The weights behind [`teacher`].
pub fn teacher_weights() -> Weights {
    let mut draw = Draw::new(SEED, WEIGHTS, 0);
    let mut matrix = |rows: usize, columns: usize| -> Vec<f64> {
        (0..rows * columns).map(|_| draw.normal() / (columns as f64).sqrt()).collect()
    };
    Weights { first: matrix(HIDDEN, INPUTS), second: matrix(OUTPUTS, HIDDEN) }
}

/// Sixteen standard normal inputs; two outputs y = W₂ tanh(W₁x) + 0.05 ε, ε being standard normal.
///
/// No model can have a mean squared error below 0.0025 per output.
pub fn teacher() -> Dataset {
    let weights = teacher_weights();
    let sample = |draw: &mut Draw, x: &mut [f64], y: &mut [f64]| {
        x.iter_mut().for_each(|x| *x = draw.normal());
        let row = |row: &[f64], v: &[f64]| row.iter().zip(v).map(|(w, v)| w * v).sum::<f64>();
        let hidden: Vec<f64> = weights.first.chunks_exact(INPUTS).map(|w| libm::tanh(row(w, x))).collect();
        for (y, w) in y.iter_mut().zip(weights.second.chunks_exact(HIDDEN)) {
            *y = row(w, &hidden) + NOISE * draw.normal();
        }
    };
    Formula { name: NAME, inputs: INPUTS, outputs: OUTPUTS, train: 8_000, test: 2_000, sample }.dataset()
}
