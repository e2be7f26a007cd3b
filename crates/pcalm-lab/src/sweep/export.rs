//! All runs of a grid as one tidy table.

use super::{
    grid::GridCell,
    store::{CellProgress, Finished, Store},
};
use crate::{
    error::LabError,
    experiment::option_names,
    outcome::{Cost, RunEnd},
    record::{EpochRow, finite},
    table::{Table, Values},
};
use toml::Value;

/// A cell with what is known of it.
#[derive(Clone, Debug, PartialEq)]
pub struct SweepRow<'a> {
    /// The cell.
    pub cell: &'a GridCell,
    /// Its results, once it is finished.
    pub finished: Option<Finished>,
    /// Why it could not be run.
    pub failure: Option<String>,
}

/// The cells of a grid in its order.
pub type SweepRows<'a> = Vec<SweepRow<'a>>;

/// Reads the results of all cells.
///
/// # Errors
/// If the folder of a run is damaged; the message names the file and the way out.
pub fn look<'a>(store: &Store, cells: &'a [GridCell]) -> Result<SweepRows<'a>, LabError> {
    let row = |cell: &'a GridCell| {
        Ok(match store.progress(&cell.key)? {
            CellProgress::Finished => SweepRow { cell, finished: Some(store.finished(&cell.key)?), failure: None },
            CellProgress::Failed(failure) => SweepRow { cell, finished: None, failure: Some(failure.reason) },
            CellProgress::Open => SweepRow { cell, finished: None, failure: None },
        })
    };
    cells.iter().map(row).collect()
}

impl SweepRow<'_> {
    fn state(&self) -> &'static str {
        match (&self.finished, &self.failure) {
            (Some(f), _) if f.summary.end == RunEnd::Diverged => "diverged",
            (Some(_), _) => "done",
            (None, Some(_)) => "failed",
            (None, None) => "open",
        }
    }

    fn reason(&self) -> Option<String> {
        self.finished.as_ref().map_or_else(|| self.failure.clone(), |f| f.summary.message.clone())
    }
}

/// A row per cell: its key, state and configuration, its metrics at the end and at the best epoch, its work,
/// and, with `timings`, all that differs from one repetition to the next: times, memory and the program.
///
/// # Errors
/// If a configuration cannot be written as text.
pub fn export(rows: &[SweepRow], timings: bool) -> Result<Table, LabError> {
    let mut table = Table::default();
    table.add("key", text(rows, |r| Some(r.cell.key.to_string())))?;
    table.add("variant", text(rows, |r| Some(r.cell.variant.clone()).filter(|v| !v.is_empty())))?;
    table.add("state", text(rows, |r| Some(r.state().to_owned())))?;
    table.add("reason", text(rows, |r: &SweepRow| r.reason()))?;
    configuration(rows, &mut table)?;
    results(rows, &mut table)?;
    if timings {
        costs(rows, &mut table)?;
    }
    Ok(table)
}

/// A column per option.
fn configuration(rows: &[SweepRow], table: &mut Table) -> Result<(), LabError> {
    let resolved = |row: &SweepRow| {
        toml::Table::try_from(&row.cell.experiment).map_err(|e| LabError::option("grid", e.to_string()))
    };
    let options: Vec<toml::Table> = rows.iter().map(resolved).collect::<Result<_, _>>()?;
    for name in option_names() {
        let values: Vec<Option<&Value>> = options.iter().map(|o| o.get(&name.key)).collect();
        // `energy` is a result: F.
        let column = if name.key == "energy" { "energy_shape".to_owned() } else { name.key.replace('-', "_") };
        table.add(&column, typed(&values))?;
    }
    Ok(())
}

/// The narrowest kind of column that holds all the values.
fn typed(values: &[Option<&Value>]) -> Values {
    let all = |is: fn(&Value) -> bool| values.iter().flatten().all(|v| is(v)) && values.iter().any(Option::is_some);
    let of = |value: &Option<&Value>| {
        value.map(|v| match v {
            Value::String(text) => text.clone(),
            Value::Array(list) => list.iter().map(Value::to_string).collect::<Vec<_>>().join(" "),
            other => other.to_string(),
        })
    };
    if all(Value::is_bool) {
        Values::Flag(values.iter().map(|v| v.and_then(Value::as_bool)).collect())
    } else if all(Value::is_integer) {
        Values::Whole(values.iter().map(|v| v.and_then(Value::as_integer)).collect())
    } else if all(Value::is_float) {
        Values::Number(values.iter().map(|v| v.and_then(Value::as_float)).collect())
    } else {
        Values::Text(values.iter().map(of).collect())
    }
}

/// Metrics and work, the same on every repetition.
fn results(rows: &[SweepRow], table: &mut Table) -> Result<(), LabError> {
    let last = |f: &Finished| f.epochs.last().cloned();
    // In regression the smallest loss is the best.
    let score = |e: &EpochRow| e.test_accuracy.unwrap_or(-e.test_loss);
    let best = move |f: &Finished| f.epochs.iter().max_by(|a, b| score(a).total_cmp(&score(b))).cloned();
    let summary = |part: fn(&crate::outcome::RunSummary) -> Option<f64>| number(rows, move |f| part(&f.summary));
    table.add("steps", whole(rows, |f| Some(f.summary.steps)))?;
    table.add("test_accuracy", summary(|s| s.test_accuracy))?;
    table.add("test_r2", summary(|s| s.test_r2))?;
    table.add("test_loss", summary(|s| s.test_loss))?;
    table.add("best_test_accuracy", number(rows, move |f| best(f).and_then(|e| e.test_accuracy)))?;
    table.add("best_test_loss", number(rows, move |f| best(f).map(|e| e.test_loss)))?;
    table.add("best_epoch", whole(rows, move |f| best(f).map(|e| e.epoch)))?;
    table.add("train_loss", number(rows, |f| f.last.as_ref().and_then(|m| finite(m.train_loss))))?;
    table.add("train_accuracy", number(rows, |f| f.last.as_ref().and_then(|m| m.train_accuracy)))?;
    table.add("alignment", summary(|s| s.alignment))?;
    table.add("norm_ratio", summary(|s| s.norm_ratio))?;
    table.add("energy", number(rows, move |f| last(f).and_then(|e| finite(e.energy))))?;
    table.add("residual_norm", number(rows, move |f| last(f).and_then(|e| finite(e.residual_norm))))?;
    table.add("stop_reason", text(rows, |r| r.finished.as_ref()?.summary.stop_reason.clone()))?;
    table.add("inference_steps", whole(rows, |f| Some(f.summary.inference_steps as u64)))?;
    table.add("measured_eta", summary(|s| Some(s.eta)))?;
    table.add("measured_momentum", summary(|s| s.momentum))?;
    table.add("lambda_max", summary(|s| s.lambda_max))?;
    table.add("stability", summary(|s| s.stability))?;
    table.add("unstable_epochs", whole(rows, |f| Some(f.summary.unstable_epochs)))?;
    table.add("scaled_learning_rate", summary(|s| Some(s.learning_rate)))?;
    table.add("parameters", whole(rows, |f| Some(f.summary.parameters as u64)))?;
    table.add("products_per_sample", summary(|s| Some(s.products_per_sample)))?;
    table.add("multiply_adds", whole(rows, |f| Some(f.summary.multiply_adds)))
}

/// What differs between repetitions.
fn costs(rows: &[SweepRow], table: &mut Table) -> Result<(), LabError> {
    let cost = |part: fn(&Cost) -> f64| number(rows, move |f| Some(part(&f.cost)));
    table.add("seconds_per_step", cost(|c| c.seconds_per_step))?;
    table.add("timed_steps", whole(rows, |f| Some(f.cost.steps)))?;
    table.add("training_seconds", cost(|c| c.training))?;
    table.add("evaluation_seconds", cost(|c| c.evaluation))?;
    table.add("peak_memory", whole(rows, |f| f.cost.memory.peak))?;
    let program = |part: fn(&crate::provenance::Provenance) -> &String| {
        text(rows, move |r| Some(part(&r.finished.as_ref()?.provenance).clone()))
    };
    table.add("version", program(|p| &p.version))?;
    table.add("git_revision", program(|p| &p.git_revision))?;
    // `target` is an option: the columns that a run learns to predict.
    table.add("platform", program(|p| &p.target))
}

fn text(rows: &[SweepRow], of: impl Fn(&SweepRow) -> Option<String>) -> Values {
    Values::Text(rows.iter().map(of).collect())
}

fn number(rows: &[SweepRow], of: impl Fn(&Finished) -> Option<f64>) -> Values {
    Values::Number(rows.iter().map(|r| r.finished.as_ref().and_then(&of)).collect())
}

fn whole(rows: &[SweepRow], of: impl Fn(&Finished) -> Option<u64>) -> Values {
    let of = |f: &Finished| of(f).and_then(|v| i64::try_from(v).ok());
    Values::Whole(rows.iter().map(|r| r.finished.as_ref().and_then(of)).collect())
}
