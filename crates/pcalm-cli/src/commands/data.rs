//! `pcalm data`.

use super::Failure;
use crate::{Outcome, args::DataAction, output};
use indicatif::{ProgressBar, ProgressStyle};
use pcalm_lab::dataset::{self, DATASETS, Progress};
use std::path::Path;

pub fn run(action: &DataAction) -> Result<Outcome, Failure> {
    match action {
        DataAction::Fetch { name } => fetch(name),
        DataAction::Verify { name, data_dir } => verify(name, data_dir.as_deref()),
        DataAction::Path { name, data_dir } => {
            output::line(dataset::path(known(name)?, data_dir.as_deref())?.display())?;
            Ok(Outcome::Done)
        }
    }
}

/// The name, if it is one, with a suggestion if it is not.
fn known(name: &str) -> Result<&'static str, Failure> {
    let names = DATASETS.iter().map(|d| d.name);
    let find = |given: &str| DATASETS.iter().find(|d| d.name == given).map(|d| d.name);
    Ok(pcalm_lab::choice::choose("dataset", name, names, find)?)
}

fn fetch(name: &str) -> Result<Outcome, Failure> {
    let bar = ProgressBar::new(0);
    bar.set_style(ProgressStyle::with_template("{prefix:30} [{bar:30}] {bytes}/{total_bytes} {eta} left")?);
    let folder = dataset::fetch(known(name)?, &mut |progress: Progress| {
        bar.set_prefix(progress.file.to_owned());
        bar.set_length(progress.total);
        bar.set_position(progress.done);
    })?;
    bar.finish_and_clear();
    output::line(folder.display())?;
    Ok(Outcome::Done)
}

fn verify(name: &str, data_dir: Option<&Path>) -> Result<Outcome, Failure> {
    let files = dataset::verify(known(name)?, data_dir)?;
    for (path, good) in &files {
        let verdict = if *good { "good " } else { "WRONG" };
        output::line(format_args!("{verdict}  {}", path.display()))?;
    }
    Ok(if files.iter().all(|(_, good)| *good) { Outcome::Done } else { Outcome::Unfinished })
}
