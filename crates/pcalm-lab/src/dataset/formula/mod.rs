//! Regression sets by formula: fixed once and for all, the same bits on every platform.
//!
//! Each sample has its own random stream, keyed by (seed, split, index). Sums and products are IEEE
//! 754's; sine, logarithm and hyperbolic tangent are those of `libm`, which is compiled from the same
//! source everywhere. Everything is computed in `f64` and rounded to `f32` at the end.

mod friedman;
mod sine;
mod teacher;

use super::{
    draw::Draw,
    split::{Dataset, Split},
    targets::Targets,
};

pub use friedman::{NAME as FRIEDMAN, friedman};
pub use sine::{NAME as NOISY_SINE, noisy_sine};
pub use teacher::{NAME as TEACHER, Weights, teacher, teacher_weights};

/// The seed of all these sets.
const SEED: u64 = 2026;

/// A formula: fills an input and its target.
struct Formula<F> {
    name: &'static str,
    inputs: usize,
    outputs: usize,
    train: usize,
    test: usize,
    sample: F,
}

impl<F: Fn(&mut Draw, &mut [f64], &mut [f64])> Formula<F> {
    fn dataset(&self) -> Dataset {
        Dataset::new(self.name, self.split(0, self.train), self.split(1, self.test))
    }

    fn split(&self, part: u64, count: usize) -> Split {
        let mut inputs = Vec::with_capacity(count * self.inputs);
        let mut values = Vec::with_capacity(count * self.outputs);
        let (mut x, mut y) = (vec![0.0; self.inputs], vec![0.0; self.outputs]);
        for index in 0..count {
            (self.sample)(&mut Draw::new(SEED, part, index as u64), &mut x, &mut y);
            inputs.extend(x.iter().map(|&v| v as f32));
            values.extend(y.iter().map(|&v| v as f32));
        }
        Split { inputs, dim: self.inputs, targets: Targets::Real { values, dim: self.outputs } }
    }
}
