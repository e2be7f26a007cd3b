//! What can go wrong in an experiment, as messages that name the thing and the way out.

use crate::dataset::DataError;
use std::path::{Path, PathBuf};

/// Errors of the lab.
#[derive(Debug, thiserror::Error)]
pub enum LabError {
    /// An option's value cannot be used.
    #[error("invalid option `{name}`: {problem}")]
    Option {
        /// The option as users write it.
        name: String,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A configuration file cannot be used.
    #[error("{path}: {problem}")]
    Config {
        /// The file.
        path: PathBuf,
        /// What is wrong and what would be right.
        problem: String,
    },
    /// A data set cannot be loaded.
    #[error(transparent)]
    Data(#[from] DataError),
    /// The library refused.
    #[error(transparent)]
    Core(#[from] pcalm::Error),
    /// A run folder or checkpoint cannot be used.
    #[error("{path}: {problem}")]
    Run {
        /// The folder or file.
        path: PathBuf,
        /// What is wrong and the way out.
        problem: String,
    },
    /// Only a program with the theory can do it.
    #[error("{wanted}: this build has no theory; build with --features theory")]
    NoTheory {
        /// The option or verb, as users write it.
        wanted: String,
    },
    /// A user stopped it.
    #[error("interrupted; the same command goes on from here")]
    Interrupted,
    /// Reading or writing a file failed.
    #[error("{path}: {source}")]
    Io {
        /// The file.
        path: PathBuf,
        /// The operating system's reason.
        source: std::io::Error,
    },
}

impl LabError {
    pub(crate) fn option(name: &str, problem: impl Into<String>) -> Self {
        LabError::Option { name: name.to_owned(), problem: problem.into() }
    }

    pub(crate) fn io(path: &Path, source: std::io::Error) -> Self {
        LabError::Io { path: path.to_owned(), source }
    }

    pub(crate) fn run(path: &Path, problem: impl Into<String>) -> Self {
        LabError::Run { path: path.to_owned(), problem: problem.into() }
    }
}
