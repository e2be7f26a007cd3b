//! Stands for verbs that predict, draw and judge in a program without the feature `theory`.

use super::Failure;
use crate::{ExitOutcome, args::Study};
use clap::ArgMatches;
use pcalm_lab::LabError;

pub fn run(_verb: &Study, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let wanted = format!("pcalm {}", matches.subcommand_name().unwrap_or_default());
    Err(LabError::NoTheory { wanted }.into())
}
