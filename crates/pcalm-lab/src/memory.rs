//! Where a run's memory goes, and whether the machine has it.

use crate::{
    error::LabError,
    experiment::{Experiment, Plan},
};
use pcalm::{
    backend::Host,
    memory::{parameters, state_bytes, weight_bytes},
    real::Real,
};
use serde::{Deserialize, Serialize};
use std::{
    fs::read_to_string,
    path::{Path, PathBuf},
};

/// Memory of this process and what the run holds of it, in bytes.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct MemoryUse {
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

/// Refuses a run that needs more memory than there is, before it takes any.
///
/// # Errors
/// If it does; the message has both numbers.
pub fn afford<B: Host>(plan: &Plan, experiment: &Experiment, backend: &B) -> Result<(), LabError> {
    let needed = needed(plan, experiment, backend);
    let available = available().unwrap_or(u64::MAX);
    if needed.is_some_and(|needed| needed <= available) {
        return Ok(());
    }
    let gib = |bytes: u64| format!("{:.1} GiB", bytes as f64 / (1u64 << 30) as f64);
    let needed = needed.map_or_else(|| "more than 2⁶⁴ bytes".to_owned(), gib);
    let widths = &plan.architecture.widths;
    let hidden = &widths[1..widths.len() - 1];
    let option = if experiment.widths.is_some() { "widths" } else { "width" };
    let shape = format!("{} hidden layers of width {} and less", hidden.len(), hidden.iter().max().unwrap_or(&0));
    let found = if available == u64::MAX { String::new() } else { format!(", but {} are free", gib(available)) };
    let problem = format!("{shape} need {needed} of memory{found}; take a smaller --width, --depth or --batch");
    Err(LabError::option(option, problem))
}

/// Bytes that a run takes at once: weights, gradients (BP's beside the rule's in a probe) and moments, a checkpoint
/// read back as bytes and as numbers, and states; its data set is there already.
fn needed<B: Host>(plan: &Plan, experiment: &Experiment, backend: &B) -> Option<u64> {
    let (architecture, number) = (&plan.architecture, B::Real::BYTES);
    let moments = plan.optimizer.method.info().moments;
    // Beside weights, gradient and moments: BP's gradient, and the checkpoint twice.
    let copies = moments + 1 + 2 * (1 + moments);
    let samples = experiment.batch.max(experiment.probe_samples).min(plan.samples);
    let weights = weight_bytes(parameters(architecture)?, number, copies)?;
    // Momentum and a look at the gradient, which some rules keep.
    weights.checked_add(state_bytes(backend, architecture, samples, 2)?)
}

/// Bytes that can still be had: of the machine, of this process's control groups, and within its own limit.
pub fn available() -> Option<u64> {
    let limits = [of_machine(), of_groups(), of_process()];
    limits.into_iter().flatten().min()
}

fn of_machine() -> Option<u64> {
    let text = read_to_string("/proc/meminfo").ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix("MemAvailable:"))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok()?.checked_mul(1024)
}

/// The least that one of the groups this process is in leaves it.
fn of_groups() -> Option<u64> {
    let own = read_to_string("/proc/self/cgroup").ok()?;
    let root = Path::new("/sys/fs/cgroup");
    own.lines()
        .filter_map(|line| {
            let (controllers, path) = line.split_once(':')?.1.split_once(':')?;
            let place = PathBuf::from(path.trim_start_matches('/'));
            match controllers {
                "" => left(root, &place, ["memory.max", "memory.current"]),
                list if list.split(',').any(|c| c == "memory") => {
                    left(&root.join("memory"), &place, ["memory.limit_in_bytes", "memory.usage_in_bytes"])
                }
                _ => None,
            }
        })
        .min()
}

/// The least that a group or one above it has left. Files kept in memory can be given up.
fn left(root: &Path, group: &Path, [limit, usage]: [&str; 2]) -> Option<u64> {
    let of = |place: &Path| {
        let number = |name: &str| read_to_string(root.join(place).join(name)).ok()?.trim().parse::<u64>().ok();
        let cached = read_to_string(root.join(place).join("memory.stat")).ok().and_then(|text| {
            text.lines().find_map(|line| line.strip_prefix("inactive_file ")?.trim().parse::<u64>().ok())
        });
        let held = number(usage)?.saturating_sub(cached.unwrap_or(0));
        Some(number(limit)?.saturating_sub(held))
    };
    group.ancestors().filter_map(of).min()
}

/// What `ulimit -v` leaves.
#[cfg(unix)]
fn of_process() -> Option<u64> {
    use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
    let (limit, _) = getrlimit(Resource::RLIMIT_AS).ok()?;
    let pages: u64 = read_to_string("/proc/self/statm").ok()?.split_whitespace().next()?.parse().ok()?;
    (limit != RLIM_INFINITY).then(|| limit.saturating_sub(pages * PAGE))
}

/// Bytes in a page where `statm` is; larger ones only make the estimate more careful.
#[cfg(unix)]
const PAGE: u64 = 4096;

#[cfg(not(unix))]
fn of_process() -> Option<u64> {
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_group_has_what_the_tightest_one_above_it_leaves() {
        let root = tempfile::tempdir().unwrap();
        let inner = root.path().join("a/b");
        std::fs::create_dir_all(&inner).unwrap();
        let write = |place: &Path, limit: &str, usage: &str| {
            std::fs::write(place.join("memory.max"), limit).unwrap();
            std::fs::write(place.join("memory.current"), usage).unwrap();
        };
        write(&inner, "max\n", "50\n");
        write(&root.path().join("a"), "1000\n", "400\n");
        std::fs::write(root.path().join("a/memory.stat"), "anon 300\ninactive_file 100\n").unwrap();
        // 1000 − (400 − 100).
        assert_eq!(left(root.path(), Path::new("a/b"), ["memory.max", "memory.current"]), Some(700));
        assert_eq!(left(root.path(), Path::new("c"), ["memory.max", "memory.current"]), None);
    }

    #[test]
    fn this_machine_has_some_memory_left() {
        assert!(!cfg!(target_os = "linux") || available().is_some_and(|bytes| bytes > 1 << 20));
    }
}
