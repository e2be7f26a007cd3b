//! Sweeps: grids of runs that survive a crash and are shared between processes.

mod export;
mod grid;
mod key;
mod runner;
mod store;
mod worker;

pub use export::{Row, Rows, export, look};
pub use grid::{Cell, grid};
pub use key::{Key, key};
pub use runner::{News, Options, Shard, Tally, sweep};
pub use store::{Failure, Finished, Progress, Store};
pub use worker::{Claim, Worker, is_running};
