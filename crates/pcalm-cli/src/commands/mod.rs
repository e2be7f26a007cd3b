//! One file per verb.

mod compare;
mod data;
mod evaluate;
#[cfg(feature = "theory")]
mod figure;
mod infer;
mod list;
mod predict;
#[cfg(feature = "theory")]
mod report;
#[cfg_attr(not(feature = "theory"), path = "no_study.rs")]
mod study;
mod sweep;
#[cfg(feature = "theory")]
mod theory;
mod train;
#[cfg(feature = "theory")]
mod verify;

use crate::{
    ExitOutcome,
    args::{Cli, Command, Common},
};
use clap::{ArgMatches, parser::ValueSource};
use pcalm::Names;
use pcalm_lab::{
    LabError,
    choice::choose,
    dataset::Part,
    experiment::{
        Experiment, fit_to_init, is_a_file,
        limits::{WORKERS, recordable, within},
        merge, option_names, table, to_toml,
    },
};
use std::path::{Path, PathBuf};

/// Any failure; only its message reaches the user.
pub type Failure = Box<dyn std::error::Error + Send + Sync>;

/// Runs the chosen verb.
pub fn dispatch(cli: &Cli, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let flags = matches.subcommand().map_or(matches, |(_, inner)| inner);
    match &cli.command {
        Command::Train(args) => on_threads(args.common.threads, || train::run(args, flags))?,
        Command::Compare(args) => on_threads(args.common.threads, || compare::run(args, flags))?,
        Command::Infer(args) => infer::run(args),
        Command::Predict(args) => predict::run(args),
        Command::Evaluate(args) => evaluate::run(args),
        Command::Sweep(args) => sweep::run(args),
        Command::Study(verb) => study::run(verb, matches),
        Command::List(args) => list::run(args),
        Command::Data(args) => data::run(&args.action),
    }
}

/// A configuration file and its options.
type ConfigFile<'a> = (&'a Path, toml::Table);

/// The configuration file, if one is given.
fn config_file(path: Option<&PathBuf>) -> Result<Option<ConfigFile<'_>>, LabError> {
    path.map(|path| Ok((path.as_path(), table(&read(path)?, path)?))).transpose()
}

/// The experiment of the flags, over the configuration file if one is given.
fn experiment(flags: &Experiment, common: &Common, matches: &ArgMatches) -> Result<Experiment, LabError> {
    experiment_over(flags, config_file(common.config.as_ref())?, matches)
}

/// The experiment of the flags, over the options in a file.
fn experiment_over(flags: &Experiment, file: Option<ConfigFile>, matches: &ArgMatches) -> Result<Experiment, LabError> {
    recordable(flags)?;
    let explicit = |id: &str| is_explicit(matches, id);
    let (merged, file) = match file {
        Some((path, file)) => (merge(flags, explicit, file.clone(), path)?, file),
        None => (flags.clone(), toml::Table::new()),
    };
    let id_of = |key: &str| option_names().iter().find(|n| n.key == key).map(|n| n.id);
    let flag = |key: &str| id_of(key).is_some_and(explicit);
    // A folder's configuration names every option: one that it leaves at its default asks for nothing.
    let defaults = table(&to_toml(&Experiment::default())?, Path::new("defaults"))?;
    let asks = |key: &str| file.get(key).is_some_and(|value| defaults.get(key) != Some(value));
    check_effects(&merged, |key| flag(key) || asks(key))?;
    fit_to_init(&anchored(&merged)?, &Names::default(), |key| flag(key) || file.contains_key(key))
}

/// That what was asked for can have an effect.
fn check_effects(e: &Experiment, given: impl Fn(&str) -> bool) -> Result<(), LabError> {
    let embedded = pcalm_lab::dataset::info(&e.dataset).is_ok_and(|info| info.embedded());
    let refuse = |name: &str, problem: String| Err(LabError::Option { name: name.to_owned(), problem });
    if given("data-dir") && embedded {
        return refuse("data-dir", format!("has no effect: `{}` is made by the program", e.dataset));
    }
    if let Some(dir) = e.data_dir.as_ref().filter(|dir| !dir.is_dir()) {
        return refuse("data-dir", format!("{} is no folder", dir.display()));
    }
    if e.widths.is_some() {
        for name in ["width", "depth"] {
            if given(name) {
                return refuse(name, "has no effect beside --widths, which has both".to_owned());
            }
        }
    }
    if given("path-position") && e.parametrization != "path" {
        return refuse("path-position", "has an effect with --parametrization path alone".to_owned());
    }
    Ok(())
}

/// The text of a file that a user named.
fn read(path: &Path) -> Result<String, LabError> {
    std::fs::read_to_string(path).map_err(|source| LabError::Io { path: path.to_owned(), source })
}

/// Whether an option was given on the command line.
fn is_explicit(matches: &ArgMatches, id: &str) -> bool {
    matches.value_source(id) == Some(ValueSource::CommandLine)
}

/// The part of a data set that `--split` names.
fn part(name: &str) -> Result<Part, LabError> {
    choose("split", name, Part::ALL.iter().map(|p| p.name()), Part::from_name)
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

/// The experiment with paths that mean the same from any folder.
fn anchored(experiment: &Experiment) -> Result<Experiment, LabError> {
    let mut e = experiment.clone();
    let places = [
        &mut e.data_dir,
        &mut e.train_images,
        &mut e.train_labels,
        &mut e.test_images,
        &mut e.test_labels,
        &mut e.init,
    ];
    for path in places.into_iter().flatten() {
        *path = std::path::absolute(&*path).map_err(|source| LabError::Io { path: path.clone(), source })?;
    }
    if let Some(path) = e.precision_file() {
        let io = |source| LabError::Io { path: path.to_owned(), source };
        e.precision = Some(std::path::absolute(path).map_err(io)?.to_string_lossy().into_owned());
    }
    if is_a_file(&e.dataset) && Path::new(&e.dataset).exists() {
        let io = |source| LabError::Io { path: e.dataset.clone().into(), source };
        e.dataset = std::path::absolute(&e.dataset).map_err(io)?.to_string_lossy().into_owned();
    }
    Ok(e)
}
