//! Who runs which cell, agreed on through files alone: no locks that a network file system might lack.
//!
//! A process at work has a file in `workers/` that it touches every [`BEAT`]. To run a cell it makes the
//! folder `claims/<key>.<n>`, n being one more than that of the last claim on the cell, by renaming a folder
//! that already names the worker. A rename onto a folder that holds a file fails, on every file system, so
//! one process gets each n. A claim counts while its n is the largest and its worker alive; that of a dead
//! worker is overtaken by n + 1, never taken away.
//!
//! A worker is dead if its file is gone, or if the file has not been touched for [`PATIENCE`] by the file
//! server's clock; on the same host also as soon as its process is gone, which shows in the file no longer
//! being locked.

use super::{key::Key, store::Store};
use crate::error::LabError;
use std::{
    fs::{File, TryLockError},
    io::{ErrorKind, Write},
    path::{Path, PathBuf},
    sync::mpsc::{RecvTimeoutError, Sender, channel},
    thread::JoinHandle,
    time::{Duration, SystemTime},
};

/// How often a worker shows that it is alive.
const BEAT: Duration = Duration::from_secs(15);
/// How long a worker on another host may be silent. Long enough for a file server to be restarted.
const PATIENCE: Duration = Duration::from_secs(600);
/// The file of a claim, which names its worker.
const OWNER: &str = "worker";

/// This process as others see it.
#[derive(Debug)]
pub struct Worker {
    store: Store,
    path: PathBuf,
    /// Held for its lock.
    _file: File,
    stop: Option<Sender<()>>,
    heart: Option<JoinHandle<()>>,
}

/// A cell that a worker may run.
#[derive(Debug, PartialEq, Eq)]
pub struct Claim {
    key: Key,
    number: u64,
}

impl Worker {
    /// Registers this process.
    ///
    /// # Errors
    /// If its file cannot be written.
    pub fn start(store: &Store) -> Result<Self, LabError> {
        let folder = store.workers();
        let io = |e| LabError::io(&folder, e);
        for entry in std::fs::read_dir(&folder).map_err(io)? {
            let path = entry.map_err(io)?.path();
            if !worker_is_alive(&path)? {
                // Left by a process that was killed; another may be clearing up at this moment.
                let _ = std::fs::remove_file(path);
            }
        }
        let mut file = tempfile::Builder::new().prefix("worker-").tempfile_in(&folder).map_err(io)?;
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
        Ok(Worker { store: store.clone(), path, _file: file, stop: Some(stop), heart: Some(heart) })
    }

    /// The right to run a cell; `None` if it is finished, has failed, or another worker has it.
    ///
    /// # Errors
    /// If the claim cannot be written.
    pub fn claim(&self, key: &Key) -> Result<Option<Claim>, LabError> {
        let last = last_claim(&self.store, key)?;
        if let Some(number) = last
            && is_alive(&self.store, &claim_path(&self.store, key, number))?
        {
            return Ok(None);
        }
        let claim = Claim { key: key.clone(), number: last.map_or(0, |n| n + 1) };
        if !self.place(&claim)? {
            return Ok(None);
        }
        // It may have been finished between two looks.
        if self.store.progress(key)? != super::store::Progress::Open {
            self.release(&claim)?;
            return Ok(None);
        }
        Ok(Some(claim))
    }

    /// Whether a claim still counts: a worker that was silent for too long is overtaken.
    ///
    /// # Errors
    /// If the claims cannot be read.
    pub fn holds(&self, claim: &Claim) -> Result<bool, LabError> {
        Ok(last_claim(&self.store, &claim.key)? == Some(claim.number))
    }

    /// Lets others run the cell, or clears up after it is finished.
    ///
    /// # Errors
    /// If the claim cannot be removed.
    pub fn release(&self, claim: &Claim) -> Result<(), LabError> {
        for number in (0..=claim.number).rev() {
            let path = claim_path(&self.store, &claim.key, number);
            match std::fs::remove_dir_all(&path) {
                Err(error) if error.kind() != ErrorKind::NotFound => return Err(LabError::io(&path, error)),
                _ => {}
            }
        }
        Ok(())
    }

    /// Makes the claim's folder; `false` if another worker was first.
    fn place(&self, claim: &Claim) -> Result<bool, LabError> {
        let (folder, target) = (self.store.claims(), claim_path(&self.store, &claim.key, claim.number));
        let io = |e| LabError::io(&folder, e);
        let made = tempfile::Builder::new().prefix(".new-").tempdir_in(&folder).map_err(io)?;
        let name = self.path.file_name().unwrap_or_default();
        std::fs::write(made.path().join(OWNER), name.as_encoded_bytes()).map_err(io)?;
        match std::fs::rename(made.path(), &target) {
            Ok(()) => {
                // It has moved; there is nothing left to clear up.
                let _ = made.keep();
                Ok(true)
            }
            Err(_) if target.is_dir() => Ok(false),
            Err(error) => Err(LabError::io(&target, error)),
        }
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

fn host() -> String {
    gethostname::gethostname().to_string_lossy().into_owned()
}

/// Whether some live worker has the cell.
///
/// # Errors
/// If the claims cannot be read.
pub fn is_running(store: &Store, key: &Key) -> Result<bool, LabError> {
    last_claim(store, key)?.map_or(Ok(false), |number| is_alive(store, &claim_path(store, key, number)))
}

fn claim_path(store: &Store, key: &Key, number: u64) -> PathBuf {
    store.claims().join(format!("{key}.{number}"))
}

fn last_claim(store: &Store, key: &Key) -> Result<Option<u64>, LabError> {
    let folder = store.claims();
    let mut last = None;
    for entry in std::fs::read_dir(&folder).map_err(|e| LabError::io(&folder, e))? {
        let name = entry.map_err(|e| LabError::io(&folder, e))?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix(key.as_str())).and_then(|n| n.strip_prefix('.'));
        last = last.max(number.and_then(|n| n.parse().ok()));
    }
    Ok(last)
}

/// Whether the worker that a claim names is alive.
fn is_alive(store: &Store, claim: &Path) -> Result<bool, LabError> {
    let name = match std::fs::read_to_string(claim.join(OWNER)) {
        Ok(name) => name,
        // Released at this moment; the next look will tell.
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(true),
        Err(e) => return Err(LabError::io(claim, e)),
    };
    worker_is_alive(&store.workers().join(name))
}

/// Whether the worker of that file is alive.
fn worker_is_alive(path: &Path) -> Result<bool, LabError> {
    let io = |e| LabError::io(path, e);
    let file = match File::open(path) {
        Ok(file) => file,
        Err(e) if e.kind() == ErrorKind::NotFound => return Ok(false),
        Err(e) => return Err(io(e)),
    };
    let on_this_host = std::fs::read_to_string(path).is_ok_and(|h| h == host());
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{experiment::Experiment, sweep::key};

    fn store() -> (tempfile::TempDir, Store, Key) {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::create(folder.path()).unwrap();
        (folder, store, key(&Experiment::default()).unwrap())
    }

    /// A claim on `key` by a worker on another host that was last seen `ago`.
    fn foreign_claim(store: &Store, key: &Key, ago: Duration) {
        let worker = store.workers().join("worker-elsewhere");
        std::fs::write(&worker, "another-host").unwrap();
        let touched = SystemTime::now() - ago;
        File::options().write(true).open(&worker).unwrap().set_modified(touched).unwrap();
        let claim = claim_path(store, key, 0);
        std::fs::create_dir(&claim).unwrap();
        std::fs::write(claim.join(OWNER), "worker-elsewhere").unwrap();
    }

    #[test]
    fn of_many_workers_that_claim_a_cell_at_once_one_gets_it() {
        let (_folder, store, key) = store();
        let workers: Vec<Worker> = (0..8).map(|_| Worker::start(&store).unwrap()).collect();
        for _ in 0..50 {
            let key = &key;
            let won: Vec<(&Worker, Claim)> = std::thread::scope(|scope| {
                let tries: Vec<_> = workers
                    .iter()
                    .map(|w| scope.spawn(move || w.claim(key).unwrap().map(|claim| (w, claim))))
                    .collect();
                tries.into_iter().filter_map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(won.len(), 1);
            assert!(won[0].0.holds(&won[0].1).unwrap());
            won[0].0.release(&won[0].1).unwrap();
        }
    }

    #[test]
    fn the_claim_of_a_process_that_is_gone_is_overtaken_once() {
        let (_folder, store, key) = store();
        let lost = Worker::start(&store).unwrap();
        let claim = lost.claim(&key).unwrap().unwrap();
        // As after kill -9: the file stays, its lock goes.
        lost._file.unlock().unwrap();
        let (first, second) = (Worker::start(&store).unwrap(), Worker::start(&store).unwrap());
        let taken = first.claim(&key).unwrap().unwrap();
        assert!(second.claim(&key).unwrap().is_none());
        assert!(first.holds(&taken).unwrap() && !lost.holds(&claim).unwrap());
    }

    #[test]
    fn a_silent_worker_on_another_host_keeps_its_claim_for_a_while() {
        let (_folder, store, key) = store();
        foreign_claim(&store, &key, PATIENCE - Duration::from_secs(60));
        let worker = Worker::start(&store).unwrap();
        assert!(worker.claim(&key).unwrap().is_none());
        assert!(is_running(&store, &key).unwrap());
    }

    #[test]
    fn a_worker_on_another_host_that_was_silent_for_too_long_is_overtaken() {
        let (_folder, store, key) = store();
        foreign_claim(&store, &key, PATIENCE + Duration::from_secs(60));
        let worker = Worker::start(&store).unwrap();
        assert!(!is_running(&store, &key).unwrap());
        assert!(worker.claim(&key).unwrap().is_some());
    }

    #[test]
    fn a_worker_that_ends_leaves_nothing_behind() {
        let (_folder, store, key) = store();
        let worker = Worker::start(&store).unwrap();
        let claim = worker.claim(&key).unwrap().unwrap();
        worker.release(&claim).unwrap();
        drop(worker);
        for folder in [store.claims(), store.workers()] {
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
        }
    }
}
