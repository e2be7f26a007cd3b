//! Verbs that predict, draw and judge.

use super::{Common, Power};
use clap::{Args, Subcommand};
use pcalm_lab::{
    experiment::Experiment,
    figure::Scale,
    theory::options::{FirstSamples, LayerPath, OneSample, StepSizes},
};
use std::path::PathBuf;

#[derive(Subcommand)]
pub enum Study {
    /// Compute what the theory says of a network's inference, beside a simulation of it.
    Theory(Box<TheoryArgs>),
    /// Make a figure of the PC-ALM paper, or all of them: runs what is missing, judges the claims, draws; exit 1 if one
    /// is not confirmed.
    ///
    /// Claims are judged and counted as by `pcalm verify`: one that holds partly is no reason to exit with 1. All
    /// files are written either way.
    Figure(FigureArgs),
    /// Write one page about a folder of figures: claims with their verdicts, figures, runs.
    Report(ReportArgs),
    /// Judge every claim in its quick version; exit 1 if one is not confirmed.
    ///
    /// A claim about a mean over seeds is confirmed only if its whole 95 % interval lies on the right side of
    /// what is wanted; if the mean alone does, it holds partly, as it does with one seed. Partly is no reason
    /// to exit with 1. Claims that are computed are judged by their number.
    Verify(VerifyArgs),
}

/// Adds defaults of their own.
pub fn adjusted(command: clap::Command) -> clap::Command {
    command.mut_subcommand("theory", |theory| {
        ["spectrum", "equilibrium", "relaxation", "energies", "wave"]
            .into_iter()
            .fold(theory, |theory, name| {
                theory.mut_subcommand(name, |c| c.mut_args(|a| if is_of_training(&a) { a.hide(true) } else { a }))
            })
            // Closed forms are for linear networks; long enough to see both end.
            .mut_subcommand("equilibrium", linear)
            .mut_subcommand("relaxation", linear)
            .mut_subcommand("energies", |c| c.mut_arg("budget", |a| a.default_value("16L")))
            .mut_subcommand("wave", |c| c.mut_arg("budget", |a| a.default_value("4L")))
    })
}

/// Of a question whose answer is exact in linear networks, with a long budget.
fn linear(question: clap::Command) -> clap::Command {
    question.mut_arg("activation", |a| a.default_value("identity")).mut_arg("budget", |a| a.default_value("16L"))
}

/// Whether an option has a meaning in training alone: such options stay valid, so that a run's
/// configuration file can be used, but are not shown.
fn is_of_training(option: &clap::Arg) -> bool {
    let training = matches!(option.get_help_heading(), Some("Training" | "Records"));
    option.get_id() == "rule" || training && option.get_id() != "seed"
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
    /// The equilibrium of predictive coding and its gap to backpropagation: exact in a linear network, by Newton's steps
    /// in others.
    #[command(args_override_self = true)]
    Equilibrium(SamplesArgs),
    /// The exact path of predictive coding in a linear network, beside inference's own steps; and that of one layer.
    #[command(args_override_self = true)]
    Relaxation(RelaxationArgs),
    /// Loss and energies at every step of predictive coding, and where the loss rises.
    #[command(args_override_self = true)]
    Energies(SamplesArgs),
    /// Credit at every layer and step of PC and PC-ALM: front, speed, inflection, damping.
    #[command(args_override_self = true)]
    Wave(SamplesArgs),
    /// A map of the stable step sizes, predicted and simulated.
    #[command(args_override_self = true)]
    Stability(StabilityArgs),
}

/// Where results of theory go.
#[derive(Args)]
pub struct Destination {
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
    pub place: Destination,
    #[command(flatten)]
    pub own: OneSample,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
pub struct SamplesArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub place: Destination,
    #[command(flatten)]
    pub own: FirstSamples,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
pub struct RelaxationArgs {
    #[command(flatten)]
    pub common: Common,
    #[command(flatten)]
    pub place: Destination,
    #[command(flatten)]
    pub own: LayerPath,
    #[command(flatten)]
    pub experiment: Experiment,
}

#[derive(Args)]
pub struct StabilityArgs {
    /// TOML file with these options (keys are the flags' names); flags win.
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    #[command(flatten)]
    pub place: Destination,
    #[command(flatten)]
    pub own: StepSizes,
    /// Print the result as JSON on stdout.
    #[arg(long)]
    pub json: bool,
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
    /// fashion-mnist; for the figure published-cell, beyond `--scale smoke`, fashion-mnist]
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
