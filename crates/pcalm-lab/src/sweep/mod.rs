//! Sweeps: grids of runs that survive a crash and are shared between processes.

mod export;
mod grid;
mod key;
mod runner;
mod store;

pub use export::{Row, Rows, export, look};
pub use grid::{Cell, grid};
pub use key::Key;
pub use runner::{News, Options, Shard, Tally, sweep};
pub use store::{Failure, Finished, Progress, Store};
