//! The pcalm command line: data on stdout, progress and warnings on stderr.
//!
//! Exit codes, decided here alone: 0 done; 1 it ran but diverged or was interrupted; 2 an error.

mod args;
mod commands;
mod progress;
mod sweep_progress;

use clap::FromArgMatches;
use pcalm_lab::LabError;
use std::process::ExitCode;

/// How a command ended that did not fail.
enum Outcome {
    /// All was done.
    Done,
    /// It ran, but diverged, was interrupted, or a check failed.
    Unfinished,
}

fn main() -> ExitCode {
    let matches = args::command().get_matches();
    let cli = match args::Cli::from_arg_matches(&matches) {
        Ok(cli) => cli,
        Err(error) => error.exit(),
    };
    match commands::dispatch(&cli, &matches) {
        Ok(Outcome::Done) => ExitCode::SUCCESS,
        Ok(Outcome::Unfinished) => ExitCode::from(1),
        Err(error) if matches!(error.downcast_ref(), Some(LabError::Interrupted)) => {
            eprintln!("pcalm: {error}");
            ExitCode::from(1)
        }
        Err(error) => {
            eprintln!("pcalm: error: {error}");
            ExitCode::from(2)
        }
    }
}
