//! One file per verb.

mod compare;
mod data;
mod figure;
mod infer;
mod list;
mod report;
mod sweep;
mod theory;
mod train;
mod verify;

use crate::{
    Outcome,
    args::{Cli, Command, Common},
    output,
};
use clap::{ArgMatches, parser::ValueSource};
use pcalm_lab::{
    LabError,
    experiment::{
        Experiment, from_flags_and_file,
        limits::{WORKERS, recordable, within},
    },
};
use std::{
    path::Path,
    sync::{Arc, atomic::AtomicBool},
};

/// Any failure; only its message reaches the user.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the chosen verb.
pub fn dispatch(cli: &Cli, matches: &ArgMatches) -> Result<Outcome, Failure> {
    let flags = matches.subcommand().map_or(matches, |(_, inner)| inner);
    match &cli.command {
        Command::Train(args) => on_threads(args.common.threads, || train::run(args, flags))?,
        Command::Compare(args) => on_threads(args.common.threads, || compare::run(args, flags))?,
        Command::Infer(args) => infer::run(args),
        Command::Theory(args) => theory::run(&args.question, flags)?,
        Command::Sweep(args) => sweep::run(args),
        Command::Figure(args) => on_threads(args.lab.power.threads, || figure::run(args))?,
        Command::Report(args) => report::run(args),
        Command::Verify(args) => on_threads(args.lab.power.threads, || verify::run(args))?,
        Command::List(args) => list::run(args),
        Command::Data(args) => data::run(&args.action),
    }
}

/// The experiment of the flags, over the configuration file if one is given.
fn experiment(flags: &Experiment, common: &Common, matches: &ArgMatches) -> Result<Experiment, LabError> {
    recordable(flags)?;
    let Some(path) = &common.config else { return Ok(flags.clone()) };
    from_flags_and_file(flags, |id| is_explicit(matches, id), &read(path)?, path)
}

/// The text of a file that a user named.
fn read(path: &Path) -> Result<String, LabError> {
    std::fs::read_to_string(path).map_err(|source| LabError::Io { path: path.to_owned(), source })
}

/// Whether an option was given on the command line.
fn is_explicit(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// A number for people, or a dash.
fn number(value: Option<f64>) -> String {
    value.map_or_else(|| "-".to_owned(), |v| format!("{v:.4}"))
}

/// Runs `work` on a pool of this many threads (0: one per core), as one of them: handing each
/// step over to the pool from outside would cost as much as a small step.
fn on_threads<T: Send>(threads: usize, work: impl FnOnce() -> T + Send) -> Result<T, Failure> {
    Ok(rayon::ThreadPoolBuilder::new().num_threads(within("threads", threads, WORKERS)?).build()?.install(work))
}

/// A flag that Ctrl-C raises; a second Ctrl-C ends the process.
fn interrupt_flag() -> Result<Arc<AtomicBool>, Failure> {
    use std::sync::atomic::Ordering;
    let flag = Arc::new(AtomicBool::new(false));
    let raised = flag.clone();
    ctrlc::set_handler(move || {
        if raised.swap(true, Ordering::SeqCst) {
            std::process::exit(1);
        }
        output::note_below("stopping after this step (Ctrl-C again to stop at once)");
    })?;
    Ok(flag)
}
