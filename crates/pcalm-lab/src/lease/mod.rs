//! Who works on what, agreed on through files alone: no locks that a network file system might lack.
//!
//! A process at work has a file in a folder of workers that it touches every fifteen seconds. To take a thing it makes the
//! folder `<thing>.<n>`, n being one more than that of the last claim on it, by renaming a folder that already names
//! the worker. A rename onto a folder that holds a file fails, on every file system, so one process gets each n. A
//! claim counts while its n is the largest and its worker alive; that of a dead worker is overtaken by n + 1, never
//! taken away.
//!
//! Claims are made, and taken away by whoever they belong to, in folders `.<worker>.<letters>`: what a process that is
//! killed there leaves is known by its worker's name, and cleared by the next that starts.
//!
//! A worker is dead if its file is gone, or if the file has not been touched for [`PATIENCE`] by the file server's
//! clock; on the same host also as soon as its process is gone, which shows in the file no longer being locked.

mod claim;
mod life;
mod worker;

pub use claim::{WorkClaim, is_taken};
pub(crate) use life::writer_is_alive;
pub use life::{PATIENCE, host};
pub use worker::Worker;

use std::path::PathBuf;

/// Where claims and the files of workers are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Place {
    /// A folder per claim.
    pub claims: PathBuf,
    /// A file per worker.
    pub workers: PathBuf,
}
