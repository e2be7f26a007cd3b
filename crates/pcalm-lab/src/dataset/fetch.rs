//! Downloads with checksums, retries and resumption.

use super::{DataError, FILES, Info, download, integrity::checksum, locate::cache_dir, registry::info};
use std::{
    fs,
    path::{Path, PathBuf},
};

/// How far a download is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct DownloadProgress<'a> {
    /// The file.
    pub file: &'a str,
    /// Bytes on disk.
    pub done: u64,
    /// Bytes in all.
    pub total: u64,
}

/// Downloads the set called `name` into the cache, unless it is there already; returns its folder.
///
/// # Errors
/// If the name is unknown or embedded, or every source failed.
pub fn fetch(name: &str, progress: &mut dyn FnMut(DownloadProgress)) -> Result<PathBuf, DataError> {
    let info = info(name)?;
    if info.embedded() {
        return Err(DataError::Embedded(info.name));
    }
    let cache = cache_dir().ok_or_else(|| DataError::Io {
        path: PathBuf::from("~/.cache/pcalm"),
        source: std::io::Error::other("neither XDG_CACHE_HOME nor HOME says where the cache is"),
    })?;
    let folder = cache.join(name);
    fetch_from(info, info.mirrors, &folder, progress)?;
    Ok(folder)
}

/// Downloads the files of `info` from the first of `mirrors` that works into `folder`.
///
/// # Errors
/// If the folder cannot be written to, or every mirror failed.
pub fn fetch_from<M: AsRef<str>>(
    info: &Info,
    mirrors: &[M],
    folder: &Path,
    progress: &mut dyn FnMut(DownloadProgress),
) -> Result<(), DataError> {
    fs::create_dir_all(folder).map_err(|source| io(folder, source))?;
    for (name, file) in FILES.iter().zip(&info.files) {
        let name = format!("{name}.gz");
        let target = folder.join(&name);
        if target.is_file() && checksum(&target)? == file.sha256 {
            progress(DownloadProgress { file: &name, done: file.size, total: file.size });
            continue;
        }
        download::file(info, mirrors, &name, file, &target, progress)?;
    }
    Ok(())
}

pub(super) fn io(path: &Path, source: std::io::Error) -> DataError {
    DataError::Io { path: path.to_owned(), source }
}
