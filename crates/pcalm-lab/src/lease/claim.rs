//! The right to work on a thing: a folder with a number that names its worker.

use super::{Place, Worker, worker::worker_is_alive};
use crate::error::LabError;
use serde::{Deserialize, Serialize};
use std::{
    io::ErrorKind,
    path::{Path, PathBuf},
};

/// The file of a claim, which names its worker.
const OWNER: &str = "worker";

/// The right to work on a thing.
#[derive(Debug, PartialEq, Eq)]
pub struct WorkClaim {
    thing: String,
    number: u64,
    deaths: u32,
}

/// What stands in a claim's file.
#[derive(Debug, Serialize, Deserialize)]
struct Owner {
    worker: String,
    /// Earlier workers that died in a row without getting further.
    deaths: u32,
    /// How far the work was when the claim was made.
    reached: String,
}

impl WorkClaim {
    /// How many workers died in a row on the thing without getting further than they had found it.
    pub fn deaths(&self) -> u32 {
        self.deaths
    }
}

impl Worker {
    /// The right to work on a thing; `None` if another worker has it. `reached` says how far the work is, in words
    /// that change when it gets further: workers that died without changing them are counted.
    ///
    /// # Errors
    /// If the claim cannot be written.
    pub fn claim(&self, thing: &str, reached: &str) -> Result<Option<WorkClaim>, LabError> {
        let last = last_claim(&self.place, thing)?;
        let mut deaths = 0;
        let mut number = last.map_or(0, |n| n + 1);
        if let Some(last) = last {
            let path = claim_path(&self.place, thing, last);
            match owner(&path)? {
                Some(owner) if worker_is_alive(&self.place.workers.join(&owner.worker))? => return Ok(None),
                Some(owner) if owner.reached == reached => deaths = owner.deaths + 1,
                Some(_) => {}
                // Nobody's: earlier versions, killed in a release, left such. A folder is renamed onto an empty one.
                None if path.is_dir() => number = last,
                // Released at this moment; the next look will tell.
                None => return Ok(None),
            }
        }
        let claim = WorkClaim { thing: thing.to_owned(), number, deaths };
        Ok(self.make(&claim, reached)?.then_some(claim))
    }

    /// Whether a claim still counts: a worker that was silent for too long is overtaken.
    ///
    /// # Errors
    /// If the claims cannot be read.
    pub fn holds(&self, claim: &WorkClaim) -> Result<bool, LabError> {
        Ok(last_claim(&self.place, &claim.thing)? == Some(claim.number))
    }

    /// Lets others work on the thing, or clears up after it is done.
    ///
    /// # Errors
    /// If the claim cannot be removed.
    pub fn release(&self, claim: &WorkClaim) -> Result<(), LabError> {
        self.remove(&claim.thing, claim.number)
    }

    /// Makes the claim's folder; `false` if another worker was first.
    fn make(&self, claim: &WorkClaim, reached: &str) -> Result<bool, LabError> {
        let target = claim_path(&self.place, &claim.thing, claim.number);
        let owner = Owner { worker: self.name(), deaths: claim.deaths, reached: reached.to_owned() };
        let text = serde_json::to_vec(&owner).map_err(|e| LabError::run(&target, e.to_string()))?;
        let made = self.bench()?;
        std::fs::write(made.path().join(OWNER), text).map_err(|e| LabError::io(made.path(), e))?;
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

    /// Forgets the claims on a thing, and with them how many workers died on it, unless a live one has it.
    ///
    /// # Errors
    /// If the claims cannot be read or removed.
    pub fn forgive(&self, thing: &str) -> Result<(), LabError> {
        match last_claim(&self.place, thing)? {
            Some(last) if !is_held(&self.place, thing, last)? => self.remove(thing, last),
            _ => Ok(()),
        }
    }

    /// Removes the claims on a thing up to this one. What is gone already is done: another process may be forgiving
    /// the same.
    fn remove(&self, thing: &str, last: u64) -> Result<(), LabError> {
        let done = |path: &Path, outcome: std::io::Result<()>| match outcome {
            Err(error) if error.kind() != ErrorKind::NotFound => Err(LabError::io(path, error)),
            _ => Ok(()),
        };
        // Moved away whole and then removed: a claim whose process is killed here is there with its owner or is not,
        // and nobody waits for one that has none.
        let gone = self.bench()?;
        for number in (0..=last).rev() {
            let path = claim_path(&self.place, thing, number);
            done(&path, std::fs::rename(&path, gone.path().join(number.to_string())))?;
        }
        done(&self.place.claims, gone.close())
    }
}

/// Whether some live worker has the thing.
///
/// # Errors
/// If the claims cannot be read.
pub fn is_taken(place: &Place, thing: &str) -> Result<bool, LabError> {
    last_claim(place, thing)?.map_or(Ok(false), |number| is_held(place, thing, number))
}

/// Whether the worker of that claim is alive.
fn is_held(place: &Place, thing: &str, number: u64) -> Result<bool, LabError> {
    owner(&claim_path(place, thing, number))?.map_or(Ok(false), |o| worker_is_alive(&place.workers.join(o.worker)))
}

fn claim_path(place: &Place, thing: &str, number: u64) -> PathBuf {
    place.claims.join(format!("{thing}.{number}"))
}

fn last_claim(place: &Place, thing: &str) -> Result<Option<u64>, LabError> {
    let folder = &place.claims;
    let mut last = None;
    for entry in std::fs::read_dir(folder).map_err(|e| LabError::io(folder, e))? {
        let name = entry.map_err(|e| LabError::io(folder, e))?.file_name();
        let number = name.to_str().and_then(|n| n.strip_prefix(thing)).and_then(|n| n.strip_prefix('.'));
        last = last.max(number.and_then(|n| n.parse().ok()));
    }
    Ok(last)
}

/// Whose claim it is; `None` if it has just been released.
fn owner(claim: &Path) -> Result<Option<Owner>, LabError> {
    let path = claim.join(OWNER);
    match std::fs::read(&path) {
        Ok(text) => serde_json::from_slice(&text).map(Some).map_err(|e| LabError::run(&path, e.to_string())),
        Err(e) if e.kind() == ErrorKind::NotFound => Ok(None),
        Err(e) => Err(LabError::io(&path, e)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::lease::PATIENCE;
    use std::{
        fs::File,
        time::{Duration, SystemTime},
    };

    const THING: &str = "thing";

    fn place() -> (tempfile::TempDir, Place) {
        let folder = tempfile::tempdir().unwrap();
        let place = Place { claims: folder.path().join("claims"), workers: folder.path().join("workers") };
        std::fs::create_dir(&place.claims).unwrap();
        std::fs::create_dir(&place.workers).unwrap();
        (folder, place)
    }

    /// A claim by a worker on another host that was last seen `ago`.
    fn foreign_claim(place: &Place, ago: Duration) {
        let worker = place.workers.join("worker-elsewhere");
        std::fs::write(&worker, "another-host").unwrap();
        let touched = SystemTime::now() - ago;
        File::options().write(true).open(&worker).unwrap().set_modified(touched).unwrap();
        let claim = claim_path(place, THING, 0);
        std::fs::create_dir(&claim).unwrap();
        let owner = Owner { worker: "worker-elsewhere".into(), deaths: 0, reached: String::new() };
        std::fs::write(claim.join(OWNER), serde_json::to_vec(&owner).unwrap()).unwrap();
    }

    #[test]
    fn of_many_workers_that_claim_a_thing_at_once_one_gets_it() {
        let (_folder, place) = place();
        let workers: Vec<Worker> = (0..8).map(|_| Worker::start(&place).unwrap()).collect();
        for _ in 0..50 {
            let won: Vec<(&Worker, WorkClaim)> = std::thread::scope(|scope| {
                let tries: Vec<_> = workers
                    .iter()
                    .map(|w| scope.spawn(move || w.claim(THING, "").unwrap().map(|claim| (w, claim))))
                    .collect();
                tries.into_iter().filter_map(|t| t.join().unwrap()).collect()
            });
            assert_eq!(won.len(), 1);
            assert!(won[0].0.holds(&won[0].1).unwrap());
            won[0].0.release(&won[0].1).unwrap();
        }
    }

    /// A process may be killed anywhere in a release: an empty claim would be waited for by everybody for ever.
    #[cfg(target_os = "linux")]
    #[test]
    fn a_claim_is_never_seen_without_its_owner() {
        use std::os::{fd::AsRawFd, unix::fs::MetadataExt};
        let (_folder, place) = place();
        let path = claim_path(&place, THING, 0);
        let named = || std::fs::metadata(&path).ok().map(|m| m.ino());
        let done = std::sync::atomic::AtomicBool::new(false);
        std::thread::scope(|scope| {
            scope.spawn(|| {
                let worker = Worker::start(&place).unwrap();
                for _ in 0..2000 {
                    worker.release(&worker.claim(THING, "").unwrap().unwrap()).unwrap();
                }
                done.store(true, std::sync::atomic::Ordering::SeqCst);
            });
            while !done.load(std::sync::atomic::Ordering::SeqCst) {
                // While the folder is open no other gets its number.
                let (Some(before), Ok(open)) = (named(), File::open(&path)) else { continue };
                let inside = std::fs::read_dir(format!("/proc/self/fd/{}", open.as_raw_fd())).unwrap().count();
                let same = open.metadata().unwrap().ino() == before && named() == Some(before);
                assert!(inside == 1 || !same, "a claim of nobody");
            }
        });
    }

    #[test]
    fn the_claim_of_a_process_that_is_gone_is_overtaken_once() {
        let (_folder, place) = place();
        let lost = Worker::start(&place).unwrap();
        let claim = lost.claim(THING, "").unwrap().unwrap();
        // As after kill -9: the file stays, its lock goes.
        lost._file.unlock().unwrap();
        let (first, second) = (Worker::start(&place).unwrap(), Worker::start(&place).unwrap());
        let taken = first.claim(THING, "").unwrap().unwrap();
        assert!(second.claim(THING, "").unwrap().is_none());
        assert!(first.holds(&taken).unwrap() && !lost.holds(&claim).unwrap());
    }

    #[test]
    fn a_claim_that_names_nobody_is_in_nobodys_way() {
        let (_folder, place) = place();
        std::fs::create_dir(claim_path(&place, THING, 3)).unwrap();
        assert!(!is_taken(&place, THING).unwrap());
        let (first, second) = (Worker::start(&place).unwrap(), Worker::start(&place).unwrap());
        let claim = first.claim(THING, "").unwrap().unwrap();
        assert!(second.claim(THING, "").unwrap().is_none() && first.holds(&claim).unwrap());
    }

    #[test]
    fn deaths_in_a_row_are_counted_until_the_work_gets_further() {
        let (_folder, place) = place();
        let die = |reached: &str| {
            let worker = Worker::start(&place).unwrap();
            let deaths = worker.claim(THING, reached).unwrap().unwrap().deaths();
            worker._file.unlock().unwrap();
            deaths
        };
        assert_eq!(["", "", "", "step 5", "step 5"].map(die), [0, 1, 2, 0, 1]);
        // What ends well leaves no count behind.
        let worker = Worker::start(&place).unwrap();
        worker.release(&worker.claim(THING, "step 5").unwrap().unwrap()).unwrap();
        assert_eq!(worker.claim(THING, "step 5").unwrap().unwrap().deaths(), 0);
    }

    #[test]
    fn a_silent_worker_on_another_host_keeps_its_claim_for_a_while() {
        let (_folder, place) = place();
        foreign_claim(&place, PATIENCE - Duration::from_secs(60));
        let worker = Worker::start(&place).unwrap();
        assert!(worker.claim(THING, "").unwrap().is_none());
        assert!(is_taken(&place, THING).unwrap());
    }

    #[test]
    fn a_worker_on_another_host_that_was_silent_for_too_long_is_overtaken() {
        let (_folder, place) = place();
        foreign_claim(&place, PATIENCE + Duration::from_secs(60));
        let worker = Worker::start(&place).unwrap();
        assert!(!is_taken(&place, THING).unwrap());
        assert!(worker.claim(THING, "").unwrap().is_some());
    }

    #[test]
    fn claims_that_outlived_their_workers_are_forgiven_by_several_at_once_and_that_of_a_live_one_is_not() {
        let (_folder, place) = place();
        let workers: Vec<Worker> = (0..4).map(|_| Worker::start(&place).unwrap()).collect();
        for _ in 0..20 {
            foreign_claim(&place, 2 * PATIENCE);
            std::thread::scope(|scope| {
                let forgiving: Vec<_> = workers.iter().map(|w| scope.spawn(|| w.forgive(THING))).collect();
                forgiving.into_iter().for_each(|f| f.join().unwrap().unwrap());
            });
            assert_eq!(std::fs::read_dir(&place.claims).unwrap().count(), 0);
        }
        let claim = workers[0].claim(THING, "").unwrap().unwrap();
        workers[1].forgive(THING).unwrap();
        assert!(workers[0].holds(&claim).unwrap());
    }

    #[test]
    fn a_worker_that_ends_leaves_nothing_behind() {
        let (_folder, place) = place();
        let worker = Worker::start(&place).unwrap();
        let claim = worker.claim(THING, "").unwrap().unwrap();
        worker.release(&claim).unwrap();
        drop(worker);
        for folder in [&place.claims, &place.workers] {
            assert_eq!(std::fs::read_dir(folder).unwrap().count(), 0);
        }
    }
}
