//! Where a named data set's files are.

use super::{
    DataError, FILES, Info,
    registry::{DATASETS, info},
};
use std::{
    ffi::OsString,
    path::{Path, PathBuf},
};

/// Where packages of the system put what programs share, if `XDG_DATA_DIRS` does not say otherwise (the default of the
/// XDG base directory specification).
const SHARED: &str = "/usr/local/share:/usr/share";

/// A folder that holds all four files of a set.
pub(super) struct Located {
    pub folder: PathBuf,
    /// Whether it belongs to a package of the system, and not to the user.
    pub packaged: bool,
}

/// The folder that holds all four files of `name`: `data_dir` or its subfolder of that name, the
/// same of `PCALM_DATA_DIR`, the cache, or `datasets/NAME` where packages of the system put what they share:
/// `/usr/share`, or the folders of `XDG_DATA_DIRS`.
///
/// # Errors
/// If no folder does; the message lists those searched.
pub fn path(name: &str, data_dir: Option<&Path>) -> Result<PathBuf, DataError> {
    Ok(located(info(name)?, data_dir)?.folder)
}

/// As [`path`], with whose folder it is.
pub(super) fn located(info: &Info, data_dir: Option<&Path>) -> Result<Located, DataError> {
    if info.embedded() {
        return Err(DataError::Embedded(info.name));
    }
    let mut folders = Vec::new();
    let environment = std::env::var_os("PCALM_DATA_DIR").map(PathBuf::from);
    for root in data_dir.map(Path::to_owned).into_iter().chain(environment) {
        folders.push(root.join(info.name));
        // All sets have files of the same names: a folder called after one of them holds no other.
        let other = DATASETS.iter().any(|d| d.name != info.name && root.file_name().is_some_and(|f| f == d.name));
        if !other {
            folders.push(root);
        }
    }
    folders.extend(cache_dir().map(|cache| cache.join(info.name)));
    let of_users = folders.len();
    folders.extend(shared(std::env::var_os("XDG_DATA_DIRS")).map(|root| root.join("datasets").join(info.name)));
    let whole = |folder: &PathBuf| FILES.iter().all(|f| file(folder, f).is_some());
    if let Some(at) = folders.iter().position(whole) {
        return Ok(Located { folder: folders.swap_remove(at), packaged: at >= of_users });
    }
    let looked: Vec<String> = folders.iter().map(|f| f.display().to_string()).collect();
    let package = info.package.map(|p| format!(", or on Debian with `apt install {p}`")).unwrap_or_default();
    Err(DataError::Missing { name: info.name.to_owned(), looked: looked.join(", "), package })
}

/// The folders of `XDG_DATA_DIRS`, of which those that are not absolute do not count.
fn shared(variable: Option<OsString>) -> impl Iterator<Item = PathBuf> {
    let list = variable.filter(|v| !v.is_empty()).unwrap_or_else(|| SHARED.into());
    std::env::split_paths(&list).filter(|root| root.is_absolute()).collect::<Vec<_>>().into_iter()
}

/// The file called `name` (such as `train-images-idx3-ubyte`) in `folder`, plain or gzip; some
/// distributions write a dot before `idx`.
pub(super) fn file(folder: &Path, name: &str) -> Option<PathBuf> {
    let dotted = name.replace("-idx", ".idx");
    let names = [format!("{name}.gz"), name.to_owned(), format!("{dotted}.gz"), dotted];
    names.iter().map(|n| folder.join(n)).find(|path| path.is_file())
}

/// The same, and where it would be if it is not there.
pub(super) fn file_or_plain(folder: &Path, name: &str) -> PathBuf {
    file(folder, name).unwrap_or_else(|| folder.join(name))
}

/// The folder downloads are kept in: `$XDG_CACHE_HOME/pcalm`, or `~/.cache/pcalm`.
pub fn cache_dir() -> Option<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|v| !v.is_empty()).map(PathBuf::from);
    let cache = set("XDG_CACHE_HOME").or_else(|| Some(set("HOME")?.join(".cache")))?;
    Some(cache.join("pcalm"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shared_folders_are_those_of_the_specification() {
        let folders = |variable: Option<&str>| shared(variable.map(Into::into)).collect::<Vec<_>>();
        let default = ["/usr/local/share", "/usr/share"].map(PathBuf::from);
        assert_eq!(folders(None), default);
        assert_eq!(folders(Some("")), default);
        assert_eq!(folders(Some("/a:b:/c")), ["/a", "/c"].map(PathBuf::from));
    }
}
