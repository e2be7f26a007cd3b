//! What a run is stored under: the digits of its identity.

use crate::experiment::RunIdentity;
use serde::{Deserialize, Serialize};
use std::fmt;

/// Sixteen hexadecimal digits that stand for everything that decides a run.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct Key(String);

impl Key {
    /// The digits.
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl From<&RunIdentity> for Key {
    fn from(identity: &RunIdentity) -> Self {
        Key(identity.digits())
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.write_str(&self.0)
    }
}
