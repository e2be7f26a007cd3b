//! Several rules on the same seeds, weights and batches, side by side.

use crate::{
    dataset::Dataset,
    error::LabError,
    experiment::Experiment,
    folder::{Folder, names},
    plot::{Axis, Chart, Ink, Point, Series, Spread, line_chart},
    record::{EpochRow, csv, json},
    run::{Cost, End, News, Summary, run},
    stats::mean,
};
use serde::Serialize;
use std::sync::atomic::{AtomicBool, Ordering};

/// One row of the comparison: a rule over all seeds.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Row {
    /// Learning rule.
    pub rule: String,
    /// Seeds finished.
    pub seeds: usize,
    /// Mean test accuracy.
    pub accuracy_mean: f64,
    /// Sample standard deviation of the test accuracy; 0 with one seed.
    pub accuracy_sd: f64,
    /// Mean cosine to BP's weight gradient after training.
    pub alignment: f64,
    /// Mean norm ratio to BP's weight gradient after training.
    pub norm_ratio: f64,
    /// Matrix products per sample and training step.
    pub products_per_sample: f64,
    /// Multiply-adds of one run, mean over the seeds.
    pub multiply_adds: f64,
    /// Why inference stopped, or `diverged`.
    pub stop_reason: String,
}

/// One finished run of a comparison.
#[derive(Clone, Debug)]
pub struct Finished {
    /// The outcome.
    pub summary: Summary,
    /// Wall times.
    pub cost: Cost,
    /// Its rows of `epochs.csv`.
    pub epochs: Vec<EpochRow>,
}

/// The rules and seeds of a comparison.
#[derive(Clone, Debug, PartialEq)]
pub struct Contest {
    /// Rules, in the order of the table.
    pub rules: Vec<String>,
    /// Number of seeds, counted up from the experiment's.
    pub seeds: u64,
}

/// Trains every rule on every seed, each in its own folder under `folder`; `news` is told the
/// rule and seed of the run it is about. Stops early, with what is finished, when interrupted.
///
/// # Errors
/// If a run cannot be made or its files not be written.
pub fn compare(
    contest: &Contest,
    base: &Experiment,
    data: &Dataset,
    folder: &Folder,
    interrupt: &AtomicBool,
    news: &mut dyn FnMut(&str, u64, News),
) -> Result<Vec<Finished>, LabError> {
    let mut finished = Vec::new();
    for seed in base.seed..base.seed + contest.seeds {
        for rule in &contest.rules {
            let experiment = Experiment { rule: rule.clone(), seed, ..base.clone() };
            let place = Folder::create(&folder.file(&format!("{rule}-seed{seed}")))?;
            let mut tell = |n: News| news(rule, seed, n);
            let (summary, cost, epochs) = run(&experiment, data, &place, false, interrupt, &mut tell)?;
            if summary.end != End::Interrupted {
                finished.push(Finished { summary, cost, epochs });
            }
            if interrupt.load(Ordering::Relaxed) {
                return Ok(finished);
            }
        }
    }
    Ok(finished)
}

/// The table's rows, in the order of `rules`; rules without a finished run are left out.
pub fn rows(rules: &[String], finished: &[Finished]) -> Vec<Row> {
    let of_rule = |rule: &String| {
        let runs: Vec<&Finished> = finished.iter().filter(|f| f.summary.rule == *rule).collect();
        (!runs.is_empty()).then(|| row(rule, &runs))
    };
    rules.iter().filter_map(of_rule).collect()
}

fn row(rule: &str, runs: &[&Finished]) -> Row {
    let accuracies: Vec<f64> = runs.iter().filter_map(|f| f.summary.test_accuracy).collect();
    let accuracy = mean(&accuracies);
    let of = |part: fn(&Summary) -> Option<f64>| {
        let values: Vec<f64> = runs.iter().filter_map(|f| part(&f.summary)).collect();
        mean(&values).map_or(f64::NAN, |m| m.value)
    };
    let diverged = runs.iter().any(|f| f.summary.end == End::Diverged);
    let stop = if diverged { Some("diverged".to_owned()) } else { runs[0].summary.stop_reason.clone() };
    Row {
        rule: rule.to_owned(),
        seeds: runs.len(),
        accuracy_mean: accuracy.map_or(f64::NAN, |a| a.value),
        accuracy_sd: accuracy.map_or(f64::NAN, |a| a.deviation),
        alignment: of(|s| s.alignment),
        norm_ratio: of(|s| s.norm_ratio),
        products_per_sample: of(|s| Some(s.products_per_sample)),
        multiply_adds: of(|s| Some(s.multiply_adds as f64)),
        stop_reason: stop.unwrap_or_default(),
    }
}

/// Writes `compare.csv`, `compare.json` and `accuracy.svg`.
///
/// # Errors
/// If a file cannot be written.
pub fn write(folder: &Folder, rows: &[Row], finished: &[Finished]) -> Result<(), LabError> {
    folder.write(names::COMPARISON_CSV, &csv(rows, folder.path())?)?;
    folder.write(names::COMPARISON_JSON, &json(&rows, folder.path())?)?;
    folder.write(names::PICTURE, line_chart(&chart(rows, finished))?.as_bytes())
}

/// Test accuracy over epochs, one series per rule.
fn chart(rows: &[Row], finished: &[Finished]) -> Chart {
    let series: Vec<Series> = rows.iter().enumerate().map(|(i, row)| curve(&row.rule, i, finished)).collect();
    let last = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(1.0, f64::max);
    Chart {
        title: String::new(),
        x: Axis::new("epoch", Spread::Linear, (0.0, last)),
        y: Axis::accuracy(),
        series,
        verticals: Vec::new(),
    }
}

/// Mean, and mean ± sd over the seeds, in percent.
fn curve(rule: &str, look: usize, finished: &[Finished]) -> Series {
    let runs: Vec<&Finished> = finished.iter().filter(|f| f.summary.rule == *rule).collect();
    let epochs = runs.iter().map(|f| f.epochs.len()).min().unwrap_or(0);
    let points = (0..epochs).filter_map(|i| {
        let values: Vec<f64> = runs.iter().map(|f| 100.0 * f.epochs[i].test_accuracy).collect();
        mean(&values).map(|m| Point::of_mean(runs[0].epochs[i].epoch as f64, m))
    });
    Series { name: rule.to_owned(), look, ink: Ink::Line, points: points.collect() }
}
