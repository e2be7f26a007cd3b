//! Data sets in a user's own files.
//!
//! Arrays (`FILE.npz`, `FILE.safetensors`, a folder of `.npy` files): `x` is `[n, …]` of any numeric
//! type, flattened row by row; `y` is `[n]` or `[n, k]`. `x_test` and `y_test` are the test set;
//! `x_train` and `y_train` stand for `x` and `y`. Tables (`FILE.csv`, `FILE.parquet`): see
//! [`columns`]. Whole numbers in one target are classes, everything else is real, unless
//! [`FileOptions::task`] says otherwise.
//!
//! A set without a test part gives up a share of its samples: all are put in a random order, drawn
//! from a stream of its own of the split seed's ChaCha8 generator, and the last ones are the test set.
//!
//! Files are read as a stream into the buffer that training uses. They are not mapped into memory:
//! nearly all are of another number type than it, or compressed, and the crates that map files do so
//! by an `unsafe` function.

mod array;
mod arrays;
mod columns;
mod csv;
mod element;
mod npy;
#[cfg(feature = "parquet")]
mod parquet;
mod part;
mod tensors;

use super::{
    DataError,
    inputs::Inputs,
    split::Dataset,
    test_part::{TestPart, draw_test},
};
use columns::WantedColumns;
use std::{fs::File, path::Path};

/// The most classes that whole numbers are taken for.
pub const MOST_CLASSES: usize = 65_536;

/// What the targets of a file are taken for.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TaskChoice {
    /// Whole numbers and names are classes, other numbers are real.
    #[default]
    Auto,
    /// Classes.
    Classification,
    /// Real numbers.
    Regression,
}

impl TaskChoice {
    /// All of them.
    pub const ALL: [TaskChoice; 3] = [TaskChoice::Auto, TaskChoice::Classification, TaskChoice::Regression];

    /// The name used in options.
    pub fn name(self) -> &'static str {
        match self {
            TaskChoice::Auto => "auto",
            TaskChoice::Classification => "classification",
            TaskChoice::Regression => "regression",
        }
    }
}

/// How a file is to be read.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct FileOptions {
    /// The target columns of a table; `None` finds them by their names.
    pub target: Option<Vec<String>>,
    /// What the targets are taken for.
    pub task: TaskChoice,
    /// How a test set is drawn from a file that has none.
    pub test: TestPart,
}

/// A kind of file that data sets are read from and written to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Format {
    /// NumPy's archive of arrays.
    Npz,
    /// Tensors by name.
    Safetensors,
    /// A folder with a `.npy` file for each array.
    Folder,
    /// Comma-separated text with a header.
    Csv,
    /// Apache Parquet.
    Parquet,
}

impl Format {
    /// The formats a single file can have, for messages.
    pub const ENDINGS: &str = ".npz, .safetensors, .csv and .parquet";

    /// The format of what is at `path`, by its ending; a folder is one of `.npy` files.
    pub fn of(path: &Path) -> Option<Format> {
        let ending = path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase);
        match ending.as_deref() {
            Some("npz") => Some(Format::Npz),
            Some("safetensors") => Some(Format::Safetensors),
            Some("csv") => Some(Format::Csv),
            Some("parquet") => Some(Format::Parquet),
            _ => path.is_dir().then_some(Format::Folder),
        }
    }
}

/// The data set in a file, or in a folder of `.npy` files.
///
/// # Errors
/// If it cannot be read or holds anything that cannot be trained on; the message names file, row
/// and column, and the way out.
pub fn load_file(path: &Path, options: &FileOptions) -> Result<Dataset, DataError> {
    let malformed = |problem: String| DataError::Malformed { path: path.to_owned(), problem };
    let found = match open(path, options)? {
        Opened::Csv(file) => csv::read(file, options),
        #[cfg(feature = "parquet")]
        Opened::Parquet(file) => parquet::read(file, options),
        Opened::Arrays(mut file) => arrays::read(&mut *file, options.task),
    };
    let found = found.map_err(malformed)?;
    let (train, test) = match found.test {
        Some(test) => {
            options.test.refuse_for_a_set_with_one()?;
            (found.train, test)
        }
        None => draw_test(found.train, options.test).map_err(malformed)?,
    };
    part::check_that_it_varies(&train).map_err(malformed)?;
    Ok(Dataset { class_names: found.class_names, ..Dataset::new(path.display().to_string(), train, test) })
}

/// The inputs in a file, in file order, whether it has targets or not: a table of `dim` columns has none.
/// Which columns of a longer one are targets is found as for [`load_file`], and they are not looked at.
///
/// # Errors
/// If it cannot be read or holds inputs that are no finite numbers.
pub fn load_inputs(path: &Path, options: &FileOptions, dim: usize) -> Result<Inputs, DataError> {
    let table = |(rows, roles, _): (columns::TableRows, columns::Roles, Vec<String>)| Inputs {
        values: rows.inputs,
        dim: roles.inputs.len(),
        tests: rows.tests,
    };
    let inputs = match open(path, options)? {
        Opened::Csv(file) => csv::rows(file, options, WantedColumns::Inputs(dim)).map(table),
        #[cfg(feature = "parquet")]
        Opened::Parquet(file) => parquet::rows(file, options, WantedColumns::Inputs(dim)).map(table),
        Opened::Arrays(mut file) => arrays::inputs(&mut *file),
    };
    inputs.map_err(|problem| DataError::Malformed { path: path.to_owned(), problem })
}

/// A file of data, ready to be read.
enum Opened {
    Csv(File),
    #[cfg(feature = "parquet")]
    Parquet(File),
    Arrays(Box<dyn arrays::Arrays>),
}

fn open(path: &Path, options: &FileOptions) -> Result<Opened, DataError> {
    let format = Format::of(path).ok_or_else(|| {
        let problem = if path.exists() { "its ending names no format of data" } else { "there is no such file" };
        let problem = format!("{problem}; data is read from {} files and folders of .npy files", Format::ENDINGS);
        DataError::Malformed { path: path.to_owned(), problem }
    })?;
    if options.target.is_some() && !matches!(format, Format::Csv | Format::Parquet) {
        return Err(DataError::option("target", "names columns of .csv and .parquet files; other files hold `y`"));
    }
    let file = || File::open(path).map_err(|source| DataError::Io { path: path.to_owned(), source });
    Ok(match format {
        Format::Csv => Opened::Csv(file()?),
        #[cfg(feature = "parquet")]
        Format::Parquet => Opened::Parquet(file()?),
        #[cfg(not(feature = "parquet"))]
        Format::Parquet => {
            let problem = crate::table::NO_PARQUET.to_owned();
            return Err(DataError::Malformed { path: path.to_owned(), problem });
        }
        Format::Npz => Opened::Arrays(Box::new(npy::Npz::open(file()?, path)?)),
        Format::Safetensors => Opened::Arrays(Box::new(tensors::Tensors::open(file()?, path)?)),
        Format::Folder => Opened::Arrays(Box::new(npy::ArrayFolder::open(path)?)),
    })
}
