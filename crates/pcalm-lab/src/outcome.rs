//! How a run ended and what it cost.

use crate::{
    error::LabError,
    folder::{Folder, names},
    memory::MemoryUse,
    record::EpochRow,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};

/// How a run ended.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum RunEnd {
    /// All epochs were trained.
    Done,
    /// It was asked to stop; it can be resumed.
    Interrupted,
    /// Activities became non-finite or exploded.
    Diverged,
}

/// The outcome of a run; everything here is the same on every repetition.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunSummary {
    /// Learning rule.
    pub rule: String,
    /// Seed of weights and batch order.
    pub seed: u64,
    /// How the run ended.
    pub end: RunEnd,
    /// What went wrong, if something did.
    pub message: Option<String>,
    /// Training steps done.
    pub steps: u64,
    /// Test accuracy at the last evaluation; absent in regression.
    pub test_accuracy: Option<f64>,
    /// R² on the test samples at the last evaluation; absent in classification.
    #[serde(default)]
    pub test_r2: Option<f64>,
    /// Mean test loss at the last evaluation.
    pub test_loss: Option<f64>,
    /// Alignment (cosine) to BP at the last evaluation.
    pub alignment: Option<f64>,
    /// Norm ratio to BP at the last evaluation.
    pub norm_ratio: Option<f64>,
    /// Why inference stopped at the last step.
    pub stop_reason: Option<String>,
    /// Cycles of inference at the last step.
    pub inference_steps: usize,
    /// Matrix products per sample and training step.
    pub products_per_sample: f64,
    /// Multiply-adds of all training steps.
    pub multiply_adds: u64,
    /// Weights.
    pub parameters: usize,
    /// Step size η, at the end where it follows λ_max.
    pub eta: f64,
    /// Momentum β, where it was tuned from κ.
    pub momentum: Option<f64>,
    /// λ_max of the activity Hessian at the start, where η was made from it.
    pub lambda_max: Option<f64>,
    /// η σ_max² (2ρ + α) at the start, which must stay below 4.
    pub stability: Option<f64>,
    /// Epochs at whose end inference showed signs of being unstable.
    #[serde(default)]
    pub unstable_epochs: u64,
    /// Learning rate before the schedule.
    pub learning_rate: f64,
}

/// Cost of a run over all its resumptions: wall times in seconds, memory in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Cost {
    /// Training steps timed, those that were done again after a crash included.
    pub steps: u64,
    /// Seconds in training steps.
    pub training: f64,
    /// Seconds in evaluation and diagnostics.
    pub evaluation: f64,
    /// Seconds in measuring the stability.
    pub watching: f64,
    /// Mean seconds per training step.
    pub seconds_per_step: f64,
    /// Memory.
    pub memory: MemoryUse,
}

/// A run as it ended: the outcome, its cost and the rows of `epochs.csv`.
#[derive(Clone, Debug, PartialEq)]
pub struct Outcome {
    /// What is the same on every repetition.
    pub summary: RunSummary,
    /// What is not.
    pub cost: Cost,
    /// A row per epoch.
    pub epochs: Vec<EpochRow>,
}

impl Outcome {
    /// What a folder says of the run in it; `None` before it has ended or been interrupted.
    ///
    /// # Errors
    /// If a file is damaged.
    pub fn read(folder: &Folder) -> Result<Option<Self>, LabError> {
        if !folder.has(names::SUMMARY) {
            return Ok(None);
        }
        let epochs = crate::record::read_csv(&folder.file(names::EPOCHS))?;
        Ok(Some(Outcome { summary: read_json(folder, names::SUMMARY)?, cost: read_json(folder, names::COST)?, epochs }))
    }
}

/// A file of JSON.
///
/// # Errors
/// If it cannot be read or does not hold a `T`.
pub fn read_json<T: DeserializeOwned>(folder: &Folder, name: &str) -> Result<T, LabError> {
    let bytes = folder.read(name)?;
    serde_json::from_slice(&bytes).map_err(|e| LabError::run(&folder.file(name), format!("damaged ({e})")))
}
