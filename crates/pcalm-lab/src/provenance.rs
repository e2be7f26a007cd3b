//! Which program made a result.

use crate::experiment::Contents;
use serde::{Deserialize, Serialize};

/// Version and git revision of the program.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Provenance {
    /// The program.
    pub program: String,
    /// Its version.
    pub version: String,
    /// The git revision it was built from, with `-dirty` if files had changed; `unknown` outside
    /// a checkout.
    pub git_revision: String,
    /// The processor family it runs on; equal bits are promised within one instruction set.
    pub target: String,
    /// What the folder holds, as the command that made it: `train`, `compare`, `theory wave` …
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub command: String,
    /// What the files it was made from held.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub contents: Option<Contents>,
}

/// The provenance of results written by this build.
pub fn provenance() -> Provenance {
    Provenance {
        program: "pcalm".to_owned(),
        version: env!("CARGO_PKG_VERSION").to_owned(),
        git_revision: env!("PCALM_GIT_REVISION").to_owned(),
        target: std::env::consts::ARCH.to_owned(),
        command: String::new(),
        contents: None,
    }
}

/// The provenance of a folder of results.
pub fn provenance_of(command: &str, contents: &Contents) -> Provenance {
    Provenance { command: command.to_owned(), contents: Some(contents.clone()), ..provenance() }
}
