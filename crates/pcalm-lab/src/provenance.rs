//! Which program made a result.

use serde::Serialize;

/// Version and git revision of the program.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct Provenance {
    /// The program.
    pub program: &'static str,
    /// Its version.
    pub version: &'static str,
    /// The git revision it was built from, with `-dirty` if files had changed; `unknown` outside
    /// a checkout.
    pub git_revision: &'static str,
    /// The processor family it runs on; equal bits are promised within one instruction set.
    pub target: &'static str,
}

/// The provenance of results written by this build.
pub fn provenance() -> Provenance {
    Provenance {
        program: "pcalm",
        version: env!("CARGO_PKG_VERSION"),
        git_revision: env!("PCALM_GIT_REVISION"),
        target: std::env::consts::ARCH,
    }
}
