//! What a run needs to go on with the same bits: the checkpoint, and how it is compared with what is asked for.

use super::tables::Lengths;
use crate::{
    error::LabError,
    experiment::{Difference, RunIdentity, changeable, listed},
    folder::{Folder, names, write_checked},
    record::TrainingTally,
    tenancy::Holding,
    watch::WatchState,
};
use pcalm::Names;
use pcalm::{checkpoint::Checkpoint, loss::Loss, network::Network, optimizer::Optimizer, real::Real};
use serde::{Deserialize, Serialize};
use std::{borrow::Cow, collections::BTreeMap};

/// Where a run stands.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct RunProgress {
    /// Training steps done.
    pub step: u64,
    /// Epochs whose end was evaluated, the state before training included.
    pub evaluated: u64,
    /// Activity step size η in use.
    pub eta: f64,
    /// λ_max at the start, if measured.
    pub lambda_max: Option<f64>,
    /// The automatic η at the start, if measured; absent in checkpoints from when it was 1/λ_max.
    #[serde(default)]
    pub first_eta: Option<f64>,
    /// σ_max² at the start, if measured.
    pub sigma_squared: Option<f64>,
    /// Momentum β of activity steps, if measured.
    pub momentum: Option<f64>,
    /// λ_max of the watched samples at the first measurement.
    pub first_watched: Option<f64>,
    /// Whether inference was stable at the last one.
    pub stable: bool,
    /// Epochs at whose end inference showed signs of being unstable.
    pub unstable_epochs: u64,
    /// Why inference stopped at the last step, and after how many cycles.
    pub stopped: Option<(String, usize)>,
    /// Since the last row of metrics.
    pub recent: TrainingTally,
    /// Since the start.
    pub total: TrainingTally,
    /// How far the tables count.
    pub lengths: Lengths,
    /// What watches the stability; its vectors are kept as tensors.
    #[serde(skip)]
    pub watch: WatchState,
}

impl RunProgress {
    /// The automatic η at the start, if measured.
    pub fn automatic_eta(&self) -> Option<f64> {
        self.first_eta.or(self.lambda_max.map(f64::recip))
    }
}

/// The checkpoint's notes.
const PROGRESS: &str = "progress";
const IDENTITY: &str = "identity";

/// A checkpoint as read.
pub struct Saved<R: Real> {
    /// Weights and moments.
    pub checkpoint: Checkpoint<'static, R>,
    /// Where the run stands.
    pub progress: RunProgress,
    /// What decided it.
    pub identity: RunIdentity,
}

impl<R: Real> Saved<R> {
    /// The checkpoint in a folder, if there is one.
    ///
    /// # Errors
    /// If it is damaged.
    pub fn read(folder: &Folder, names: &Names) -> Result<Option<Self>, LabError> {
        if !folder.has(names::CHECKPOINT) {
            return Ok(None);
        }
        Self::from_bytes(&folder.read(names::CHECKPOINT)?, folder, names).map(Some)
    }

    fn from_bytes(bytes: &[u8], folder: &Folder, names: &Names) -> Result<Self, LabError> {
        let path = folder.file(names::CHECKPOINT);
        let checkpoint = Checkpoint::from_bytes(names, bytes).map_err(|e| LabError::run(&path, e.to_string()))?;
        let note = |key: &str| {
            let lacking = "does not say which run it belongs to and where that stands, as those of earlier versions; \
                           begin anew with --force";
            checkpoint.notes.get(key).ok_or_else(|| LabError::run(&path, lacking))
        };
        let damaged = |e: serde_json::Error| LabError::run(&path, format!("damaged ({e})"));
        let identity = serde_json::from_str(note(IDENTITY)?).map_err(damaged)?;
        let mut progress: RunProgress = serde_json::from_str(note(PROGRESS)?).map_err(damaged)?;
        progress.watch = WatchState::from_vectors(&checkpoint.vectors);
        Ok(Saved { checkpoint, progress, identity })
    }

    /// Whether the run may go on as `wanted`; returns what has been changed.
    ///
    /// # Errors
    /// If something differs that decides what was computed so far; the message names it.
    pub fn compare(&self, wanted: &RunIdentity, folder: &Folder) -> Result<Vec<Difference>, LabError> {
        let found = self.identity.differences(wanted);
        let refused: Vec<Difference> = found.iter().filter(|d| !d.is_allowed()).cloned().collect();
        if refused.is_empty() {
            return Ok(found);
        }
        let way_out = format!("only {} may change on the way; --force begins anew", changeable());
        let problem = format!("was made with {}: {way_out}", listed(&refused));
        Err(LabError::run(&folder.file(names::CHECKPOINT), problem))
    }
}

/// That the configuration in a folder is the one its checkpoint was made with: it may have been edited since.
///
/// # Errors
/// If it is not, or a file is damaged.
pub fn check(folder: &Folder, names: &Names) -> Result<(), LabError> {
    let (saved, holding) = (Saved::<f32>::read(folder, names)?, Holding::of(folder)?);
    let identity = holding.and_then(|holding| holding.identity);
    saved.zip(identity).map_or(Ok(()), |(saved, identity)| saved.compare(&identity, folder).map(|_| ()))
}

/// Writes a checkpoint. The old one is replaced once the new one has been read back from disk.
///
/// # Errors
/// If it cannot be written, or is not what was written when read back.
pub fn write<R: Real>(
    (folder, known): (&Folder, &Names),
    (network, loss, optimizer): (&Network<R>, Loss, &Optimizer<R>),
    progress: &RunProgress,
    identity: &RunIdentity,
) -> Result<(), LabError> {
    let path = folder.file(names::CHECKPOINT);
    let text = |value: Result<String, serde_json::Error>| value.map_err(|e| LabError::run(&path, e.to_string()));
    let notes = BTreeMap::from([
        (PROGRESS.to_owned(), text(serde_json::to_string(progress))?),
        (IDENTITY.to_owned(), text(serde_json::to_string(identity))?),
    ]);
    let vectors = progress.watch.vectors().into_iter().map(|(name, v)| (name, Cow::Owned(v))).collect();
    let checkpoint = Checkpoint { vectors, ..Checkpoint::new(network, loss, optimizer, notes) };
    let same = |written: &std::path::Path| {
        let bytes = std::fs::read(written).map_err(|e| LabError::io(&path, e))?;
        let found = Checkpoint::<R>::from_bytes(known, &bytes).map_err(|e| LabError::run(&path, e.to_string()))?;
        if found == checkpoint {
            return Ok(());
        }
        Err(LabError::run(&path, "the disk gave back something else than was written; the last checkpoint is kept"))
    };
    write_checked(&path, |out| checkpoint.file().write_to(out), same)
}
