//! A process at work, and the file by which others know that it is.

use super::{
    Place,
    life::{host, writer_is_alive},
};
use crate::error::LabError;
use std::{
    fs::File,
    io::Write,
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::Duration,
};

/// How often a worker shows that it is alive.
const BEAT: Duration = Duration::from_secs(15);

/// This process as others see it.
#[derive(Debug)]
pub struct Worker {
    pub(super) place: Place,
    pub(super) path: PathBuf,
    /// Held for its lock.
    pub(super) _file: File,
    stop: Option<Sender<()>>,
    heart: Option<JoinHandle<()>>,
}

impl Worker {
    /// Registers this process.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub fn start(place: &Place) -> Result<Self, LabError> {
        let folder = &place.workers;
        let io = |e| LabError::io(folder, e);
        for entry in std::fs::read_dir(folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if path.is_file() && !worker_is_alive(&path)? {
                // Left by a process that was killed; another may be clearing up at this moment.
                let _ = std::fs::remove_file(path);
            }
        }
        let mut file = tempfile::Builder::new().prefix("worker-").tempfile_in(folder).map_err(io)?;
        // Where locks are not to be had, the file's age alone says who lives.
        let _ = file.as_file().try_lock();
        file.write_all(host().as_bytes()).map_err(io)?;
        let (file, path) = file.keep().map_err(|e| io(e.error))?;
        let (stop, stopped) = channel();
        let beating = path.clone();
        let heart = std::thread::spawn(move || {
            while stopped.recv_timeout(BEAT) == Err(RecvTimeoutError::Timeout) {
                // A beat that fails is made up for by the next.
                let _ = touch(&beating);
            }
        });
        Ok(Worker { place: place.clone(), path, _file: file, stop: Some(stop), heart: Some(heart) })
    }
}

impl Drop for Worker {
    fn drop(&mut self) {
        drop(self.stop.take());
        if let Some(heart) = self.heart.take() {
            let _ = heart.join();
        }
        // A file left behind is one of a dead worker.
        let _ = std::fs::remove_file(&self.path);
    }
}

/// Writes the host's name again, which sets the file's time by the server's clock.
fn touch(path: &Path) -> std::io::Result<()> {
    let mut file = File::options().write(true).open(path)?;
    file.write_all(host().as_bytes())?;
    file.sync_all()
}

/// Whether the worker of that file is alive.
pub fn worker_is_alive(path: &Path) -> Result<bool, LabError> {
    let on_this_host = std::fs::read_to_string(path).is_ok_and(|h| h == host());
    writer_is_alive(path, on_this_host)
}
