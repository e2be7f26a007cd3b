//! What is in a data set, in numbers.

use super::{
    split::{Dataset, Split},
    targets::{Targets, Task},
};
use serde::Serialize;

/// A summary of a data set.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Description {
    /// Its name or path.
    pub name: String,
    /// What is to be learnt.
    pub task: Task,
    /// Numbers in one input.
    pub inputs: usize,
    /// Numbers in one target as a vector.
    pub outputs: usize,
    /// Training samples.
    pub train: usize,
    /// Test samples.
    pub test: usize,
    /// Bytes in memory.
    pub bytes: usize,
    /// [`Dataset::fingerprint`].
    pub fingerprint: String,
    /// Of all numbers of the training inputs.
    pub input_range: Range,
    /// Inputs that are the same in every training sample.
    pub constant_inputs: usize,
    /// For classification: every class.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub classes: Vec<Class>,
    /// For regression: every output over the training samples.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub targets: Vec<Range>,
}

/// Where numbers lie.
#[derive(Clone, Copy, Debug, PartialEq, Serialize)]
pub struct Range {
    /// The smallest.
    pub min: f32,
    /// The largest.
    pub max: f32,
    /// Their mean.
    pub mean: f64,
    /// Their standard deviation.
    pub deviation: f64,
}

/// How often a class is there.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Class {
    /// What it is called, if it has a name.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// Training samples.
    pub train: usize,
    /// Test samples.
    pub test: usize,
}

impl Range {
    fn of(values: impl Iterator<Item = f32> + Clone) -> Range {
        let count = values.clone().count().max(1) as f64;
        let mean = values.clone().map(f64::from).sum::<f64>() / count;
        let squares = values.clone().map(|v| (f64::from(v) - mean).powi(2)).sum::<f64>();
        let (min, max) = values.fold((f32::INFINITY, f32::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
        Range { min, max, mean, deviation: (squares / count).sqrt() }
    }
}

impl Dataset {
    /// A summary, from one look at every number.
    pub fn describe(&self) -> Description {
        let train = &self.train;
        let columns = |values: &[f32], width: usize| -> Vec<Range> {
            (0..width).map(|i| Range::of(values.iter().skip(i).step_by(width).copied())).collect()
        };
        let constant = |i: &usize| train.inputs.iter().skip(*i).step_by(train.dim).all(|x| *x == train.inputs[*i]);
        Description {
            name: self.name.clone(),
            task: self.task(),
            inputs: self.dim(),
            outputs: self.outputs(),
            train: train.len(),
            test: self.test.len(),
            bytes: self.bytes(),
            fingerprint: self.fingerprint(),
            input_range: Range::of(train.inputs.iter().copied()),
            constant_inputs: (0..train.dim).filter(constant).count(),
            classes: self.classes(),
            targets: train.targets.values().map(|y| columns(y, self.outputs())).unwrap_or_default(),
        }
    }

    fn classes(&self) -> Vec<Class> {
        let Targets::Classes { classes, .. } = self.train.targets else { return Vec::new() };
        let counts = |split: &Split| {
            let mut counts = vec![0; classes];
            split.targets.labels().unwrap_or_default().iter().for_each(|&l| counts[l as usize] += 1);
            counts
        };
        let (train, test) = (counts(&self.train), counts(&self.test));
        let name = |class: usize| self.class_names.as_ref().and_then(|names| names.get(class).cloned());
        (0..classes).map(|c| Class { name: name(c), train: train[c], test: test[c] }).collect()
    }
}
