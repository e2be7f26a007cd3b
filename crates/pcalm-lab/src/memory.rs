//! Where a run's memory went.

use serde::{Deserialize, Serialize};

/// Memory of this process and what the run holds of it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Memory {
    /// The most the process has held so far (peak resident set); absent where the system does not
    /// say.
    pub peak: Option<u64>,
    /// Weights, their gradient and the optimizer's moments.
    pub weights: u64,
    /// Samples and states of the largest minibatch.
    pub states: u64,
    /// The data set.
    pub data: u64,
}

/// The peak resident set of this process, in bytes.
#[cfg(unix)]
pub fn peak() -> Option<u64> {
    use nix::sys::resource::{UsageWho, getrusage};
    // Apple counts in bytes, everyone else in KiB.
    let unit = if cfg!(target_vendor = "apple") { 1 } else { 1024 };
    let usage = getrusage(UsageWho::RUSAGE_SELF).ok()?;
    u64::try_from(usage.max_rss()).ok().map(|peak| peak * unit)
}

/// Not known on this system.
#[cfg(not(unix))]
pub fn peak() -> Option<u64> {
    None
}
