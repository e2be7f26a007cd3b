//! Run folders: files that are either whole or not there.

use crate::error::LabError;
use std::{
    fs::File,
    io::Write,
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
    /// A comparison's picture: test accuracy over epochs.
    pub const PICTURE: &str = "accuracy.svg";
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
    write_whole_file(target, |file| write(file))
}

/// The same for what needs more of a file than to be written to in order.
///
/// # Errors
/// Likewise.
pub fn write_whole_file(target: &Path, write: impl FnOnce(&mut File) -> std::io::Result<()>) -> Result<(), LabError> {
    let io = |e| LabError::io(target, e);
    let parent = target.parent().filter(|p| !p.as_os_str().is_empty()).unwrap_or(Path::new("."));
    let mut file = tempfile::Builder::new().prefix(".partial-").tempfile_in(parent).map_err(io)?;
    write(file.as_file_mut()).map_err(io)?;
    file.as_file().sync_all().map_err(io)?;
    file.persist(target).map_err(|e| io(e.error))?;
    make_readable(target).map_err(io)
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
