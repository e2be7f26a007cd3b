//! What a run is stored under: a hash of its configuration.

use crate::{
    error::LabError,
    experiment::{Experiment, to_toml},
};
use serde::{Deserialize, Serialize};
use sha2::{Digest, Sha256};
use std::fmt;

/// The first 64 bits of the SHA-256 of a resolved configuration, as 16 hexadecimal digits.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(String);

/// Hexadecimal digits.
const DIGITS: usize = 16;

impl Key {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// The key of an experiment. Where its data lie is no part of it: a data set is known by its name, so that
/// machines that keep it in different folders share their runs.
///
/// # Errors
/// If a path in the experiment is not UTF-8.
pub fn key(experiment: &Experiment) -> Result<Key, LabError> {
    let text = to_toml(&Experiment { data_dir: None, ..experiment.clone() })?;
    let digest = Sha256::digest(text.as_bytes());
    let digits: String = digest.iter().take(DIGITS / 2).map(|byte| format!("{byte:02x}")).collect();
    Ok(Key(digits))
}
