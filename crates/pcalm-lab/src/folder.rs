//! Run folders: files that are either whole or not there.

use crate::{
    error::LabError,
    lease::{host, writer_is_alive},
};
use std::{
    fs::File,
    io::{Seek, SeekFrom, Write},
    path::{Path, PathBuf},
};

/// Names of the files of a run.
pub mod names {
    /// The resolved configuration.
    pub const CONFIG: &str = "config.toml";
    /// Program version, git revision and machine-independent facts of the run.
    pub const PROVENANCE: &str = "run.json";
    /// A row every `metrics-every` steps.
    pub const METRICS: &str = "metrics.csv";
    /// A row per epoch.
    pub const EPOCHS: &str = "epochs.csv";
    /// A row per epoch and weight matrix.
    pub const LAYERS: &str = "layers.csv";
    /// A row per measurement of the stability, if it is watched.
    pub const STABILITY: &str = "stability.csv";
    /// Options that were changed on the way, if any were.
    pub const CHANGES: &str = "changes.csv";
    /// The outcome.
    pub const SUMMARY: &str = "summary.json";
    /// Wall times and memory, apart from everything that is the same on every run.
    pub const COST: &str = "cost.json";
    /// Where the run can go on.
    pub const CHECKPOINT: &str = "checkpoint.safetensors";
    /// The trained network.
    pub const NETWORK: &str = "network.safetensors";
    /// A comparison's table.
    pub const COMPARISON_CSV: &str = "compare.csv";
    /// A comparison's table.
    pub const COMPARISON_JSON: &str = "compare.json";
    /// A comparison's runs, a row each.
    pub const COMPARISON_RUNS: &str = "runs.csv";
    /// A comparison's picture: test accuracy over epochs.
    pub const PICTURE: &str = "accuracy.svg";
    /// In regression: test loss over epochs.
    pub const LOSS_PICTURE: &str = "loss.svg";
    /// All files of a comparison, beside the folders of its runs.
    pub const OF_A_COMPARISON: [&str; 7] =
        [PROVENANCE, CONFIG, COMPARISON_CSV, COMPARISON_JSON, COMPARISON_RUNS, PICTURE, LOSS_PICTURE];
    /// All files of one training run.
    pub const OF_A_RUN: [&str; 11] =
        [SUMMARY, CHECKPOINT, CONFIG, PROVENANCE, METRICS, EPOCHS, LAYERS, STABILITY, CHANGES, COST, NETWORK];
}

/// A folder that results are written to.
#[derive(Clone, Debug)]
pub struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes the folder and its parents.
    ///
    /// # Errors
    /// If it cannot be made or written to.
    pub fn create(path: &Path) -> Result<Self, LabError> {
        std::fs::create_dir_all(path).map_err(|e| LabError::io(path, e))?;
        let folder = Folder { path: path.to_owned() };
        // Found out now rather than after the first epoch.
        tempfile::NamedTempFile::new_in(path).map_err(|e| LabError::io(path, e))?;
        clear_partials(path)?;
        Ok(folder)
    }

    /// A folder that is there already.
    pub fn existing(path: &Path) -> Self {
        Folder { path: path.to_owned() }
    }

    /// The folder.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// The path of a file in it.
    pub fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Writes a file whole: to a temporary name, to disk, then renamed over the old one.
    ///
    /// # Errors
    /// If any of that fails; the old file is then still there.
    pub fn write(&self, name: &str, bytes: &[u8]) -> Result<(), LabError> {
        self.write_with(name, |out| out.write_all(bytes))
    }

    /// The same for a file that is too large to hold a second time in memory.
    ///
    /// # Errors
    /// Likewise.
    pub fn write_with(
        &self,
        name: &str,
        write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>,
    ) -> Result<(), LabError> {
        write_whole(&self.file(name), write)
    }

    /// Whether there is such a file.
    pub fn has(&self, name: &str) -> bool {
        self.file(name).is_file()
    }

    /// Removes files, those that are there.
    ///
    /// # Errors
    /// If one cannot be removed.
    pub fn remove(&self, names: &[&str]) -> Result<(), LabError> {
        for path in names.iter().map(|name| self.file(name)) {
            match std::fs::remove_file(&path) {
                Err(error) if error.kind() != std::io::ErrorKind::NotFound => return Err(LabError::io(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Reads a file.
    ///
    /// # Errors
    /// If it cannot be read.
    pub fn read(&self, name: &str) -> Result<Vec<u8>, LabError> {
        let path = self.file(name);
        std::fs::read(&path).map_err(|e| LabError::io(&path, e))
    }

    /// Reads a text file.
    ///
    /// # Errors
    /// If it cannot be read or is not UTF-8.
    pub fn read_text(&self, name: &str) -> Result<String, LabError> {
        let path = self.file(name);
        std::fs::read_to_string(&path).map_err(|e| LabError::io(&path, e))
    }
}

/// Lets `write` write to `target` so that a reader sees the old file or the whole new one.
///
/// # Errors
/// If the folder is missing or cannot be written to, or the disk is full.
pub fn write_whole(target: &Path, write: impl FnOnce(&mut dyn Write) -> std::io::Result<()>) -> Result<(), LabError> {
    write_checked(target, |file| write(file), |_| Ok(()))
}

/// The same for what needs more of a file than to be written to in order.
///
/// # Errors
/// Likewise.
pub fn write_whole_file(target: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), LabError> {
    write_checked(target, write, |_| Ok(()))
}

/// The same, but the new file takes the old one's place only after `check` has found it good on disk.
///
/// # Errors
/// Likewise, and if the check fails.
pub fn write_checked(
    target: &Path,
    write: impl FnOnce(&mut File) -> std::io::Result<()>,
    check: impl FnOnce(&Path) -> Result<(), LabError>,
) -> Result<(), LabError> {
    let io = |e| LabError::io(target, e);
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(&partial_prefix()).tempfile_in(parent).map_err(io)?;
    // Shows to others on this host that its writer lives; see `clear_partials`.
    let _ = file.as_file().try_lock();
    write(file.as_file_mut()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    check(file.path())?;
    make_readable(file.path()).map_err(io)?;
    file.persist(target).map_err(|e| io(e.error))?;
    Ok(())
}

/// Adds `bytes` to a file behind its first `length` bytes; whatever a broken attempt left there is cut off.
///
/// # Errors
/// If the file is missing or shorter, or cannot be written to.
pub fn append_at(path: &Path, length: u64, bytes: &[u8]) -> Result<(), LabError> {
    let io = |e| LabError::io(path, e);
    let mut file = File::options().write(true).open(path).map_err(io)?;
    let found = file.metadata().map_err(io)?.len();
    if found < length {
        let problem = format!("has {found} bytes, but {length} were written; it was changed from outside");
        return Err(LabError::run(path, problem));
    }
    file.set_len(length).map_err(io)?;
    file.seek(SeekFrom::Start(length)).map_err(io)?;
    file.write_all(bytes).and_then(|()| file.sync_all()).map_err(io)
}

/// What names of files that are not whole yet begin with.
const PARTIAL: &str = ".partial-";

/// `.partial-<host>-<process>-`.
fn partial_prefix() -> String {
    format!("{PARTIAL}{}-{}-", host(), std::process::id())
}

/// Whether the writer of an unfinished file may be at work. Its process counts too: for a moment after the file is
/// made it is not locked yet.
fn may_be_written(path: &Path) -> Result<bool, LabError> {
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let here = name.strip_prefix(&format!("{PARTIAL}{}-", host())).map(str::to_owned);
    let process = here.as_ref().and_then(|rest| rest.split('-').next()?.parse().ok());
    Ok(writer_is_alive(path, here.is_some())? || process.is_some_and(is_running))
}

#[cfg(unix)]
fn is_running(process: i32) -> bool {
    // Signal 0 is never delivered; a process of another user is there too.
    let found = nix::sys::signal::kill(nix::unistd::Pid::from_raw(process), None);
    !matches!(found, Err(nix::errno::Errno::ESRCH))
}

#[cfg(not(unix))]
fn is_running(_process: i32) -> bool {
    false
}

/// Removes what writers that were killed have left unfinished in a folder. Files of writers that may be alive stay.
///
/// # Errors
/// If the folder cannot be read.
pub fn clear_partials(folder: &Path) -> Result<(), LabError> {
    for entry in std::fs::read_dir(folder).map_err(|e| LabError::io(folder, e))? {
        let path = entry.map_err(|e| LabError::io(folder, e))?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        if name.starts_with(PARTIAL) && !may_be_written(&path)? {
            // Another process may be clearing up at this moment.
            let _ = std::fs::remove_file(&path);
        }
    }
    Ok(())
}

/// Temporary files are private to their owner; results are ordinary files.
#[cfg(unix)]
fn make_readable(path: &Path) -> std::io::Result<()> {
    use std::os::unix::fs::PermissionsExt;
    std::fs::set_permissions(path, std::fs::Permissions::from_mode(0o644))
}

#[cfg(not(unix))]
fn make_readable(_path: &Path) -> std::io::Result<()> {
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_killed_writer_left_is_cleared_and_what_a_live_one_writes_stays() {
        let place = tempfile::tempdir().unwrap();
        // No process has this number: they end below 2^22.
        let left = place.path().join(format!("{PARTIAL}{}-999999999-left", host()));
        std::fs::write(&left, "half").unwrap();
        let elsewhere = place.path().join(".partial-another-host-x");
        std::fs::write(&elsewhere, "half").unwrap();
        let target = place.path().join("whole");
        write_whole(&target, |out| {
            clear_partials(place.path()).unwrap();
            out.write_all(b"whole")
        })
        .unwrap();
        assert_eq!(std::fs::read(&target).unwrap(), b"whole");
        assert!(!left.exists());
        assert!(elsewhere.exists(), "a writer on another host may be slow");
    }

    #[test]
    fn a_file_that_fails_its_check_does_not_take_the_old_ones_place() {
        let place = tempfile::tempdir().unwrap();
        let target = place.path().join("file");
        std::fs::write(&target, "old").unwrap();
        let refuse = |path: &Path| Err(LabError::run(path, "damaged"));
        assert!(write_checked(&target, |out| out.write_all(b"new"), refuse).is_err());
        assert_eq!(std::fs::read(&target).unwrap(), b"old");
        assert_eq!(std::fs::read_dir(place.path()).unwrap().count(), 1);
    }

    #[test]
    fn rows_are_appended_behind_what_counts_and_a_file_cut_from_outside_is_noticed() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("rows");
        std::fs::write(&path, "head\nhalf a r").unwrap();
        append_at(&path, 5, b"row\n").unwrap();
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "head\nrow\n");
        assert!(append_at(&path, 100, b"row\n").unwrap_err().to_string().contains("changed from outside"));
    }
}
