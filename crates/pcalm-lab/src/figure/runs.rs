//! The runs of a figure, looked up by what they have in common.

use crate::{
    experiment::Experiment,
    plot::Point,
    stats::{Mean, mean},
    sweep::{Finished, Key, Rows},
};

/// A finished run.
#[derive(Clone, Debug, PartialEq)]
pub struct Done {
    /// What it is stored under.
    pub key: Key,
    /// The name of its variant.
    pub variant: String,
    /// Its configuration.
    pub experiment: Experiment,
    /// Its results.
    pub result: Finished,
}

/// Finished runs in the order of their grid.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Runs {
    /// The runs.
    pub all: Vec<Done>,
}

impl Done {
    /// Test accuracy at the end, in percent; chance for a run that diverged.
    pub fn accuracy(&self) -> f64 {
        100.0 * self.result.summary.test_accuracy.unwrap_or(0.0)
    }
}

impl Runs {
    /// The finished ones of a grid's cells.
    pub fn new(rows: Rows) -> Self {
        let done = rows.into_iter().filter_map(|row| {
            let (cell, result) = (row.cell, row.finished?);
            let (key, variant, experiment) = (cell.key.clone(), cell.variant.clone(), cell.experiment.clone());
            Some(Done { key, variant, experiment, result })
        });
        Runs { all: done.collect() }
    }

    /// Those for which `is` holds.
    pub fn only(&self, is: impl Fn(&Done) -> bool) -> Runs {
        Runs { all: self.all.iter().filter(|d| is(d)).cloned().collect() }
    }

    /// Those of a rule.
    pub fn of_rule(&self, rule: &str) -> Runs {
        self.only(|d| d.experiment.rule == rule)
    }

    /// The different values of a quantity, in order of appearance.
    pub fn values<T: PartialEq>(&self, of: impl Fn(&Done) -> T) -> Vec<T> {
        let mut values = Vec::new();
        for value in self.all.iter().map(of) {
            if !values.contains(&value) {
                values.push(value);
            }
        }
        values
    }

    /// Test accuracies in percent.
    pub fn accuracies(&self) -> Vec<f64> {
        self.all.iter().map(Done::accuracy).collect()
    }

    /// Their mean.
    pub fn accuracy(&self) -> Option<Mean> {
        mean(&self.accuracies())
    }

    /// Accuracies less those of `base` under the same seed and data, where it has such a run.
    pub fn gaps(&self, base: &Runs) -> Vec<f64> {
        let partner = |d: &&Done| {
            let same =
                |b: &&Done| (b.experiment.seed, &b.experiment.dataset) == (d.experiment.seed, &d.experiment.dataset);
            base.all.iter().find(same).map(|b| d.accuracy() - b.accuracy())
        };
        self.all.iter().filter_map(|d| partner(&d)).collect()
    }

    /// The keys.
    pub fn keys(&self) -> Vec<Key> {
        self.all.iter().map(|d| d.key.clone()).collect()
    }

    /// Seeds per configuration.
    pub fn seeds(&self) -> usize {
        self.values(|d| d.experiment.seed).len()
    }
}

/// A point with a band of one standard deviation.
pub fn point(x: f64, mean: Mean) -> Point {
    let band = (mean.count > 1).then_some([mean.value - mean.deviation, mean.value + mean.deviation]);
    Point { x, y: mean.value, band }
}

/// A TOML list.
pub fn list<T: std::fmt::Display>(values: &[T]) -> String {
    format!("[{}]", values.iter().map(T::to_string).collect::<Vec<_>>().join(", "))
}

/// A TOML list of the first `count` seeds.
pub fn seeds(count: u64) -> String {
    list(&(0..count).collect::<Vec<_>>())
}
