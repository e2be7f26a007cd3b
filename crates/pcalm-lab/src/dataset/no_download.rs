//! Stands for downloads in a program without the feature `download`.

use super::{DataError, File, Info, fetch::DownloadProgress};
use std::path::Path;

/// Not in this program.
pub(super) fn file<M: AsRef<str>>(
    info: &Info,
    _mirrors: &[M],
    name: &str,
    _file: &File,
    _target: &Path,
    _progress: &mut dyn FnMut(DownloadProgress),
) -> Result<(), DataError> {
    let problem = "this program was built without downloads; build it with the feature `download`".to_owned();
    Err(DataError::Download { name: info.name.to_owned(), file: name.to_owned(), problem })
}
