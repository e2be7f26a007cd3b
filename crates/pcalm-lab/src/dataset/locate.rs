//! Where a named data set's files are.

use super::{
    DataError, FILES,
    registry::{DATASETS, info},
};
use std::path::{Path, PathBuf};

/// Where Debian's packages of data sets put their files.
pub(super) const SYSTEM: &str = "/usr/share/datasets";

/// The folder that holds all four files of `name`: `data_dir` or its subfolder of that name, the
/// same of `PCALM_DATA_DIR`, the cache, or where a package of the system puts them.
///
/// # Errors
/// If no folder does; the message lists those searched.
pub fn path(name: &str, data_dir: Option<&Path>) -> Result<PathBuf, DataError> {
    let info = info(name)?;
    if info.embedded() {
        return Err(DataError::Embedded(info.name));
    }
    let mut folders = Vec::new();
    let environment = std::env::var_os("PCALM_DATA_DIR").map(PathBuf::from);
    for root in data_dir.map(Path::to_owned).into_iter().chain(environment) {
        folders.push(root.join(name));
        // All sets have files of the same names: a folder called after one of them holds no other.
        let other = DATASETS.iter().any(|d| d.name != name && root.file_name().is_some_and(|f| f == d.name));
        if !other {
            folders.push(root);
        }
    }
    folders.extend(cache_dir().map(|cache| cache.join(name)));
    folders.push(Path::new(SYSTEM).join(name));
    if let Some(found) = folders.iter().find(|folder| FILES.iter().all(|f| file(folder, f).is_some())) {
        return Ok(found.clone());
    }
    let looked: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    let package = info.package.map(|p| format!(", install the Debian package `{p}`")).unwrap_or_default();
    Err(DataError::Missing { name: name.to_owned(), looked: looked.join(", "), package })
}

/// The file called `name` (such as `train-images-idx3-ubyte`) in `folder`, plain or gzip; some
/// distributions write a dot before `idx`.
pub(super) fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [format!("{name}.gz"), name.to_owned(), format!("{dotted}.gz"), dotted];
    names.iter().map(|n| folder.join(n)).find(|path| path.is_file())
}

/// The folder downloads are kept in: `$XDG_CACHE_HOME/pcalm`, or `~/.cache/pcalm`.
pub fn cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("pcalm"))
}
