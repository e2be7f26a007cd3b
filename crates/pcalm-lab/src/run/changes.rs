//! Options that were changed while a run was under way, with the step from which they hold.

use crate::{
    error::LabError,
    experiment::Difference,
    folder::{Folder, names},
    provenance::Provenance,
    record::{csv, read_csv},
};
use serde::{Deserialize, Serialize};

/// A row of `changes.csv`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
struct ChangeRow {
    /// Training steps done before it.
    step: u64,
    /// The option, or `program`.
    option: String,
    before: String,
    after: String,
}

/// Writes down changes at `step`, those that were not written down before a crash at the same step.
///
/// # Errors
/// If the file is damaged or cannot be written.
pub fn note(folder: &Folder, step: u64, changes: &[Difference]) -> Result<(), LabError> {
    let path = folder.file(names::CHANGES);
    let mut rows: Vec<ChangeRow> = if folder.has(names::CHANGES) { read_csv(&path)? } else { Vec::new() };
    let known = rows.len();
    for Difference { option, before, after } in changes.iter().cloned() {
        let row = ChangeRow { step, option, before, after };
        if !rows.contains(&row) {
            rows.push(row);
        }
    }
    if rows.len() == known { Ok(()) } else { folder.write(names::CHANGES, &csv(&rows, &path)?) }
}

/// The change of program, if another one goes on with the run.
pub fn of_program(before: &Provenance, after: &Provenance) -> Option<Difference> {
    let name = |p: &Provenance| format!("{} {} on {}", p.version, p.git_revision, p.target);
    let (before, after) = (name(before), name(after));
    (before != after).then(|| Difference { option: "program".to_owned(), before, after })
}
