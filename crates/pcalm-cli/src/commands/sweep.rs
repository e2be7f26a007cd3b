//! `pcalm sweep`.

use super::{Failure, read};
use crate::{
    ExitOutcome,
    args::{Power, SweepAction, SweepArgs},
    output, signals,
    sweep_progress::SweepDisplay,
};
use pcalm::Catalogue;
use pcalm_lab::{
    LabError,
    experiment::{
        DatasetCache,
        limits::{WORKERS, within},
    },
    folder::Folder,
    sweep::{CellProgress, GridCell, Store, SweepOptions, SweepTally, export, grid, look, sweep},
    table::Table,
    tenancy::Holding,
};
use serde_json::json;
use std::path::{Path, PathBuf};

/// The exported table, in both forms.
const CSV: &str = "table.csv";
#[cfg(feature = "parquet")]
const PARQUET: &str = "table.parquet";

pub fn run(args: &SweepArgs) -> Result<ExitOutcome, Failure> {
    match (&args.action, &args.grid) {
        (Some(SweepAction::Status { dir, json }), _) => status(dir, *json),
        (Some(SweepAction::Retry { dir, json }), _) => retry(dir, *json),
        (Some(SweepAction::Export { dir, out, no_timings, json }), _) => table(dir, out.as_deref(), !no_timings, *json),
        (None, Some(path)) => start(args, path),
        (None, None) => Err("a grid file is needed".into()),
    }
}

/// The options of a sweep that decide nothing about its results.
pub fn options(power: &Power) -> Result<SweepOptions, LabError> {
    let jobs = within("jobs", power.jobs, WORKERS)?;
    Ok(SweepOptions { jobs, threads: within("threads", power.threads, WORKERS)?, ..SweepOptions::default() })
}

fn start(args: &SweepArgs, path: &Path) -> Result<ExitOutcome, Failure> {
    let options = SweepOptions { shard: args.shard.unwrap_or_default(), ..options(&args.power)? };
    let text = read(path)?;
    let interrupt = signals::interrupt()?;
    let (samples, catalogue) = (DatasetCache::default(), Catalogue::default());
    let cells = grid(&text, path, &samples, &catalogue, None)?;
    let stem = path.file_stem().unwrap_or_default();
    let out = args.out.clone().unwrap_or_else(|| PathBuf::from("runs").join(stem));
    if let Some(found) = Holding::of(&Folder::existing(&out))? {
        let problem = format!("holds results of `{}`; --out DIR names another folder", found.command);
        return Err(LabError::Run { path: out, problem }.into());
    }
    let store = Store::create(&out)?;
    store.keep_grid(&text, &cells)?;
    let display = SweepDisplay::new(args.quiet);
    let outcome = sweep(&store, &cells, options, (&samples, &catalogue), &interrupt, &|news| display.tell(news));
    display.finish();
    let tally = outcome?;
    let dir = out.display();
    output::report(&counts(&tally), args.json, |text| {
        writeln!(text, "{} cells done, {} failed, {} left", tally.done, tally.failed, tally.left)?;
        writeln!(text, "folder: {dir}")
    })?;
    if interrupt.is_raised() {
        output::note("interrupted; the same command goes on from here");
    } else if tally.failed > 0 {
        output::note(format_args!(
            "`pcalm sweep status {dir}` says why cells failed, `pcalm sweep retry {dir}` tries again"
        ));
    }
    Ok(if tally.left + tally.failed == 0 { ExitOutcome::Done } else { ExitOutcome::Unfinished })
}

fn counts(tally: &SweepTally) -> serde_json::Value {
    json!({ "done": tally.done, "failed": tally.failed, "left": tally.left })
}

/// The sweep in a folder.
fn kept(dir: &Path) -> Result<(Store, Vec<GridCell>), Failure> {
    let store = Store::existing(dir)?;
    let cells = store.kept_cells()?;
    Ok((store, cells))
}

fn status(dir: &Path, as_json: bool) -> Result<ExitOutcome, Failure> {
    let (store, cells) = kept(dir)?;
    let (mut running, mut failed, mut diverged) = (Vec::new(), Vec::new(), Vec::new());
    let mut done = 0;
    for cell in &cells {
        match store.progress(&cell.key)? {
            CellProgress::Finished => {
                done += 1;
                let summary = store.finished(&cell.key)?.summary;
                diverged.extend(summary.message.map(|reason| (cell, reason)));
            }
            CellProgress::Failed(failure) => failed.push((cell, failure.reason)),
            CellProgress::Open if store.is_running(&cell.key)? => running.push(cell),
            CellProgress::Open => {}
        }
    }
    let left = cells.len() - done - failed.len() - running.len();
    let list = |cells: &[(&GridCell, String)]| {
        let entry =
            |cell: &GridCell, reason: &str| json!({ "key": cell.key.as_str(), "cell": cell.label, "reason": reason });
        cells.iter().map(|(cell, reason)| entry(cell, reason)).collect::<Vec<_>>()
    };
    let report = json!({
        "cells": cells.len(), "done": done, "diverged": list(&diverged), "failed": list(&failed), "left": left,
        "running": running.iter().map(|c| &c.label).collect::<Vec<_>>(),
    });
    output::report(&report, as_json, |out| {
        let (running_now, failures) = (running.len(), failed.len());
        writeln!(out, "{} cells: {done} done, {running_now} running, {failures} failed, {left} left", cells.len())?;
        running.iter().try_for_each(|cell| writeln!(out, "running   {}", cell.label))?;
        diverged.iter().try_for_each(|(cell, reason)| writeln!(out, "diverged  {}: {reason}", cell.label))?;
        failed.iter().try_for_each(|(cell, reason)| writeln!(out, "failed    {}: {reason}", cell.label))
    })?;
    Ok(if failed.is_empty() { ExitOutcome::Done } else { ExitOutcome::Unfinished })
}

fn retry(dir: &Path, as_json: bool) -> Result<ExitOutcome, Failure> {
    let (store, cells) = kept(dir)?;
    let mut count = 0;
    for cell in &cells {
        count += usize::from(store.retry(&cell.key)?);
    }
    output::report(&json!({ "retried": count }), as_json, |out| writeln!(out, "{count} cells can be run again"))?;
    Ok(ExitOutcome::Done)
}

fn table(dir: &Path, out: Option<&Path>, timings: bool, as_json: bool) -> Result<ExitOutcome, Failure> {
    let (store, cells) = kept(dir)?;
    let table = export(&look(&store, &cells)?, timings)?;
    let folder = Folder::create(out.unwrap_or(dir))?;
    folder.write(CSV, &table.csv(dir)?)?;
    let csv = folder.file(CSV);
    // A program built without Parquet writes the one table it can.
    let parquet: Option<PathBuf> = parquet(&table, &folder, dir)?;
    output::report(&json!({ "rows": table.len(), "csv": csv, "parquet": parquet }), as_json, |out| {
        writeln!(out, "{}", csv.display())?;
        parquet.iter().try_for_each(|parquet| writeln!(out, "{}", parquet.display()))
    })?;
    Ok(ExitOutcome::Done)
}

#[cfg(feature = "parquet")]
fn parquet(table: &Table, folder: &Folder, dir: &Path) -> Result<Option<PathBuf>, LabError> {
    folder.write(PARQUET, &table.parquet(dir)?)?;
    Ok(Some(folder.file(PARQUET)))
}

#[cfg(not(feature = "parquet"))]
fn parquet(_table: &Table, _folder: &Folder, _dir: &Path) -> Result<Option<PathBuf>, LabError> {
    Ok(None)
}
