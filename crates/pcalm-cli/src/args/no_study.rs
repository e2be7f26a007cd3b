//! Stands for verbs that predict, draw and judge in a program without the feature `theory`: they take any words.

use clap::{Args, Subcommand};

#[derive(Subcommand)]
pub enum Study {
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    Theory(Words),
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    Figure(Words),
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    Report(Words),
    #[command(hide = true, disable_help_flag = true, disable_version_flag = true)]
    Verify(Words),
}

#[derive(Args)]
pub struct Words {
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    _words: Vec<String>,
}

/// They have no defaults.
pub fn adjusted(command: clap::Command) -> clap::Command {
    command
}
