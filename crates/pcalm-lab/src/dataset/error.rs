//! What can be wrong with a data set, as messages that name the file and the way out.

use std::path::PathBuf;

/// Errors of loading and fetching data sets.
#[derive(Debug, thiserror::Error)]
pub enum DataError {
    /// No data set has that name.
    #[error("no data set `{name}`; there are {known}")]
    Unknown {
        /// The name asked for.
        name: String,
        /// The names there are.
        known: String,
    },
    /// A named set's files are in none of the places searched.
    #[error(
        "the files of `{name}` are in none of: {looked}; get them with `pcalm data fetch {name}`{package}, or give \
         their folder with --data-dir DIR"
    )]
    Missing {
        /// The set.
        name: String,
        /// The folders searched.
        looked: String,
        /// Words about the system's package that has them, or nothing.
        package: String,
    },
    /// A file is not what it should be.
    #[error("{path}: {problem}")]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Two files that belong together do not fit.
    #[error("{first} and {second}: {problem}")]
    Mismatch {
        /// One file.
        first: PathBuf,
        /// The other.
        second: PathBuf,
        /// What does not fit.
        problem: String,
    },
    /// More samples were asked for than there are, or none.
    #[error("{asked} {part} samples of `{name}` asked for; it has {have}, and at least 1 is needed")]
    Subset {
        /// The set.
        name: String,
        /// The split.
        part: &'static str,
        /// Samples asked for.
        asked: usize,
        /// Samples there are.
        have: usize,
    },
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
    /// A download failed from every source.
    #[error(
        "could not download {file} of `{name}`: {problem}; if this machine is offline, copy the files from another one \
         and give their folder with --data-dir DIR"
    )]
    Download {
        /// The set.
        name: String,
        /// The file.
        file: String,
        /// What went wrong at the last source tried.
        problem: String,
    },
    /// An option's value cannot be used, or would have no effect.
    #[error("invalid option `{name}`: {problem}")]
    Option {
        /// The option as users write it.
        name: &'static str,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// Inputs cannot be shifted and scaled as asked.
    #[error("normalisation: {problem}")]
    Normalisation {
        /// What does not fit.
        problem: String,
    },
    /// A file of a package of the system does not hold what was published.
    #[error(
        "{path}: the SHA-256 of its uncompressed bytes is {found}, of the published ones it is {wanted}; `apt install \
         --reinstall {package}` restores it, and --data-dir DIR takes other files"
    )]
    Altered {
        /// The file.
        path: PathBuf,
        /// What its bytes have.
        found: String,
        /// What they should have.
        wanted: &'static str,
        /// The package.
        package: &'static str,
    },
    /// The set is made by the program, so there is nothing to fetch or find.
    #[error("`{0}` is embedded in the program: there are no files to fetch, verify or locate")]
    Embedded(&'static str),
}

impl DataError {
    pub(super) fn option(name: &'static str, problem: impl Into<String>) -> Self {
        DataError::Option { name, problem: problem.into() }
    }
}
