//! What a run writes down as it goes: sums over steps, and the rows of its tables.

use crate::{
    dataset::{Split, Task},
    error::LabError,
};
use pcalm::{
    gradient::Agreement,
    loss::Loss,
    minibatch::{Report, Score},
    train::Probe,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// Sums over training steps since the last row; losses and accuracies are of the forward pass
/// before each step's update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct TrainingTally {
    /// Σ loss.
    pub loss: f64,
    /// Samples classified correctly.
    pub correct: usize,
    /// Samples seen.
    pub samples: usize,
    /// Matrix products × samples.
    pub sample_products: u64,
    /// Multiply-adds.
    pub multiply_adds: u64,
}

impl TrainingTally {
    /// Adds one training step.
    pub fn add(&mut self, report: &Report) {
        self.loss += report.score.loss;
        self.correct += report.score.correct;
        self.samples += report.score.samples;
        self.sample_products += report.work.sample_products;
        self.multiply_adds += report.work.multiply_adds;
    }

    /// The sums as a score.
    pub fn score(&self) -> Score {
        Score { loss: self.loss, correct: self.correct, samples: self.samples }
    }
}

/// A row of `metrics.csv`: means over the steps since the row before.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Training steps done.
    pub step: u64,
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss.
    pub train_loss: f64,
    /// Training accuracy; absent in regression.
    pub train_accuracy: Option<f64>,
}

/// A row of `epochs.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Epochs done (0: before training).
    pub epoch: u64,
    /// Training steps done.
    pub step: u64,
    /// Mean test loss.
    pub test_loss: f64,
    /// Test accuracy; absent in regression.
    pub test_accuracy: Option<f64>,
    /// R² on the test samples, over all outputs; absent in classification.
    pub test_r2: Option<f64>,
    /// Mean loss on the probe batch.
    pub probe_loss: f64,
    /// Mean PC energy F at the inferred state of the probe batch.
    pub energy: f64,
    /// √Σ‖c‖² over the probe batch at the inferred state.
    pub residual_norm: f64,
    /// Cosine of the rule's weight gradient with BP's on the probe batch.
    pub alignment: f64,
    /// Norm of the rule's weight gradient over BP's.
    pub norm_ratio: f64,
    /// Matrix products per sample in training so far.
    pub products_per_sample: f64,
}

/// A row of `layers.csv`.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LayerRow {
    /// Epochs done.
    pub epoch: u64,
    /// Weight matrix, 1 … L.
    pub layer: usize,
    /// Cosine with BP's gradient of that matrix; empty where one is zero.
    pub alignment: Option<f64>,
    /// Norm over BP's; empty where BP's is zero.
    pub norm_ratio: Option<f64>,
}

impl EpochRow {
    /// What was measured at the end of an epoch: on the test samples, on the probe batch, and in training so far.
    pub fn new(
        (epoch, step): (u64, u64),
        (samples, loss): (&Split, Loss),
        test: &Score,
        probe: &Probe,
        total: &TrainingTally,
    ) -> Self {
        let probed = probe.score.samples as f64;
        let Agreement { cosine, norm_ratio } = probe.alignment.whole;
        EpochRow {
            epoch,
            step,
            test_loss: test.mean_loss(),
            test_accuracy: accuracy(samples, test),
            test_r2: r2(samples, loss, test),
            probe_loss: probe.score.mean_loss(),
            energy: probe.energies.energy() / probed,
            residual_norm: probe.energies.residual_norm_squared.sqrt(),
            alignment: cosine,
            norm_ratio,
            products_per_sample: total.sample_products as f64 / total.samples.max(1) as f64,
        }
    }
}

impl LayerRow {
    /// A row per weight matrix.
    pub fn of(epoch: u64, probe: &Probe) -> impl Iterator<Item = Self> {
        probe.alignment.layers.iter().enumerate().map(move |(l, a)| LayerRow {
            epoch,
            layer: l + 1,
            alignment: finite(a.cosine),
            norm_ratio: finite(a.norm_ratio),
        })
    }
}

/// Fraction of samples classified correctly; `None` where there are no classes.
pub fn accuracy(samples: &Split, score: &Score) -> Option<f64> {
    matches!(samples.task(), Task::Classification { .. }).then(|| score.accuracy())
}

/// R² = 1 − Σ‖f − y‖²/Σ‖y − ȳ‖² over all outputs, ȳ being the samples' own mean; `None` for classes, where all targets
/// are alike, and where the loss is not the squared error.
pub fn r2(samples: &Split, loss: Loss, score: &Score) -> Option<f64> {
    let variation = samples.variation().filter(|_| loss == Loss::SquaredError)?;
    Some(1.0 - 2.0 * score.loss / variation)
}

/// A measurement for a file: absent where it is not a number.
pub fn finite(value: f64) -> Option<f64> {
    value.is_finite().then_some(value)
}

/// Rows as CSV with a header.
///
/// # Errors
/// If a row cannot be written as text.
pub fn csv<T: Serialize>(rows: &[T], path: &Path) -> Result<Vec<u8>, LabError> {
    let mut writer = csv::Writer::from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| LabError::run(path, e.to_string()))?;
    }
    writer.into_inner().map_err(|e| LabError::run(path, e.to_string()))
}

/// The rows of a CSV file with a header.
///
/// # Errors
/// If it cannot be read or a row does not fit.
pub fn read_csv<T: DeserializeOwned>(path: &Path) -> Result<Vec<T>, LabError> {
    let file = std::fs::File::open(path).map_err(|e| LabError::io(path, e))?;
    let rows = csv::Reader::from_reader(file).into_deserialize();
    rows.collect::<Result<_, _>>().map_err(|e| LabError::run(path, e.to_string()))
}

/// A value as indented JSON.
///
/// # Errors
/// If it cannot be written as JSON.
pub fn json<T: Serialize>(value: &T, path: &Path) -> Result<Vec<u8>, LabError> {
    let mut bytes = serde_json::to_vec_pretty(value).map_err(|e| LabError::run(path, e.to_string()))?;
    bytes.push(b'\n');
    Ok(bytes)
}
