//! Whether another process is alive, as far as its file tells.

use crate::error::LabError;
use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Write},
    path::Path,
    time::{Duration, SystemTime},
};

/// How long a worker on another host may be silent. Long enough for a file server to be restarted.
pub const PATIENCE: Duration = Duration::from_secs(600);

/// This machine's name.
pub fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Whether the process that keeps a file locked while it lives is alive: on this host the lock says so, elsewhere
/// how long the file has not been touched.
pub fn writer_is_alive(path: &Path, on_this_host: bool) -> Result<bool, LabError> {
    let io = |e| LabError::io(path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(io(e)),
    };
    match file.try_lock() {
        Ok(()) if on_this_host => return Ok(false),
        Err(TryLockError::WouldBlock) => return Ok(true),
        _ => {}
    }
    let touched = file.metadata().and_then(|m| m.modified()).map_err(io)?;
    let silent = server_time(path.parent().unwrap_or(path)).duration_since(touched).unwrap_or_default();
    Ok(silent < PATIENCE)
}

/// The time by the clock that sets the files' times, which may not be this host's.
fn server_time(folder: &Path) -> SystemTime {
    let made = tempfile::tempfile_in(folder).and_then(|mut f| f.write_all(b"?").and_then(|()| f.metadata()));
    made.and_then(|m| m.modified()).unwrap_or_else(|_| SystemTime::now())
}
