//! The pcalm command line: data on stdout, progress and warnings on stderr.
//!
//! Exit codes, decided here alone: 0 done, also when the reader of stdout wanted no more; 1 it ran but diverged,
//! was interrupted, or a claim was not confirmed; 2 an error.

mod args;
mod commands;
mod output;
mod pace;
mod progress;
mod signals;
mod sweep_progress;

use pcalm_lab::LabError;
use std::process::ExitCode;

/// How a command ended that did not fail.
enum ExitOutcome {
    /// All was done.
    Done,
    /// It ran, but diverged, was interrupted, or a claim or check failed.
    Unfinished,
}

fn main() -> ExitCode {
    match args::parse(std::env::args_os()) {
        Ok((cli, matches)) => code(commands::dispatch(&cli, &matches)),
        Err(refusal) if refusal.use_stderr() => {
            output::usage(&refusal);
            ExitCode::from(2)
        }
        Err(help) => code(output::help(&help).map(|()| ExitOutcome::Done).map_err(commands::Failure::from)),
    }
}

fn code(end: Result<ExitOutcome, commands::Failure>) -> ExitCode {
    match end {
        Ok(ExitOutcome::Done) => ExitCode::SUCCESS,
        Ok(ExitOutcome::Unfinished) => ExitCode::from(1),
        Err(error) if error.downcast_ref().is_some_and(output::Unwritten::is_unwanted) => ExitCode::SUCCESS,
        Err(error) if is_outcome(&error) => {
            output::note(error);
            ExitCode::from(1)
        }
        Err(error) => {
            output::note(format_args!("error: {error}"));
            ExitCode::from(2)
        }
    }
}

/// Whether the command ran, and an interrupt or a divergence ended it.
fn is_outcome(error: &commands::Failure) -> bool {
    use pcalm::Error::Diverged;
    matches!(error.downcast_ref(), Some(LabError::Interrupted | LabError::Core(Diverged(_))))
        || matches!(error.downcast_ref(), Some(Diverged(_)))
}
