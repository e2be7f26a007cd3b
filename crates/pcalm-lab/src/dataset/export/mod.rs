//! Writing data sets to files that [`load_file`](super::load_file) reads back the same.
//!
//! Arrays: `x`, `y`, `x_test`, `y_test`. Tables: columns `x1`, `x2`, …, then `y` or `y1`, `y2`, …,
//! then `split`, which is `train` or `test`. Classes are written as whole numbers.

mod arrays;
#[cfg(feature = "parquet")]
mod parquet;
mod tables;

use super::{Dataset, Format, split::Split, targets::Targets};
use crate::{LabError, folder::write_whole_file};
use std::{
    io::{BufWriter, Write},
    path::Path,
};

/// Writes `data` to `path` in the format its ending names; a reader sees the whole file or none.
///
/// # Errors
/// If the ending names no format of a single file, or the file cannot be written.
pub fn export(data: &Dataset, path: &Path) -> Result<(), LabError> {
    let write = match Format::of(path) {
        Some(Format::Npz) => arrays::npz,
        Some(Format::Safetensors) => arrays::safetensors,
        Some(Format::Csv) => tables::csv,
        #[cfg(feature = "parquet")]
        Some(Format::Parquet) => parquet::write,
        #[cfg(not(feature = "parquet"))]
        Some(Format::Parquet) => return Err(LabError::option("out", crate::table::NO_PARQUET)),
        Some(Format::Folder) | None => {
            let problem = format!("`{}` names no format; there are {}", path.display(), Format::ENDINGS);
            return Err(LabError::option("out", problem));
        }
    };
    write_whole_file(path, |file| {
        let mut out = BufWriter::new(file);
        write(data, &mut out)?;
        out.flush()
    })
}

/// What a set consists of, by the names arrays have in files.
fn arrays_of(data: &Dataset) -> [(&'static str, &Split, bool); 4] {
    [("x", &data.train, false), ("y", &data.train, true), ("x_test", &data.test, false), ("y_test", &data.test, true)]
}

/// The columns of the targets.
fn target_names(targets: &Targets) -> Vec<String> {
    match targets {
        Targets::Real { dim, .. } if *dim > 1 => (1..=*dim).map(|i| format!("y{i}")).collect(),
        _ => vec!["y".to_owned()],
    }
}

/// The columns of the inputs.
fn input_names(dim: usize) -> impl Iterator<Item = String> {
    (1..=dim).map(|i| format!("x{i}"))
}
