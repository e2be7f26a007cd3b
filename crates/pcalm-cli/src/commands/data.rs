//! `pcalm data`.

use super::Failure;
use crate::{
    ExitOutcome,
    args::{DataAction, Source},
    output,
};
use indicatif::{ProgressBar, ProgressStyle};
use pcalm_lab::{
    LabError,
    dataset::{self, DATASETS, Description, DownloadProgress, Range, Task},
    destination,
    experiment::load_data,
};
use serde::Serialize;
use std::{
    io::{self, Write},
    path::{Path, PathBuf},
};

pub fn run(action: &DataAction) -> Result<ExitOutcome, Failure> {
    match action {
        DataAction::Info { source, json } => info(source, *json),
        DataAction::Export { source, out, force, json } => export(source, out, *force, *json),
        DataAction::Fetch { name, json } => fetch(name, *json),
        DataAction::Verify { name, data_dir, json } => verify(name, data_dir.as_deref(), *json),
        DataAction::Path { name, data_dir, json } => {
            Location { path: dataset::path(known(name)?, data_dir.as_deref())? }.tell(*json)
        }
    }
}

/// Where something is.
#[derive(Serialize)]
struct Location {
    path: PathBuf,
}

impl Location {
    fn tell(self, json: bool) -> Result<ExitOutcome, Failure> {
        output::report(&self, json, |out| writeln!(out, "{}", self.path.display()))?;
        Ok(ExitOutcome::Done)
    }
}

/// The name, if it is one, with a suggestion if it is not.
fn known(name: &str) -> Result<&'static str, Failure> {
    let names = DATASETS.iter().map(|d| d.name);
    let find = |given: &str| DATASETS.iter().find(|d| d.name == given).map(|d| d.name);
    Ok(pcalm_lab::choice::choose("dataset", name, names, find)?)
}

fn info(source: &Source, json: bool) -> Result<ExitOutcome, Failure> {
    let found = load_data(&source.origin.experiment(&source.dataset))?.describe();
    output::report(&found, json, |out| show(out, &found))?;
    Ok(ExitOutcome::Done)
}

/// Classes shown one by one.
const SHOWN: usize = 40;

fn show(out: &mut dyn Write, d: &Description) -> io::Result<()> {
    writeln!(out, "{}: {}", d.name, d.task.name())?;
    writeln!(out, "samples      {} train, {} test", d.train, d.test)?;
    writeln!(out, "inputs       {} ({} of them constant), {}", d.inputs, d.constant_inputs, range(&d.input_range))?;
    match d.task {
        Task::Regression => {
            writeln!(out, "outputs      {}", d.outputs)?;
            for (at, target) in d.targets.iter().enumerate().take(SHOWN) {
                writeln!(out, "  y{:<10}{}", at + 1, range(target))?;
            }
        }
        Task::Classification { classes } => {
            let empty = d.classes.iter().filter(|c| c.train + c.test == 0).count();
            let note = if empty > 0 { format!(" (largest label + 1; {empty} have no sample)") } else { String::new() };
            writeln!(out, "classes      {classes}{note}")?;
            for (at, class) in d.classes.iter().enumerate().take(SHOWN) {
                let name = class.name.as_deref().unwrap_or_default();
                writeln!(out, "  {at:<5} {:>7} train {:>7} test  {name}", class.train, class.test)?;
            }
        }
    }
    if d.outputs > SHOWN {
        writeln!(out, "  and {} more; all of them with --json", d.outputs - SHOWN)?;
    }
    writeln!(out, "memory       {:.1} MiB", d.bytes as f64 / f64::from(1 << 20))?;
    writeln!(out, "fingerprint  {}", d.fingerprint)
}

fn range(r: &Range) -> String {
    format!("{} to {}, mean {:.6}, deviation {:.6}", r.min, r.max, r.mean, r.deviation)
}

/// What was written.
#[derive(Serialize)]
struct Exported {
    path: PathBuf,
    bytes: u64,
    fingerprint: String,
}

fn export(source: &Source, out: &Path, force: bool, json: bool) -> Result<ExitOutcome, Failure> {
    let experiment = source.origin.experiment(&source.dataset);
    destination::check("out", out, source.origin.files(&source.dataset), force)?;
    let data = load_data(&experiment)?;
    dataset::export(&data, out)?;
    let bytes = std::fs::metadata(out).map_err(|source| LabError::Io { path: out.to_owned(), source })?.len();
    let exported = Exported { path: out.to_owned(), bytes, fingerprint: data.fingerprint() };
    output::report(&exported, json, |text| writeln!(text, "{}", exported.path.display()))?;
    Ok(ExitOutcome::Done)
}

fn fetch(name: &str, json: bool) -> Result<ExitOutcome, Failure> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{prefix:30} [{bar:30}] {bytes}/{total_bytes} {eta} left")?);
    let path = dataset::fetch(known(name)?, &mut |progress: DownloadProgress| {
        bar.set_prefix(progress.file.to_owned());
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    Location { path }.tell(json)
}

/// A file and whether its checksum is the published one.
#[derive(Serialize)]
struct Checked {
    path: PathBuf,
    good: bool,
}

fn verify(name: &str, data_dir: Option<&Path>, json: bool) -> Result<ExitOutcome, Failure> {
    let files = dataset::verify(known(name)?, data_dir)?;
    let files: Vec<Checked> = files.into_iter().map(|(path, good)| Checked { path, good }).collect();
    output::report(&files, json, |out| {
        files.iter().try_for_each(|file| {
            writeln!(out, "{}  {}", if file.good { "good " } else { "WRONG" }, file.path.display())
        })
    })?;
    Ok(if files.iter().all(|f| f.good) { ExitOutcome::Done } else { ExitOutcome::Unfinished })
}
