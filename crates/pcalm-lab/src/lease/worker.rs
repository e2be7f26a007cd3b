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
use tempfile::TempDir;

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
        clear_benches(place)?;
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
        // Waits for who looks whether it is locked and holds the lock for that moment. Where locks are not to be had, the
        // file's age alone says who lives.
        let _ = file.as_file().lock();
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

    /// What claims call it.
    pub(super) fn name(&self) -> String {
        self.path.file_name().unwrap_or_default().to_string_lossy().into_owned()
    }

    /// A folder to make and unmake claims in, which bears the worker's name: what a process that is killed leaves there
    /// is cleared by the next.
    pub(super) fn bench(&self) -> Result<TempDir, LabError> {
        let folder = &self.place.claims;
        let made = tempfile::Builder::new().prefix(&format!(".{}.", self.name())).tempdir_in(folder);
        made.map_err(|e| LabError::io(folder, e))
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

/// Removes what dead workers were making or unmaking.
fn clear_benches(place: &Place) -> Result<(), LabError> {
    let io = |e| LabError::io(&place.claims, e);
    for entry in std::fs::read_dir(&place.claims).map_err(io)? {
        let path = entry.map_err(io)?.path();
        let name = path.file_name().unwrap_or_default().to_string_lossy();
        let Some((worker, _)) = name.strip_prefix('.').and_then(|name| name.rsplit_once('.')) else { continue };
        if !worker_is_alive(&place.workers.join(worker))? {
            // Another process may be clearing up at this moment.
            let _ = std::fs::remove_dir_all(&path);
        }
    }
    Ok(())
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_dead_worker_was_making_is_cleared_and_what_a_live_one_makes_stays() {
        let folder = tempfile::tempdir().unwrap();
        // As in a lock, where claims and workers are together.
        let place = Place { claims: folder.path().to_owned(), workers: folder.path().to_owned() };
        let (lost, at_work) = (Worker::start(&place).unwrap(), Worker::start(&place).unwrap());
        let (left, used) = (lost.bench().unwrap().keep(), at_work.bench().unwrap());
        std::fs::write(left.join("half"), "made").unwrap();
        // As after kill -9: the file stays, its lock goes.
        lost._file.unlock().unwrap();
        let next = Worker::start(&place).unwrap();
        assert!(!left.exists() && used.path().is_dir());
        drop((used, at_work, next));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
