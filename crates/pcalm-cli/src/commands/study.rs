//! Verbs that predict, draw and judge.

use super::{Failure, figure, on_threads, report, theory, verify};
use crate::{ExitOutcome, args::Study};
use clap::ArgMatches;

pub fn run(verb: &Study, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let flags = matches.subcommand().map_or(matches, |(_, inner)| inner);
    match verb {
        Study::Theory(args) => theory::run(&args.question, flags)?,
        Study::Figure(args) => on_threads(args.lab.power.threads, || figure::run(args))?,
        Study::Report(args) => report::run(args),
        Study::Verify(args) => on_threads(args.lab.power.threads, || verify::run(args))?,
    }
}
