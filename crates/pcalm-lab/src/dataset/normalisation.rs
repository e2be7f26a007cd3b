//! Shifting and scaling inputs, as a value that can be kept and applied again.

use super::{DataError, split::Split, targets::column_means};
use serde::{Deserialize, Serialize};

/// Over what moments are taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum By {
    /// All numbers of all inputs together.
    Set,
    /// Each feature for itself.
    Feature,
}

/// x ↦ (x − mean) · scale, with one pair of numbers for all features or a pair for each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Normalisation {
    /// What is taken off: one number, or one for each feature.
    pub mean: Vec<f32>,
    /// What the rest is multiplied with: as many numbers.
    pub scale: Vec<f32>,
}

impl Normalisation {
    /// To mean 0 and standard deviation 1 over the inputs of `split`.
    ///
    /// What is the same in every input has no scale and is only shifted.
    pub fn standard(split: &Split, by: By) -> Self {
        let groups = match by {
            By::Set => 1,
            By::Feature => split.dim,
        };
        let mean = column_means(&split.inputs, groups);
        let mut squares = vec![0.0; groups];
        // The second pass avoids the cancellation of E[x²] − E[x]² on nearly constant data.
        for row in split.inputs.chunks_exact(groups) {
            for ((square, mean), &x) in squares.iter_mut().zip(&mean).zip(row) {
                *square += (f64::from(x) - mean).powi(2);
            }
        }
        let rows = (split.inputs.len() / groups).max(1) as f64;
        let first = split.inputs.get(..groups).unwrap_or_default();
        let varies = |at: usize| split.inputs.iter().skip(at).step_by(groups).any(|x| *x != first[at]);
        let scale = squares.iter().enumerate().map(|(at, square)| {
            let scale = (1.0 / (square / rows).sqrt()) as f32;
            // Rounding may leave a constant a deviation; a subnormal one has no finite inverse.
            if varies(at) && scale.is_finite() { scale } else { 1.0 }
        });
        Normalisation { scale: scale.collect(), mean: mean.iter().map(|&m| m as f32).collect() }
    }

    /// With the means and standard deviations given, one pair or as many as there are features.
    ///
    /// # Errors
    /// If a number is not finite, or a deviation not positive.
    pub fn given(mean: &[f64], deviation: &[f64]) -> Result<Self, DataError> {
        let problem = |what: String| DataError::Normalisation { problem: what };
        if mean.len() != deviation.len() || mean.is_empty() {
            return Err(problem(format!("{} means and {} standard deviations", mean.len(), deviation.len())));
        }
        if let Some(bad) = mean.iter().find(|m| !(**m as f32).is_finite()) {
            return Err(problem(format!("the mean {bad} is no finite number")));
        }
        let scale: Vec<f32> = deviation.iter().map(|d| (1.0 / d) as f32).collect();
        if let Some(at) = scale.iter().position(|s| !s.is_finite() || *s <= 0.0) {
            return Err(problem(format!("the standard deviation {} is not a positive finite number", deviation[at])));
        }
        Ok(Normalisation { mean: mean.iter().map(|&m| m as f32).collect(), scale })
    }

    /// Shifts and scales row-major inputs `[count, dim]`.
    ///
    /// # Errors
    /// If it is of another number of features.
    pub fn apply(&self, inputs: &mut [f32], dim: usize) -> Result<(), DataError> {
        let groups = self.mean.len();
        if groups != self.scale.len() || ![1, dim].contains(&groups) {
            return Err(DataError::Normalisation {
                problem: format!(
                    "{groups} means and {} scales, but the inputs have {dim} features; one pair or one for each \
                     is needed",
                    self.scale.len()
                ),
            });
        }
        for row in inputs.chunks_exact_mut(groups) {
            for ((x, mean), scale) in row.iter_mut().zip(&self.mean).zip(&self.scale) {
                *x = (*x - mean) * scale;
            }
        }
        Ok(())
    }
}
