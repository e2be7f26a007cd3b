//! The picture of a comparison.

use super::ComparisonRow;
use crate::{
    dataset::Task,
    error::LabError,
    folder::{Folder, names},
    outcome::Outcome,
    plot::{Axis, Chart, Ink, Point, Series, Spread, line_chart},
    record::EpochRow,
    stats::mean,
};

/// Test accuracy, or in regression the test loss, over epochs.
pub fn draw(folder: &Folder, task: Task, rows: &[ComparisonRow], finished: &[Outcome]) -> Result<(), LabError> {
    let regression = task == Task::Regression;
    let (name, chart) = if regression {
        (names::LOSS_PICTURE, chart(rows, finished, |e| Some(e.test_loss)))
    } else {
        (names::PICTURE, chart(rows, finished, |e| e.test_accuracy.map(|a| 100.0 * a)))
    };
    let y = if regression {
        let values = chart.series.iter().flat_map(|s| s.points.iter().map(|p| p.y));
        Axis::around("test loss", Spread::Log10, values.collect::<Vec<_>>())
    } else {
        Axis::accuracy()
    };
    folder.write(name, line_chart(&Chart { y, ..chart })?.as_bytes())
}

/// A measure over epochs, one series per rule.
fn chart(rows: &[ComparisonRow], finished: &[Outcome], measure: fn(&EpochRow) -> Option<f64>) -> Chart {
    let series: Vec<Series> = rows.iter().enumerate().map(|(i, row)| curve(&row.rule, i, finished, measure)).collect();
    let last = series.iter().flat_map(|s| &s.points).map(|p| p.x).fold(1.0, f64::max);
    Chart {
        title: String::new(),
        x: Axis::new("epoch", Spread::Linear, (0.0, last)),
        y: Axis::accuracy(),
        series,
        verticals: Vec::new(),
    }
}

/// Mean, and mean ± sd over the seeds.
fn curve(rule: &str, look: usize, finished: &[Outcome], measure: fn(&EpochRow) -> Option<f64>) -> Series {
    let runs: Vec<&Outcome> = finished.iter().filter(|f| f.summary.rule == *rule).collect();
    let epochs = runs.iter().map(|f| f.epochs.len()).min().unwrap_or(0);
    let points = (0..epochs).filter_map(|i| {
        let values: Vec<f64> = runs.iter().filter_map(|f| measure(&f.epochs[i])).collect();
        mean(&values).map(|m| Point::of_mean(runs[0].epochs[i].epoch as f64, m))
    });
    Series { name: rule.to_owned(), look, ink: Ink::Line, points: points.collect() }
}
