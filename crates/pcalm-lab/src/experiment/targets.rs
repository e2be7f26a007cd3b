//! The options of target propagation, and the backward weights of a file.

use crate::{choice::choose, error::LabError};
use pcalm::{
    Dense,
    rule::{Decoder, RuleSettings, TargetTop},
    tensor_file::TensorFile,
};
use std::{path::Path, sync::Arc};

/// How targets are passed down, as users write it.
#[derive(Clone, Copy, Debug)]
pub struct TargetOptions<'a> {
    /// δ.
    pub clip: Option<f64>,
    /// Whether the nearest of many states is taken.
    pub nearest: bool,
    /// The first target's name.
    pub top: &'a str,
    /// β.
    pub beta: Option<f64>,
    /// The decoder's name.
    pub decoder: &'a str,
    /// Whether the forward pass is corrected for.
    pub difference: bool,
}

impl TargetOptions<'_> {
    /// `settings` with these.
    ///
    /// # Errors
    /// If a name is unknown.
    pub fn on(&self, settings: RuleSettings) -> Result<RuleSettings, LabError> {
        let TargetOptions { clip, nearest, beta, difference, .. } = *self;
        let top = choose("top", self.top, TargetTop::ALL.iter().map(|t| t.name()), TargetTop::from_name)?;
        let decoder = choose("decoder", self.decoder, Decoder::ALL.iter().map(|d| d.name()), Decoder::from_name)?;
        Ok(RuleSettings { clip, nearest, top, beta, decoder, difference, ..settings })
    }
}

/// The backward weights `b.2` … `b.L` of a file, each `[n_{l−1}, n_l]`, for a network of this depth.
///
/// # Errors
/// If the file cannot be read, or one of them is missing or no matrix of finite numbers.
pub fn backward_weights(path: &Path, depth: usize) -> Result<Arc<Vec<Dense<f64>>>, LabError> {
    let file = TensorFile::<f64>::load(path)?;
    let wrong = |problem: String| LabError::run(path, problem);
    let matrix = |l: usize| {
        let (rows, cols, values) = file.matrix(&format!("b.{l}")).map_err(|e| wrong(e.to_string()))?;
        Dense::new(values.to_vec(), rows, cols, 1.0).map_err(|e| wrong(format!("b.{l}: {e}")))
    };
    Ok(Arc::new((2..=depth).map(matrix).collect::<Result<_, _>>()?))
}
