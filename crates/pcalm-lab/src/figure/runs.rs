//! The runs of a figure, looked up by what they have in common.

use crate::{
    experiment::Experiment,
    outcome::RunSummary,
    stats::{Mean, mean},
    sweep::{Key, SweepRows},
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
    /// Its outcome.
    pub summary: RunSummary,
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
        100.0 * self.summary.test_accuracy.unwrap_or(0.0)
    }
}

impl Runs {
    /// The finished ones of a grid's cells.
    pub fn new(rows: SweepRows) -> Self {
        let done = rows.into_iter().filter_map(|row| {
            let (cell, summary) = (row.cell, row.finished?.summary);
            let (key, variant, experiment) = (cell.key.clone(), cell.variant.clone(), cell.experiment.clone());
            Some(Done { key, variant, experiment, summary })
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

    /// The mean of a number of the outcome over the runs that have it.
    pub fn outcome(&self, part: fn(&RunSummary) -> Option<f64>) -> Option<Mean> {
        mean(&self.all.iter().filter_map(|d| part(&d.summary)).collect::<Vec<_>>())
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

/// The options of a network and its data, as TOML.
pub fn network(dataset: &str, activation: &str, width: usize, depth: usize) -> String {
    format!("dataset = {dataset:?}\nactivation = {activation:?}\nwidth = {width}\ndepth = {depth}\n")
}

/// A TOML list.
pub fn list<T: std::fmt::Display>(values: &[T]) -> String {
    format!("[{}]", values.iter().map(T::to_string).collect::<Vec<_>>().join(", "))
}

/// A TOML list of the first `count` seeds.
pub fn seeds(count: u64) -> String {
    list(&(0..count).collect::<Vec<_>>())
}

#[cfg(test)]
pub mod tests {
    use super::*;
    use crate::{
        experiment::{Contents, RunIdentity},
        outcome::RunEnd,
    };

    /// A run as if it had this accuracy in percent.
    pub fn made_up(experiment: Experiment, accuracy: f64) -> Done {
        let summary = RunSummary {
            rule: experiment.rule.clone(),
            seed: experiment.seed,
            end: RunEnd::Done,
            message: None,
            steps: 1,
            test_accuracy: Some(accuracy / 100.0),
            test_r2: None,
            test_loss: None,
            alignment: Some(1.0),
            norm_ratio: Some(1.0),
            stop_reason: None,
            inference_steps: 1,
            products_per_sample: 1.0,
            multiply_adds: 1,
            parameters: 1,
            eta: 0.25,
            momentum: None,
            lambda_max: None,
            stability: None,
            unstable_epochs: 0,
            learning_rate: 0.001,
        };
        let contents = Contents { data: "made up".into(), init: None, precision: None };
        let key = Key::from(&RunIdentity::new(&experiment, &contents).unwrap());
        Done { key, variant: String::new(), experiment, summary }
    }

    #[test]
    fn gaps_are_taken_between_runs_of_one_seed() {
        let run = |seed: u64, accuracy: f64| made_up(Experiment { seed, ..Experiment::default() }, accuracy);
        let base = Runs { all: vec![run(0, 90.0), run(1, 80.0)] };
        let other = Runs { all: vec![run(1, 79.0), run(0, 85.0), run(2, 1.0)] };
        let gaps = other.gaps(&base);
        assert_eq!(gaps.len(), 2, "a run without a partner has no gap");
        assert!((gaps[0] + 1.0).abs() < 1e-9 && (gaps[1] + 5.0).abs() < 1e-9, "{gaps:?}");
    }
}
