//! Whose a folder is: it belongs to one run, comparison or computation, and to one process while it is written to.
//!
//! `run.json` says what a folder holds and `config.toml` how that was made; together with the contents of the files
//! read they are its [`RunIdentity`].

use crate::{
    error::LabError,
    experiment::{Contents, Experiment, RunIdentity, listed, merge, options_of, table, to_toml},
    folder::{Folder, names},
    lease::{Place, WorkClaim, Worker},
    outcome::read_json,
    provenance::{Provenance, provenance, provenance_of},
    record::json,
};
use serde::Serialize;
use std::path::{Path, PathBuf};
use toml::Table;

/// The folder in a folder that says who writes to it.
const LOCK: &str = ".lock";
/// What is claimed there.
const WRITING: &str = "writing";
/// Attempts to register where the last process is clearing up.
const ATTEMPTS: usize = 20;

/// A folder that this process alone writes to, until the value is dropped.
#[derive(Debug)]
pub struct Tenancy {
    folder: Folder,
    lock: PathBuf,
    worker: Option<Worker>,
    claim: WorkClaim,
}

/// What a folder holds, or is to hold.
#[derive(Clone, Debug, PartialEq)]
pub struct Holding {
    /// The command that makes it.
    pub command: String,
    /// What decides it; absent where that cannot be told from the folder.
    pub identity: Option<RunIdentity>,
}

impl Tenancy {
    /// Makes the folder if it is not there, and takes it.
    ///
    /// # Errors
    /// If it cannot be written to, or another process has it.
    pub fn begin(path: &Path) -> Result<Self, LabError> {
        let folder = Folder::create(path)?;
        let lock = folder.file(LOCK);
        let mut attempt = 0;
        loop {
            attempt += 1;
            std::fs::create_dir_all(&lock).map_err(|e| LabError::io(&lock, e))?;
            let place = Place { claims: lock.clone(), workers: lock.clone() };
            let worker = match Worker::start(&place) {
                // The last process took its lock away under our hands.
                Err(LabError::Io { .. }) if attempt < ATTEMPTS && !lock.exists() => continue,
                other => other?,
            };
            return match worker.claim(WRITING, "") {
                Ok(Some(claim)) => Ok(Tenancy { folder, lock, worker: Some(worker), claim }),
                Err(LabError::Io { .. }) if attempt < ATTEMPTS && !lock.exists() => continue,
                Err(error) => Err(error),
                Ok(None) => {
                    let problem = "another process is writing here; wait for it, or name another folder with --out";
                    Err(LabError::run(path, problem))
                }
            };
        }
    }

    /// The folder.
    pub fn folder(&self) -> &Folder {
        &self.folder
    }
}

impl Drop for Tenancy {
    fn drop(&mut self) {
        if let Some(worker) = self.worker.take() {
            // What stays is the lock of a dead process.
            let _ = worker.release(&self.claim);
        }
        // Fails while another process waits there.
        let _ = std::fs::remove_dir(&self.lock);
    }
}

impl Holding {
    /// Of an experiment.
    ///
    /// # Errors
    /// If its options cannot be written down.
    pub fn new(command: &str, experiment: &Experiment, contents: &Contents) -> Result<Self, LabError> {
        Ok(Holding { command: command.to_owned(), identity: Some(RunIdentity::new(experiment, contents)?) })
    }

    /// What is in a folder; `None` if nothing of ours is.
    ///
    /// # Errors
    /// If its files cannot be read.
    pub fn of(folder: &Folder) -> Result<Option<Self>, LabError> {
        if !folder.has(names::PROVENANCE) {
            let anything = names::OF_A_RUN.iter().any(|name| folder.has(name));
            return Ok(anything.then(|| Holding { command: "unknown".to_owned(), identity: None }));
        }
        let made: Provenance = read_json(folder, names::PROVENANCE)?;
        let identity = if folder.has(names::CONFIG) { identity(folder, made.contents)? } else { None };
        Ok(Some(Holding { command: made.command, identity }))
    }

    /// The same made with options of the command's own.
    ///
    /// # Errors
    /// If they cannot be written down.
    pub fn with<T: Serialize>(mut self, own: &T) -> Result<Self, LabError> {
        let own = Table::try_from(own).map_err(|e| LabError::option("config", e.to_string()))?;
        self.identity = Some(and_own(self.identity.unwrap_or_default(), own));
        Ok(self)
    }

    /// The same but for some options.
    pub fn without(mut self, options: &[&str]) -> Self {
        self.identity = self.identity.map(|identity| identity.without(options));
        self
    }

    /// Whether what is in the folder is the same as what is wanted; in words how it differs if not.
    pub fn unlike(&self, wanted: &Holding) -> Option<String> {
        if self.command != wanted.command {
            return Some(format!("results of `{}`", self.command));
        }
        match (&self.identity, &wanted.identity) {
            (Some(found), Some(wanted)) => {
                let differences = found.differences(wanted);
                (!differences.is_empty()).then(|| format!("results with {}", listed(&differences)))
            }
            (None, None) => None,
            _ => Some("results that do not say how they were made".to_owned()),
        }
    }

    /// `runs/<stem>-<digits>`: a name of its own for everything that differs.
    pub fn default_folder(&self, stem: &str) -> PathBuf {
        let identity = self.identity.clone().unwrap_or_default();
        let digits = identity.and("command", &self.command).digits();
        PathBuf::from("runs").join(format!("{stem}-{}", &digits[..6]))
    }
}

/// That a folder is taken by something else, with the way out.
pub fn occupied(folder: &Folder, by: &str) -> LabError {
    LabError::run(folder.path(), format!("holds {by}; --force replaces them, --out DIR names another folder"))
}

/// What a folder's configuration says: the options of an experiment that read these contents, and whatever options of
/// its own a command has put beside them. `None` where there is an experiment whose contents were not written down.
fn identity(folder: &Folder, contents: Option<Contents>) -> Result<Option<RunIdentity>, LabError> {
    let path = folder.file(names::CONFIG);
    let mut own = table(&folder.read_text(names::CONFIG)?, &path)?;
    let options = options_of::<Experiment>(&mut own);
    let experiment = match contents {
        Some(contents) => RunIdentity::new(&merge(&Experiment::default(), |_| false, options, &path)?, &contents)?,
        None if options.is_empty() => RunIdentity::default(),
        None => return Ok(None),
    };
    Ok(Some(and_own(experiment, own)))
}

fn and_own(identity: RunIdentity, own: Table) -> RunIdentity {
    own.into_iter().fold(identity, |identity, (key, value)| identity.and(&key, &value.to_string()))
}

/// Writes what the folder holds: `run.json`, and the experiment it is made from as `config.toml`.
///
/// # Errors
/// If a file cannot be written.
pub fn sign(folder: &Folder, command: &str, made_from: (&Experiment, &Contents)) -> Result<(), LabError> {
    sign_with(folder, command, Some(made_from), &Table::new())
}

/// The same for a command with options of its own, in front of those of an experiment if it has one.
///
/// # Errors
/// If a file cannot be written.
pub fn sign_with<T: Serialize>(
    folder: &Folder,
    command: &str,
    made_from: Option<(&Experiment, &Contents)>,
    own: &T,
) -> Result<(), LabError> {
    let mut config = to_toml(own)?;
    let provenance = match made_from {
        Some((experiment, contents)) => {
            config += &to_toml(experiment)?;
            provenance_of(command, contents)
        }
        None => Provenance { command: command.to_owned(), ..provenance() },
    };
    folder.write(names::CONFIG, config.as_bytes())?;
    folder.write(names::PROVENANCE, &json(&provenance, folder.path())?)
}

/// Takes the signature back where what was announced could not be made: it does not occupy the folder.
pub fn unsign(folder: &Folder) {
    // Where not even that can be done, the folder stays occupied.
    let _ = folder.remove(&[names::PROVENANCE, names::CONFIG]);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_tenant_at_a_time_and_keeps_nothing_of_it() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        let first = Tenancy::begin(&path).unwrap();
        let refused = Tenancy::begin(&path).unwrap_err().to_string();
        assert!(refused.contains("another process is writing here"), "{refused}");
        drop(first);
        assert_eq!(std::fs::read_dir(&path).unwrap().count(), 0);
        Tenancy::begin(&path).unwrap();
    }

    #[test]
    fn of_many_that_come_at_once_no_two_are_let_in() {
        let place = tempfile::tempdir().unwrap();
        let path = place.path().join("run");
        let inside = std::sync::atomic::AtomicUsize::new(0);
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| {
                    for _ in 0..25 {
                        if let Ok(tenancy) = Tenancy::begin(&path) {
                            assert_eq!(inside.fetch_add(1, std::sync::atomic::Ordering::SeqCst), 0);
                            inside.fetch_sub(1, std::sync::atomic::Ordering::SeqCst);
                            drop(tenancy);
                        }
                    }
                });
            }
        });
    }
}
