//! Data sets, experiments and run folders for research with [`pcalm`].

pub mod batches;
pub mod choice;
#[cfg(feature = "figures")]
pub mod claim;
pub mod compare;
pub mod dataset;
pub mod destination;
pub mod error;
pub mod evaluation;
pub mod experiment;
#[cfg_attr(not(feature = "theory"), path = "no_extremes.rs")]
mod extremes;
#[cfg(feature = "figures")]
pub mod figure;
pub mod folder;
pub mod inference;
pub mod interrupt;
#[cfg(feature = "figures")]
pub mod judgement;
pub mod lease;
pub mod machine;
pub mod memory;
pub mod model;
mod options;
pub mod outcome;
#[cfg(feature = "plot")]
pub mod plot;
pub mod prediction;
pub mod provenance;
pub mod record;
#[cfg(feature = "figures")]
pub mod report;
pub mod run;
pub mod stats;
pub mod step_size;
pub mod sweep;
pub mod table;
mod target_report;
pub mod tenancy;
#[cfg(feature = "theory")]
pub mod theory;
pub mod watch;

pub use error::LabError;
