//! Tables that grow with a run: rows are appended at each checkpoint, which remembers how far each table counts.

use crate::{
    error::LabError,
    folder::{Folder, append_at, names},
    record::{EpochRow, LayerRow, MetricRow},
    watch::StabilityRow,
};
use serde::{Deserialize, Serialize};
use std::path::{Path, PathBuf};

/// Bytes of each table that belong to a checkpoint.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Lengths {
    metrics: u64,
    epochs: u64,
    layers: u64,
    stability: Option<u64>,
}

/// All tables of a run.
#[derive(Debug)]
pub struct Tables {
    /// `metrics.csv`.
    pub metrics: GrowingTable<MetricRow>,
    /// `epochs.csv`.
    pub epochs: GrowingTable<EpochRow>,
    /// `layers.csv`.
    pub layers: GrowingTable<LayerRow>,
    /// `stability.csv`, if it is watched.
    pub stability: Option<GrowingTable<StabilityRow>>,
}

/// One of them.
#[derive(Debug)]
pub struct GrowingTable<T> {
    path: PathBuf,
    /// Bytes on disk that count.
    length: u64,
    /// Rows not on disk yet.
    pending: Vec<T>,
}

impl Tables {
    /// Begins them in a folder, each with its header.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn create(folder: &Folder, watched: bool) -> Result<Self, LabError> {
        Ok(Tables {
            metrics: GrowingTable::create(folder, names::METRICS)?,
            epochs: GrowingTable::create(folder, names::EPOCHS)?,
            layers: GrowingTable::create(folder, names::LAYERS)?,
            stability: watched.then(|| GrowingTable::create(folder, names::STABILITY)).transpose()?,
        })
    }

    /// Goes on with those of a checkpoint; what was written after it is cut off with the next rows.
    ///
    /// # Errors
    /// If a file is missing or shorter than it was, or a new one cannot be written.
    pub fn resume(folder: &Folder, lengths: &Lengths, watched: bool) -> Result<Self, LabError> {
        let stability = match lengths.stability {
            Some(length) => Some(GrowingTable::resume(folder, names::STABILITY, length)?),
            None => watched.then(|| GrowingTable::create(folder, names::STABILITY)).transpose()?,
        };
        Ok(Tables {
            metrics: GrowingTable::resume(folder, names::METRICS, lengths.metrics)?,
            epochs: GrowingTable::resume(folder, names::EPOCHS, lengths.epochs)?,
            layers: GrowingTable::resume(folder, names::LAYERS, lengths.layers)?,
            stability,
        })
    }

    /// Brings all rows to disk.
    ///
    /// # Errors
    /// If a file cannot be written.
    pub fn flush(&mut self) -> Result<(), LabError> {
        self.metrics.flush()?;
        self.epochs.flush()?;
        self.layers.flush()?;
        self.stability.as_mut().map_or(Ok(()), GrowingTable::flush)
    }

    /// How far each counts; all rows must be on disk.
    pub fn lengths(&self) -> Lengths {
        Lengths {
            metrics: self.metrics.length,
            epochs: self.epochs.length,
            layers: self.layers.length,
            stability: self.stability.as_ref().map(|s| s.length),
        }
    }
}

impl<T: Serialize + Default> GrowingTable<T> {
    fn create(folder: &Folder, name: &str) -> Result<Self, LabError> {
        let path = folder.file(name);
        let header = header::<T>(&path)?;
        folder.write(name, &header)?;
        Ok(GrowingTable { path, length: header.len() as u64, pending: Vec::new() })
    }

    fn resume(folder: &Folder, name: &str, length: u64) -> Result<Self, LabError> {
        let path = folder.file(name);
        append_at(&path, length, &[])?;
        Ok(GrowingTable { path, length, pending: Vec::new() })
    }

    /// Adds a row.
    pub fn push(&mut self, row: T) {
        self.pending.push(row);
    }

    fn flush(&mut self) -> Result<(), LabError> {
        if self.pending.is_empty() {
            return Ok(());
        }
        let bytes = written(&self.pending, false, &self.path)?;
        append_at(&self.path, self.length, &bytes)?;
        self.length += bytes.len() as u64;
        self.pending.clear();
        Ok(())
    }
}

/// The names of a row's fields as the first line of a table.
fn header<T: Serialize + Default>(path: &Path) -> Result<Vec<u8>, LabError> {
    let mut bytes = written(&[T::default()], true, path)?;
    let end = bytes.iter().position(|b| *b == b'\n').map_or(0, |at| at + 1);
    bytes.truncate(end);
    Ok(bytes)
}

fn written<T: Serialize>(rows: &[T], header: bool, path: &Path) -> Result<Vec<u8>, LabError> {
    let mut writer = csv::WriterBuilder::new().has_headers(header).from_writer(Vec::new());
    for row in rows {
        writer.serialize(row).map_err(|e| LabError::run(path, e.to_string()))?;
    }
    writer.into_inner().map_err(|e| LabError::run(path, e.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::record::csv;

    fn row(step: u64) -> MetricRow {
        MetricRow { step, epoch: 0.1 + 0.2, ..MetricRow::default() }
    }

    #[test]
    fn rows_appended_in_pieces_make_the_table_of_all_rows_at_once() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(place.path()).unwrap();
        let mut tables = Tables::create(&folder, false).unwrap();
        let path = folder.file(names::METRICS);
        let rows: Vec<MetricRow> = (0..5).map(row).collect();
        let header = std::fs::read_to_string(&path).unwrap();
        assert!(header.starts_with("step,epoch,") && header.lines().count() == 1, "{header}");
        for chunk in rows.chunks(2) {
            chunk.iter().for_each(|row| tables.metrics.push(row.clone()));
            tables.flush().unwrap();
        }
        assert_eq!(std::fs::read(&path).unwrap(), csv(&rows, &path).unwrap());
    }

    #[test]
    fn rows_after_a_checkpoint_are_cut_off_when_the_run_goes_on_from_it() {
        let place = tempfile::tempdir().unwrap();
        let folder = Folder::create(place.path()).unwrap();
        let mut tables = Tables::create(&folder, false).unwrap();
        tables.metrics.push(row(1));
        tables.flush().unwrap();
        let kept = tables.lengths();
        tables.metrics.push(row(2));
        tables.flush().unwrap();
        let mut resumed = Tables::resume(&folder, &kept, false).unwrap();
        resumed.metrics.push(row(3));
        resumed.flush().unwrap();
        let path = folder.file(names::METRICS);
        assert_eq!(std::fs::read(&path).unwrap(), csv(&[row(1), row(3)], &path).unwrap());
        std::fs::write(&path, "step\n").unwrap();
        assert!(Tables::resume(&folder, &kept, false).is_err());
    }
}
