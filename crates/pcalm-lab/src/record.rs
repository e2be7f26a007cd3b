//! What a run writes down: rows of metrics, the outcome, and the state to go on from.

use crate::{
    error::LabError,
    watch::{StabilityRow, WatchState},
};
use pcalm::{
    gradient::Agreement,
    minibatch::{Report, Score},
    train::Probe,
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::path::Path;

/// Sums over training steps since the last row; losses and accuracies are of the forward pass
/// before each step's update.
#[derive(Clone, Copy, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Tally {
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

impl Tally {
    /// Adds one training step.
    pub fn add(&mut self, report: &Report) {
        self.loss += report.score.loss;
        self.correct += report.score.correct;
        self.samples += report.score.samples;
        self.sample_products += report.work.sample_products;
        self.multiply_adds += report.work.multiply_adds;
    }

    /// Mean loss and accuracy.
    pub fn means(&self) -> (f64, f64) {
        let score = Score { loss: self.loss, correct: self.correct, samples: self.samples };
        (score.mean_loss(), score.accuracy())
    }
}

/// A row of `metrics.csv`: means over the steps since the row before.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct MetricRow {
    /// Training steps done.
    pub step: u64,
    /// Epochs done, with the fraction of the current one.
    pub epoch: f64,
    /// Learning rate of the last step.
    pub learning_rate: f64,
    /// Mean training loss.
    pub train_loss: f64,
    /// Training accuracy.
    pub train_accuracy: f64,
}

/// A row of `epochs.csv`.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct EpochRow {
    /// Epochs done (0: before training).
    pub epoch: u64,
    /// Training steps done.
    pub step: u64,
    /// Mean test loss.
    pub test_loss: f64,
    /// Test accuracy.
    pub test_accuracy: f64,
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
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
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

/// Everything written down so far.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Log {
    /// Rows of `metrics.csv`.
    pub metrics: Vec<MetricRow>,
    /// Rows of `epochs.csv`.
    pub epochs: Vec<EpochRow>,
    /// Rows of `layers.csv`.
    pub layers: Vec<LayerRow>,
    /// Rows of `stability.csv`.
    pub stability: Vec<StabilityRow>,
}

impl Log {
    /// Adds the rows of one epoch's end.
    pub fn add_epoch(&mut self, epoch: u64, step: u64, test: &Score, probe: &Probe, total: &Tally) {
        let samples = probe.score.samples as f64;
        let Agreement { cosine, norm_ratio } = probe.alignment.whole;
        self.epochs.push(EpochRow {
            epoch,
            step,
            test_loss: test.mean_loss(),
            test_accuracy: test.accuracy(),
            probe_loss: probe.score.mean_loss(),
            energy: probe.energies.energy() / samples,
            residual_norm: probe.energies.residual_norm_squared.sqrt(),
            alignment: cosine,
            norm_ratio,
            products_per_sample: total.sample_products as f64 / total.samples.max(1) as f64,
        });
        self.layers.extend(probe.alignment.layers.iter().enumerate().map(|(l, a)| LayerRow {
            epoch,
            layer: l + 1,
            alignment: finite(a.cosine),
            norm_ratio: finite(a.norm_ratio),
        }));
    }
}

/// Where a run stands, to go on with the same bits.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Progress {
    /// Training steps done.
    pub step: u64,
    /// Activity step size η in use.
    pub eta: f64,
    /// λ_max at the start, if measured.
    pub lambda_max: Option<f64>,
    /// σ_max² at the start, if measured.
    pub sigma_squared: Option<f64>,
    /// Momentum β of activity steps, if measured.
    pub momentum: Option<f64>,
    /// What watches the stability.
    pub watch: WatchState,
    /// Since the last row of metrics.
    pub recent: Tally,
    /// Since the start.
    pub total: Tally,
    /// Rows so far.
    pub log: Log,
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
