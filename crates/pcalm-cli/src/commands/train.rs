//! `pcalm train`.

use super::{Failure, experiment, is_explicit, number};
use crate::{ExitOutcome, args::TrainArgs, output, progress::Display, signals};
use clap::ArgMatches;
use pcalm::{Catalogue, Names};
use pcalm_lab::{
    LabError,
    experiment::{Contents, Experiment, Loaded, changeable, from_flags_and_file, from_toml, may_change, option_names},
    folder::{Folder, names},
    interrupt::Interrupt,
    memory::MemoryUse,
    outcome::{self, RunEnd, read_json},
    provenance::Provenance,
    run::{COMMAND, TrainingJob, check, check_options, run as train},
    tenancy::{Holding, Tenancy, occupied},
};
use std::{
    io::{self, Write},
    path::Path,
};

pub fn run(args: &TrainArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    match &args.resume {
        Some(dir) => resume(args, matches, dir),
        None => begin(args, matches),
    }
}

/// A new run, in a folder that holds none.
fn begin(args: &TrainArgs, matches: &ArgMatches) -> Result<ExitOutcome, Failure> {
    let experiment = experiment(&args.experiment, &args.common, matches)?;
    let interrupt = signals::interrupt()?;
    let loaded = Loaded::new(&experiment)?;
    // What cannot be run is found out before a folder is made.
    check_options(&experiment, &Catalogue::default(), &loaded.data)?;
    let contents = loaded.contents(&experiment)?;
    let holding = Holding::new(COMMAND, &experiment, &contents)?;
    let stem = format!("train-{}-seed{}", experiment.rule, experiment.seed);
    let out = args.out.clone().unwrap_or_else(|| holding.default_folder(&stem));
    let tenancy = Tenancy::begin(&out)?;
    make_room(tenancy.folder(), &holding, args.force)?;
    go(args, &experiment, &loaded, &contents, &tenancy, &interrupt)
}

/// Sees that the folder holds no run.
fn make_room(folder: &Folder, wanted: &Holding, force: bool) -> Result<(), LabError> {
    let Some(found) = Holding::of(folder)? else { return Ok(()) };
    if force && (found.command == COMMAND || found.identity.is_none()) {
        return folder.remove(&names::OF_A_RUN);
    }
    if let Some(problem) = found.unlike(wanted) {
        return Err(occupied(folder, &problem));
    }
    let ended = outcome::Outcome::read(folder)?.is_some_and(|o| o.summary.end != RunEnd::Interrupted);
    let (state, verb) = if ended { ("finished", "shows it") } else { ("unfinished", "goes on with it") };
    let path = folder.path();
    let way_out = format!("`pcalm train --resume {}` {verb}, --force begins anew", path.display());
    Err(LabError::Run { path: path.to_owned(), problem: format!("holds this very run, {state}: {way_out}") })
}

/// The run in a folder, from where it was.
fn resume(args: &TrainArgs, matches: &ArgMatches, dir: &Path) -> Result<ExitOutcome, Failure> {
    let folder = Folder::existing(dir);
    let path = folder.file(names::CONFIG);
    if !path.exists() {
        let problem = "there is no run here to go on with; `pcalm train --out DIR` begins one";
        return Err(LabError::Run { path: dir.to_owned(), problem: problem.into() }.into());
    }
    let text = folder.read_text(names::CONFIG)?;
    let known = from_toml(&text, &path)?;
    let given = option_names().iter().filter(|n| is_explicit(matches, n.id));
    if let Some(name) = given.into_iter().find(|n| !may_change(&n.key)) {
        let problem = format!("cannot be changed when resuming, only {} can; --out begins another run", changeable());
        return Err(LabError::Option { name: name.key.clone(), problem }.into());
    }
    let flags = super::anchored(&args.experiment)?;
    let experiment = from_flags_and_file(&flags, |id| is_explicit(matches, id), &text, &path)?;
    let ended = outcome::Outcome::read(&folder)?.filter(|o| o.summary.end != RunEnd::Interrupted);
    if let Some(outcome) = ended {
        check(&folder, &Names::default())?;
        let extends = experiment.epochs > known.epochs;
        if experiment == known {
            output::note(format_args!("{} is finished; nothing was run", dir.display()));
            return tell(args, &outcome, &folder);
        }
        if !folder.has(names::CHECKPOINT) {
            let problem = "is finished and has no checkpoint to go on from; --init starts from its network";
            return Err(LabError::Run { path: dir.to_owned(), problem: problem.into() }.into());
        }
        if outcome.summary.end == RunEnd::Done && !extends {
            let problem = format!("{}; the run is finished, and more epochs would go on with it", experiment.epochs);
            return Err(LabError::Option { name: "epochs".into(), problem }.into());
        }
    }
    if experiment.epochs != known.epochs && experiment.schedule != "constant" {
        output::warn(format_args!(
            "the {} schedule follows the new number of epochs from here on, unlike a run that began with it",
            experiment.schedule
        ));
    }
    let interrupt = signals::interrupt()?;
    let loaded = Loaded::new(&experiment)?;
    let tenancy = Tenancy::begin(dir)?;
    let contents = contents(&loaded, &experiment, &folder)?;
    if !folder.has(names::CHECKPOINT) {
        same_files(&folder, &experiment, &contents)?;
    }
    go(args, &experiment, &loaded, &contents, &tenancy, &interrupt)
}

/// What the run's files hold. A network that it started from need not be there any more.
fn contents(loaded: &Loaded, experiment: &Experiment, folder: &Folder) -> Result<Contents, LabError> {
    let gone = experiment.init.as_ref().is_some_and(|init| !init.exists());
    if !(gone && folder.has(names::CHECKPOINT)) {
        return loaded.contents(experiment);
    }
    let recorded: Provenance = read_json(folder, names::PROVENANCE)?;
    let without = Experiment { init: None, ..experiment.clone() };
    Ok(Contents { init: recorded.contents.and_then(|c| c.init), ..loaded.contents(&without)? })
}

/// That the files of a run without a checkpoint hold what they held when it began; a checkpoint knows for itself.
fn same_files(folder: &Folder, experiment: &Experiment, contents: &Contents) -> Result<(), LabError> {
    let found = Holding::of(folder)?.and_then(|holding| holding.identity);
    let wanted = Holding::new(COMMAND, experiment, contents)?.identity;
    let differences = found.zip(wanted).map(|(found, wanted)| found.differences(&wanted)).unwrap_or_default();
    let refused: Vec<_> = differences.into_iter().filter(|d| !d.is_allowed()).collect();
    if refused.is_empty() {
        return Ok(());
    }
    let problem = format!("began with {}", pcalm_lab::experiment::listed(&refused));
    Err(LabError::Run { path: folder.path().to_owned(), problem })
}

fn go(
    args: &TrainArgs,
    experiment: &Experiment,
    loaded: &Loaded,
    contents: &Contents,
    tenancy: &Tenancy,
    interrupt: &Interrupt,
) -> Result<ExitOutcome, Failure> {
    let folder = tenancy.folder();
    let job =
        TrainingJob { experiment, catalogue: &Catalogue::default(), data: &loaded.data, contents, folder, interrupt };
    let mut display = Display::new(args.common.quiet);
    let title = format!("{} seed {}", experiment.rule, experiment.seed);
    let outcome = train(&job, &mut |news| display.tell(&title, news))?;
    display.finish();
    tell(args, &outcome, folder)
}

/// Prints an outcome and says what it means.
fn tell(args: &TrainArgs, outcome: &outcome::Outcome, folder: &Folder) -> Result<ExitOutcome, Failure> {
    let summary = &outcome.summary;
    output::report(summary, args.common.json, |out| show(out, outcome, folder))?;
    Ok(match summary.end {
        RunEnd::Done => ExitOutcome::Done,
        RunEnd::Diverged => {
            output::note(summary.message.as_deref().unwrap_or("diverged"));
            ExitOutcome::Unfinished
        }
        RunEnd::Interrupted => {
            output::note(format_args!("interrupted; go on with: pcalm train --resume {}", folder.path().display()));
            ExitOutcome::Unfinished
        }
    })
}

fn memory(memory: &MemoryUse) -> String {
    let mib = |bytes: u64| format!("{:.1}", bytes as f64 / (1 << 20) as f64);
    let peak = memory.peak.map_or_else(|| "-".to_owned(), |peak| format!("{} MiB", mib(peak)));
    let [weights, states, data] = [memory.weights, memory.states, memory.data].map(mib);
    format!("{peak} (weights and optimizer {weights}, states {states}, data {data})")
}

fn show(out: &mut dyn Write, outcome: &outcome::Outcome, folder: &Folder) -> io::Result<()> {
    let (summary, cost) = (&outcome.summary, &outcome.cost);
    writeln!(out, "rule                 {}", summary.rule)?;
    writeln!(out, "training steps       {}", summary.steps)?;
    match summary.test_r2 {
        Some(r2) => writeln!(out, "test R²              {r2:.4}")?,
        None => writeln!(out, "test accuracy        {}", number(summary.test_accuracy))?,
    }
    writeln!(out, "test loss            {}", number(summary.test_loss))?;
    writeln!(out, "alignment to BP      {}", number(summary.alignment))?;
    writeln!(out, "norm ratio to BP     {}", number(summary.norm_ratio))?;
    writeln!(out, "products per sample  {:.1} per step", summary.products_per_sample)?;
    writeln!(out, "seconds per step     {:.5}", cost.seconds_per_step)?;
    writeln!(out, "peak memory          {}", memory(&cost.memory))?;
    writeln!(out, "stop reason          {}", summary.stop_reason.as_deref().unwrap_or("-"))?;
    if summary.unstable_epochs > 0 {
        writeln!(out, "unstable epochs      {}", summary.unstable_epochs)?;
    }
    writeln!(out, "run folder           {}", folder.path().display())
}
