//! The verbs and their own options; those of a run are declared once, in the lab's `Experiment`.

use clap::{ArgMatches, Args, CommandFactory, FromArgMatches, Parser, Subcommand};
use pcalm_lab::{experiment::Experiment, figure::Scale, sweep::Shard};
use std::path::PathBuf;

/// Predictive coding (PC) and augmented Lagrangian predictive coding (PC-ALM), beside
/// backpropagation (BP), on one network with one interface.
#[derive(Parser)]
#[command(name = "pcalm", version, propagate_version = true, arg_required_else_help = true)]
pub struct Cli {
    #[command(subcommand)]
    pub command: Command,
}

/// What was asked for, and which options were given; or clap's help or refusal.
pub fn parse() -> Result<(Cli, ArgMatches), clap::Error> {
    let mut command = command();
    let matches = command.try_get_matches_from_mut(std::env::args_os())?;
    let cli = Cli::from_arg_matches(&matches).map_err(|e| e.format(&mut command))?;
    Ok((cli, matches))
}

/// The command line, with defaults of their own for some verbs.
fn command() -> clap::Command {
    Cli::command()
        // Long enough for its rules to tell apart on the embedded data, where one epoch is only 188
        // steps.
        .mut_subcommand("compare", |c| {
            c.mut_arg("epochs", |a| a.default_value("5")).mut_arg("learning_rate", |a| a.default_value("0.002"))
        })
        .mut_subcommand("theory", |theory| {
            ["spectrum", "equilibrium", "wave"]
                .into_iter()
                .fold(theory, |theory, name| {
                    theory.mut_subcommand(name, |c| c.mut_args(|a| if is_of_training(&a) { a.hide(true) } else { a }))
                })
                // The closed form is for linear networks; long enough to see both end.
                .mut_subcommand("equilibrium", |c| {
                    c.mut_arg("activation", |a| a.default_value("identity"))
                        .mut_arg("budget", |a| a.default_value("16L"))
                })
                .mut_subcommand("wave", |c| c.mut_arg("budget", |a| a.default_value("4L")))
        })
}

/// Whether an option has a meaning in training alone: such options stay valid, so that a run's
/// configuration file can be used, but are not shown.
fn is_of_training(option: &clap::Arg) -> bool {
    let training = matches!(option.get_help_heading(), Some("Training" | "Records"));
    option.get_id() == "rule" || training && option.get_id() != "seed"
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
    /// Compute what the theory says of a network's inference, beside a simulation of it.
    Theory(TheoryArgs),
    /// Run a grid of experiments, several at once; stop it and go on at any time.
    Sweep(SweepArgs),
    /// Make a figure of the PC-ALM paper, or all of them: runs what is missing, judges the claims, draws.
    Figure(FigureArgs),
    /// Write one page about a folder of figures: claims with their verdicts, figures, runs.
    Report(ReportArgs),
    /// Judge every claim in its quick version; exit 1 if one is not confirmed.
    ///
    /// A claim about a mean over seeds is confirmed only if its whole 95 % interval lies on the right side of
    /// what is wanted; if the mean alone does, it holds partly, as it does with one seed. Partly is no reason
    /// to exit with 1. Claims that are computed are judged by their number.
    Verify(VerifyArgs),
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
pub struct InferArgs {
    /// Network file: tensors w.1 … w.L and metadata (see the README).
    #[arg(long, value_name = "FILE")]
    pub network: PathBuf,
    /// Batch file: tensors x [B, D] and y [B, O].
    #[arg(long, value_name = "FILE")]
    pub batch: PathBuf,
    /// File to write activities, duals, credit, output and gradients to.
    #[arg(long, value_name = "FILE")]
    pub output: Option<PathBuf>,
    /// Learning rule: `pcalm list rules`.
    #[arg(long, default_value = "pc-alm")]
    pub rule: String,
    /// Inference budget T in cycles: a number, or a multiple of the depth such as 2L.
    #[arg(long, default_value = "2L", value_name = "T", allow_hyphen_values = true)]
    pub budget: String,
    /// Activity step size η: a number, or `auto` for 1/λ_max of the activity Hessian on this batch.
    #[arg(long, default_value = "auto", allow_hyphen_values = true)]
    pub eta: String,
    /// Dual step size α of PC-ALM.
    #[arg(long, default_value_t = 1.0, allow_hyphen_values = true)]
    pub alpha: f64,
    /// Penalty ρ: one number, or one per hidden layer separated by commas.
    #[arg(long, value_delimiter = ',', default_value = "1", value_name = "R,…", allow_hyphen_values = true)]
    pub rho: Vec<f64>,
    /// Activity steps K per cycle of PC-ALM.
    #[arg(long, default_value_t = 1, value_name = "K")]
    pub inner_steps: usize,
    /// Momentum β of pc-nesterov's activity steps: a number, or `auto` for (√κ − 1)/(√κ + 1), κ being the
    /// condition of the activity Hessian at the first sample.
    #[arg(long, default_value = "auto", value_name = "BETA", allow_hyphen_values = true)]
    pub nesterov: String,
    /// Read PC-ALM's credit with the duals before (`pre-dual`) or after (`post-dual`) the last dual step.
    #[arg(long, default_value = "pre-dual")]
    pub credit: String,
    /// Stop once no activity gradient (and, with duals, no residual) is larger than this.
    #[arg(long, value_name = "TOL", allow_hyphen_values = true)]
    pub tolerance: Option<f64>,
    /// Activity gradient to which the method of multipliers solves each cycle.
    #[arg(long, default_value_t = 1e-6, value_name = "TOL", allow_hyphen_values = true)]
    pub inner_tolerance: f64,
    /// Number type: `f32` or `f64`.
    #[arg(long, default_value = "f64")]
    pub dtype: String,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct TheoryArgs {
    #[command(subcommand)]
    pub question: Question,
}

#[derive(Subcommand)]
pub enum Question {
    /// Singular values, condition, stability, rate of convergence; recommends step sizes and a budget.
    ///
    /// Of the network's linearisation at the forward pass of one training sample: exact for
    /// `--activation identity` with the squared error.
    #[command(args_override_self = true)]
    Spectrum(SpectrumArgs),
    /// The exact equilibrium of predictive coding in a linear network, and its gap to backpropagation.
    #[command(args_override_self = true)]
    Equilibrium(SamplesArgs),
    /// Credit at every layer and step of PC and PC-ALM: front, speed, inflection, damping.
    #[command(args_override_self = true)]
    Wave(SamplesArgs),
    /// A map of the stable step sizes, predicted and simulated.
    #[command(args_override_self = true)]
    Stability(StabilityArgs),
}

/// Where results of theory go.
#[derive(Args)]
pub struct Place {
    /// Folder to write to [default: runs/<question>-<digits of the options>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// Replace other results of theory that are in the folder.
    #[arg(long)]
    pub force: bool,
}

#[derive(Args)]
pub struct SpectrumArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub place: Place,
    /// The training sample to linearise at, counted from 0.
    #[arg(long, default_value_t = 0, value_name = "I")]
    pub sample: usize,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
pub struct SamplesArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub place: Place,
    /// Training samples to look at, the first ones.
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub samples: usize,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
pub struct StabilityArgs {
    #[command(flatten)]
    pub place: Place,
    /// Step sizes along each axis.
    #[arg(long, default_value_t = 48, value_name = "N")]
    pub grid: usize,
    /// Largest η ρ σ².
    #[arg(long, default_value_t = 2.4, value_name = "X", allow_hyphen_values = true)]
    pub x_max: f64,
    /// Largest α/ρ.
    #[arg(long, default_value_t = 6.0, value_name = "R", allow_hyphen_values = true)]
    pub ratio_max: f64,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
#[command(args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
pub struct SweepArgs {
    #[command(subcommand)]
    pub action: Option<SweepAction>,
    /// TOML file with [base], [axes], [[variants]] and [[skip]] (see the README).
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
pub struct FigureArgs {
    /// Name (`pcalm list figures`), or `all`.
    pub name: String,
    #[command(flatten)]
    pub lab: LabArgs,
    /// Folder to keep runs and figures in [default: runs/figures-<scale>]
    #[arg(long, value_name = "DIR")]
    pub out: Option<PathBuf>,
    /// How much to run: seconds, an hour on two cores, or the paper's whole grid.
    #[arg(long, value_enum, default_value_t)]
    pub scale: Scale,
}

#[derive(Args)]
pub struct ReportArgs {
    /// Folder of `pcalm figure`.
    pub dir: PathBuf,
    /// Print the claims as JSON on stdout.
    #[arg(long)]
    pub json: bool,
}

#[derive(Args)]
pub struct VerifyArgs {
    #[command(flatten)]
    pub lab: LabArgs,
    /// Folder to keep runs and figures in; runs that are there are not run again.
    #[arg(long, default_value = "runs/verify", value_name = "DIR")]
    pub out: PathBuf,
}

/// What figures and claims have in common.
#[derive(Args)]
pub struct LabArgs {
    /// Data set [default: mnist where its files are found, otherwise glyphs; with `--scale paper` mnist and
    /// fashion-mnist]
    #[arg(long, value_name = "NAME")]
    pub dataset: Option<String>,
    /// Folder with the data set's files (also: the environment variable PCALM_DATA_DIR).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    #[command(flatten)]
    pub power: Power,
    /// Print the claims as JSON on stdout.
    #[arg(long)]
    pub json: bool,
    /// Show no progress.
    #[arg(long, short)]
    pub quiet: bool,
}

#[derive(Args)]
pub struct ListArgs {
    /// rules, datasets, activations, parametrizations, optimizers or figures
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

/// A data set, chosen as a run chooses it.
#[derive(Args)]
pub struct Source {
    /// Name (`pcalm list datasets`), file (.npz, .safetensors, .csv, .parquet), folder of .npy files, or `idx`.
    pub dataset: String,
    /// Folder with the data set's files (also: the environment variable PCALM_DATA_DIR).
    #[arg(long, value_name = "DIR")]
    pub data_dir: Option<PathBuf>,
    /// IDX file of training images (with `idx`).
    #[arg(long, value_name = "FILE")]
    pub train_images: Option<PathBuf>,
    /// IDX file of training labels.
    #[arg(long, value_name = "FILE")]
    pub train_labels: Option<PathBuf>,
    /// IDX file of test images.
    #[arg(long, value_name = "FILE")]
    pub test_images: Option<PathBuf>,
    /// IDX file of test labels.
    #[arg(long, value_name = "FILE")]
    pub test_labels: Option<PathBuf>,
    /// Target columns of a .csv or .parquet file [default: `y`, or `y1`, `y2`, …, or the last column].
    #[arg(long, value_delimiter = ',', value_name = "NAME,…")]
    pub target: Option<Vec<String>>,
    /// What the targets of a file are: `classification`, `regression`, or `auto`.
    #[arg(long, value_name = "TASK")]
    pub task: Option<String>,
    /// Share of a file's samples to test with, if it has no test set of its own.
    #[arg(long, value_name = "F", allow_hyphen_values = true)]
    pub test_fraction: Option<f64>,
    /// Seed of the draw of these samples.
    #[arg(long, value_name = "SEED")]
    pub split_seed: Option<u64>,
}

impl Source {
    /// The experiment on this data set, everything else being as it is by default.
    pub fn experiment(&self) -> Experiment {
        let default = Experiment::default();
        Experiment {
            dataset: self.dataset.clone(),
            data_dir: self.data_dir.clone(),
            train_images: self.train_images.clone(),
            train_labels: self.train_labels.clone(),
            test_images: self.test_images.clone(),
            test_labels: self.test_labels.clone(),
            target: self.target.clone(),
            task: self.task.clone().unwrap_or_else(|| default.task.clone()),
            test_fraction: self.test_fraction.unwrap_or(default.test_fraction),
            split_seed: self.split_seed.unwrap_or(default.split_seed),
            ..default
        }
    }
}

#[cfg(test)]
mod tests {
    use super::command;

    /// The verbs below `of`, named in full, that cannot write JSON.
    fn without_json(of: &clap::Command, name: &str) -> Vec<String> {
        let below = of.get_subcommands().filter(|c| c.get_name() != "help");
        let mut found: Vec<String> = below.flat_map(|c| without_json(c, &format!("{name} {}", c.get_name()))).collect();
        let answers = !of.has_subcommands() || of.get_positionals().next().is_some();
        if answers && !of.get_arguments().any(|a| a.get_id() == "json") {
            found.push(name.to_owned());
        }
        found
    }

    #[test]
    fn every_verb_can_write_its_result_as_json() {
        let found = without_json(&command(), "pcalm");
        assert!(found.is_empty(), "{found:?}");
    }
}
