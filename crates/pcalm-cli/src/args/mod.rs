//! The verbs and their own options; those of a run are declared once, in the lab's `Experiment`.

mod data;
#[cfg_attr(not(feature = "theory"), path = "no_study.rs")]
mod study;
mod trained;

pub use data::{Origin, Shift, Source};
pub use study::*;
pub use trained::{EvaluateArgs, InferArgs, PredictArgs};

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use pcalm_lab::{experiment::Experiment, sweep::Shard};
use std::{ffi::OsString, path::PathBuf};

/// Predictive coding (PC) and augmented Lagrangian predictive coding (PC-ALM), beside
/// backpropagation (BP), on one network with one interface.
#[derive(Parser)]
#[command(name = "pcalm", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What `words`, the program's name first, ask for, and which options were given; or clap's help or refusal.
pub fn parse<W: Into<OsString> + Clone>(words: impl IntoIterator<Item = W>) -> Result<(Cli, ArgMatches), clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(words)?;
    let cli = Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut command))?;
    Ok((cli, matches))
}

/// The command line, with defaults of their own for some verbs.
pub fn command() -> clap::Command {
    // Long enough for its rules to tell apart on the embedded data, where one epoch is only 188
    // steps.
    let command = Cli::command().mut_subcommand("compare", |c| {
        c.mut_arg("epochs", |a| a.default_value("5")).mut_arg("learning_rate", |a| a.default_value("0.002"))
    });
    study::adjusted(command)
}

#[derive(Subcommand)]
pub enum Command {
    /// Train one network with one rule.
    #[command(args_override_self = true)]
    Train(TrainArgs),
    /// Train several rules on the same seeds, weights and batches, and tabulate them.
    #[command(args_override_self = true)]
    Compare(CompareArgs),
    /// Run one inference on one batch and write out everything.
    #[command(args_override_self = true)]
    Infer(InferArgs),
    /// Write what a trained network says of every input of a data set.
    #[command(args_override_self = true)]
    Predict(PredictArgs),
    /// Measure how good a trained network is on a data set: loss, accuracy and confusion, or R².
    #[command(args_override_self = true)]
    Evaluate(EvaluateArgs),
    /// Run a grid of experiments, several at once; stop it and go on at any time.
    Sweep(SweepArgs),
    #[command(flatten)]
    Study(Study),
    /// List what there is to choose from.
    List(ListArgs),
    /// Look into, export, fetch, verify or locate data sets.
    Data(DataArgs),
}

#[derive(Args)]
pub struct Common {
    /// TOML file with the options of a run (keys are the flags' names); flags win.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Threads to use (0: one per core). Results do not depend on it.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args)]
pub struct TrainArgs {
    #[command(flatten)]
    pub common: Common,
    /// Folder to write to [default: runs/train-<rule>-seed<seed>-<digits of the options>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the run that is in the folder.
    #[arg(long)]
    pub force: bool,
    /// Go on with the run in this folder, by its own configuration; --epochs, --learning-rate, --metrics-every,
    /// --checkpoint-every and the places of its data may be changed.
    #[arg(long, value_name = "DIR", conflicts_with_all = ["out", "config", "force"])]
    pub resume: Option<PathBuf>,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
pub struct CompareArgs {
    #[command(flatten)]
    pub common: Common,
    /// Rules to compare.
    #[arg(long, value_delimiter = ',', default_value = "bp,pc,pc-alm", value_name = "RULE,…")]
    pub rules: Vec<String>,
    /// Number of seeds, counted up from --seed.
    #[arg(long, default_value_t = 3, value_name = "N")]
    pub seeds: u64,
    /// Folder to write to, or to go on in [default: runs/compare-<digits of the options>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace the comparison that is in the folder.
    #[arg(long)]
    pub force: bool,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SweepArgs {
    #[command(subcommand)]
    pub action: Option<SweepAction>,
    /// TOML file with [base], [axes], [[variants]] and [[skip]] (see docs/compare-and-sweep.md).
    #[arg(required = true, value_name = "GRID")]
    pub grid: Option<PathBuf>,
    /// Folder to keep the runs in [default: runs/<name of the grid file>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    #[command(flatten)]
    pub power: Power,
    /// Run only the i-th of n parts of the grid, as an array task of a cluster does.
    #[arg(long, value_name = "I/N")]
    pub shard: Option<Shard>,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

/// How much of the machine to use.
#[derive(Args)]
pub struct Power {
    /// Cells to run at once (0: as many as threads). The threads are shared out evenly.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub jobs: usize,
    /// Threads to use in all (0: one per core). Results do not depend on it.
    #[arg(long, default_value_t = 0, value_name = "N")]
    pub threads: usize,
}

#[derive(Subcommand)]
pub enum SweepAction {
    /// Count the cells that are done, running, failed and left.
    Status {
        /// Folder of the sweep.
        dir: PathBuf,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Let failed cells be run again by the next `pcalm sweep`.
    Retry {
        /// Folder of the sweep.
        dir: PathBuf,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Write a table with a row per cell: table.csv and table.parquet.
    Export {
        /// Folder of the sweep.
        dir: PathBuf,
        /// Folder to write to [default: that of the sweep]
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
        /// Leave out times, memory and program version: the table is then the same, byte for byte, however
        /// often the sweep was interrupted.
        #[arg(long)]
        no_timings: bool,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[derive(Args)]
pub struct ListArgs {
    /// rules, datasets, activations, energies, parametrizations, optimizers or figures
    pub what: String,
    /// Print the list as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct DataArgs {
    #[command(subcommand)]
    pub action: DataAction,
}

#[derive(Subcommand)]
pub enum DataAction {
    /// Count and measure what is in a data set.
    Info {
        #[command(flatten)]
        source: Source,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Write a data set to a file, which trains to the same bits.
    Export {
        #[command(flatten)]
        source: Source,
        /// File to write: .npz, .safetensors, .csv or .parquet.
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Replace the file if it is there.
        #[arg(long)]
        force: bool,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Download a data set into the cache and check it.
    Fetch {
        /// Name: `pcalm list datasets`.
        name: String,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Check a data set's files against their published checksums.
    Verify {
        /// Name: `pcalm list datasets`.
        name: String,
        /// Folder with the files [default: where `data path` finds them]
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
    /// Print the folder a data set is read from.
    Path {
        /// Name: `pcalm list datasets`.
        name: String,
        /// Folder to look in first.
        #[arg(long, value_name = "DIR")]
        data_dir: Option<PathBuf>,
        /// Print the result as JSON on stdout.
        #[arg(long)]
        json: bool,
    },
}

#[cfg(test)]
mod tests {
    use super::{Command, command, parse};
    use pcalm_lab::experiment::{Experiment, option_names};

    /// The verbs below `of`, named in full, that cannot write JSON.
    fn without_json(of: &clap::Command, name: &str) -> Vec<String> {
        let below = of.get_subcommands().filter(|c| c.get_name() != "help" && !c.is_hide_set());
        let mut found: Vec<String> = below.flat_map(|c| without_json(c, &format!("{name} {}", c.get_name()))).collect();
        let answers = !of.has_subcommands() || of.get_positionals().next().is_some();
        if answers && !of.get_arguments().any(|a| a.get_id() == "json") {
            found.push(name.to_owned());
        }
        found
    }

    #[test]
    fn every_option_of_an_experiment_is_a_flag_of_the_same_name_and_default() {
        let mut train = command();
        let train = train.find_subcommand_mut("train").unwrap();
        for name in option_names() {
            let flag = train.get_arguments().find(|a| a.get_id() == name.id).expect(name.id);
            assert_eq!(flag.get_long(), Some(name.key.as_str()));
        }
        let Ok((cli, _)) = parse(["pcalm", "train"]) else { panic!("nothing has to be given") };
        let Command::Train(args) = cli.command else { panic!("another verb") };
        assert_eq!(args.experiment, Experiment::default());
    }

    #[test]
    fn every_verb_can_write_its_result_as_json() {
        let found = without_json(&command(), "pcalm");
        assert!(found.is_empty(), "{found:?}");
    }
}
