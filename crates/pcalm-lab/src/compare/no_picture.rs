//! Stands for the picture of a comparison where none are drawn: its tables say the same.

use super::ComparisonRow;
use crate::{dataset::Task, error::LabError, folder::Folder, outcome::Outcome};

/// Not in this program.
pub fn draw(_folder: &Folder, _task: Task, _rows: &[ComparisonRow], _finished: &[Outcome]) -> Result<(), LabError> {
    Ok(())
}
