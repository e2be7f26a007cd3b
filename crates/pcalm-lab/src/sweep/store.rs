//! Where runs of sweeps are kept, so that a run is either finished or can go on.
//!
//! | folder | holds |
//! | --- | --- |
//! | `cells/<key>` | finished runs, moved here whole by one rename |
//! | `work/<key>` | runs under way, with their checkpoints |
//! | `failed/<key>` | runs that could not be done, with the reason in `failure.json` |
//! | `claims/<key>.<n>` | who runs a cell: see [`Worker`] |
//! | `workers/` | a file per process at work, touched while it lives |

use super::{grid::GridCell, key::Key};
use crate::{
    error::LabError,
    experiment::{Experiment, RunIdentity, from_toml},
    folder::{Folder, clear_partials, names},
    lease::{Place, Worker, is_taken},
    outcome::{Cost, RunSummary},
    provenance::Provenance,
    record::{EpochRow, MetricRow, json, read_csv},
};
use serde::{Deserialize, Serialize, de::DeserializeOwned};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// A folder with the runs of one or more sweeps.
#[derive(Clone, Debug)]
pub struct Store {
    path: PathBuf,
}

/// How far a cell is.
#[derive(Clone, Debug, PartialEq)]
pub enum CellProgress {
    /// Finished, or diverged, which is an outcome too.
    Finished,
    /// It could not be run.
    Failed(CellFailure),
    /// Neither.
    Open,
}

/// Why a cell could not be run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CellFailure {
    /// The error's message.
    pub reason: String,
}

/// The results of a finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Finished {
    /// The configuration it recorded.
    pub experiment: Experiment,
    /// The outcome.
    pub summary: RunSummary,
    /// Wall times and memory.
    pub cost: Cost,
    /// Rows of `epochs.csv`.
    pub epochs: Vec<EpochRow>,
    /// The last row of `metrics.csv`.
    pub last: Option<MetricRow>,
    /// The program that made it.
    pub provenance: Provenance,
}

const PARTS: [&str; 5] = ["cells", "work", "failed", "claims", "workers"];
const FAILURE: &str = "failure.json";
const GRID: &str = "grid.toml";
const CELLS: &str = "cells.json";

impl Store {
    /// Makes the folders.
    ///
    /// # Errors
    /// If they cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, LabError> {
        for part in PARTS {
            Folder::create(&path.join(part))?;
        }
        Ok(Store { path: path.to_owned() })
    }

    /// A store that is there already.
    ///
    /// # Errors
    /// If it is not.
    pub fn existing(path: &Path) -> Result<Self, LabError> {
        if !path.join(PARTS[0]).is_dir() {
            return Err(LabError::run(path, "no sweep has run here; `pcalm sweep GRID.toml --out DIR` starts one"));
        }
        Ok(Store { path: path.to_owned() })
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The folder of a finished run.
    pub fn cell(&self, key: &Key) -> PathBuf {
        self.path.join("cells").join(key.as_str())
    }

    pub(super) fn work(&self, key: &Key) -> PathBuf {
        self.path.join("work").join(key.as_str())
    }

    fn failed(&self, key: &Key) -> PathBuf {
        self.path.join("failed").join(key.as_str())
    }

    /// Where workers agree on who runs what.
    pub(super) fn workers(&self) -> Place {
        Place { claims: self.path.join("claims"), workers: self.path.join("workers") }
    }

    /// Whether some live process runs a cell.
    ///
    /// # Errors
    /// If the claims cannot be read.
    pub fn is_running(&self, key: &Key) -> Result<bool, LabError> {
        is_taken(&self.workers(), key.as_str())
    }

    /// How far the work on a cell is: a text that changes with each checkpoint.
    pub(super) fn reached(&self, key: &Key) -> String {
        let checkpoint = std::fs::metadata(self.work(key).join(names::CHECKPOINT));
        let time = checkpoint.and_then(|m| m.modified()).ok();
        let since = time.and_then(|t| t.duration_since(std::time::UNIX_EPOCH).ok());
        since.map_or_else(String::new, |s| s.as_nanos().to_string())
    }

    /// Keeps a grid's text and its resolved cells with the runs.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn keep_grid(&self, text: &str, cells: &[GridCell]) -> Result<(), LabError> {
        let folder = Folder::existing(&self.path);
        folder.write(GRID, text.as_bytes())?;
        folder.write(CELLS, &json(&cells, &self.path)?)
    }

    /// The cells of the grid that was run here last.
    ///
    /// # Errors
    /// If there was none, or its record is damaged.
    pub fn kept_cells(&self) -> Result<Vec<GridCell>, LabError> {
        read_json(&self.path.join(CELLS), "`pcalm sweep GRID.toml --out DIR` writes it again")
    }

    /// Whether a run is finished.
    pub fn is_finished(&self, key: &Key) -> bool {
        self.cell(key).is_dir()
    }

    /// How far a cell is.
    ///
    /// # Errors
    /// If the record of a failure cannot be read.
    pub fn progress(&self, key: &Key) -> Result<CellProgress, LabError> {
        if self.is_finished(key) {
            return Ok(CellProgress::Finished);
        }
        match read_json(&self.failed(key).join(FAILURE), "`pcalm sweep retry` runs the cell again") {
            Ok(failure) => Ok(CellProgress::Failed(failure)),
            Err(LabError::Io { source, .. }) if source.kind() == ErrorKind::NotFound => Ok(CellProgress::Open),
            Err(error) => Err(error),
        }
    }

    /// The results of a finished run.
    ///
    /// # Errors
    /// If its folder is damaged; the message names the file and the way out.
    pub fn finished(&self, key: &Key) -> Result<Finished, LabError> {
        let folder = Folder::existing(&self.cell(key));
        let cure = format!("remove the folder {} and run the sweep again", folder.path().display());
        let text = folder.read_text(names::CONFIG).map_err(|e| damaged(e, &cure))?;
        let path = folder.file(names::CONFIG);
        let recorded = from_toml(&text, &path).map_err(|e| damaged(e, &cure))?;
        let provenance: Provenance = read_json(&folder.file(names::PROVENANCE), &cure)?;
        let identity =
            provenance.contents.as_ref().map(|contents| RunIdentity::new(&recorded, contents)).transpose()?;
        if identity.as_ref().map(Key::from).as_ref() != Some(key) {
            return Err(LabError::run(&path, format!("not the configuration of this cell; {cure}")));
        }
        let metrics: Vec<MetricRow> = read_csv(&folder.file(names::METRICS)).map_err(|e| damaged(e, &cure))?;
        Ok(Finished {
            experiment: recorded,
            summary: read_json(&folder.file(names::SUMMARY), &cure)?,
            cost: read_json(&folder.file(names::COST), &cure)?,
            epochs: read_csv(&folder.file(names::EPOCHS)).map_err(|e| damaged(e, &cure))?,
            last: metrics.into_iter().next_back(),
            provenance,
        })
    }

    /// Moves a finished run to its place; `false` if it is there already.
    ///
    /// # Errors
    /// If it cannot be moved.
    pub(super) fn publish(&self, key: &Key) -> Result<bool, LabError> {
        let (from, to) = (self.work(key), self.cell(key));
        clear_partials(&from)?;
        // Left where a process was killed while it set the cell aside, or took it up again.
        let _ = std::fs::remove_file(from.join(FAILURE));
        // A rename onto a folder that holds files fails: the first one stays.
        match std::fs::rename(&from, &to) {
            Ok(()) => {
                // A finished run does not go on, and checkpoints are three times its network.
                let _ = std::fs::remove_file(to.join(names::CHECKPOINT));
                Ok(true)
            }
            Err(_) if self.is_finished(key) => Ok(false),
            Err(error) => Err(LabError::io(&from, error)),
        }
    }

    /// Records that a cell cannot be run.
    ///
    /// # Errors
    /// If that cannot be written.
    pub(super) fn fail(&self, key: &Key, reason: &str) -> Result<(), LabError> {
        let (work, failed) = (Folder::create(&self.work(key))?, self.failed(key));
        work.write(FAILURE, &json(&CellFailure { reason: reason.to_owned() }, work.path())?)?;
        std::fs::rename(work.path(), &failed).map_err(|e| LabError::io(&failed, e))
    }

    /// Lets a failed cell be run again, from its last checkpoint if it has one; `false` if it had not
    /// failed.
    ///
    /// # Errors
    /// If its folder cannot be moved, or its claims cannot be removed.
    pub fn retry(&self, key: &Key) -> Result<bool, LabError> {
        let (failed, work) = (self.failed(key), self.work(key));
        if failed.is_dir() {
            // Still there if the process that set the cell aside was killed before it could say that it is done.
            Worker::start(&self.workers())?.forgive(key.as_str())?;
        }
        match std::fs::rename(&failed, &work) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::NotFound => return Ok(false),
            Err(error) => return Err(LabError::io(&failed, error)),
        }
        let record = work.join(FAILURE);
        std::fs::remove_file(&record).map_err(|e| LabError::io(&record, e))?;
        Ok(true)
    }
}

fn read_json<T: DeserializeOwned>(path: &Path, cure: &str) -> Result<T, LabError> {
    let bytes = std::fs::read(path).map_err(|e| LabError::io(path, e))?;
    serde_json::from_slice(&bytes).map_err(|e| LabError::run(path, format!("damaged ({e}); {cure}")))
}

fn damaged(error: LabError, cure: &str) -> LabError {
    match error {
        LabError::Io { path, source } => LabError::run(&path, format!("{source}; {cure}")),
        LabError::Config { path, problem } | LabError::Run { path, problem } => {
            LabError::run(&path, format!("damaged ({problem}); {cure}"))
        }
        other => other,
    }
}
