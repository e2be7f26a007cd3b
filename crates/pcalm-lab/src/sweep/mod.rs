//! Sweeps: grids of runs that survive a crash and are shared between processes.

mod export;
mod grid;
mod key;
mod runner;
mod store;

pub use export::{SweepRow, SweepRows, export, look};
pub use grid::{GridCell, grid};
pub use key::Key;
pub use runner::{Shard, SweepNews, SweepOptions, SweepTally, sweep};
pub use store::{CellFailure, CellProgress, Finished, Store};
