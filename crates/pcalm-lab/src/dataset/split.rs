//! Samples in memory: one split, and the pair of splits that makes a data set.

use super::{
    error::DataError,
    normalisation::Normalisation,
    targets::{Targets, Task},
};

/// Inputs and targets of one part of a data set.
#[derive(Clone, Debug, PartialEq)]
pub struct Split {
    /// Inputs, row-major `[count, dim]`.
    pub inputs: Vec<f32>,
    /// Numbers in one input, at least 1.
    pub dim: usize,
    /// One target for each input.
    pub targets: Targets,
}

impl Split {
    /// How many samples there are.
    pub fn len(&self) -> usize {
        self.targets.len()
    }

    /// Whether there are no samples.
    pub fn is_empty(&self) -> bool {
        self.targets.is_empty()
    }

    /// Input of sample `i`; like slice indexing, `i` must be below [`len`](Self::len).
    pub fn input(&self, i: usize) -> &[f32] {
        &self.inputs[i * self.dim..(i + 1) * self.dim]
    }

    /// What is to be learnt.
    pub fn task(&self) -> Task {
        self.targets.task()
    }

    /// [`Targets::variation`] of its targets.
    pub fn variation(&self) -> Option<f64> {
        self.targets.variation()
    }

    fn keep(&mut self, n: Option<usize>, name: &str, part: &'static str) -> Result<(), DataError> {
        let Some(n) = n else { return Ok(()) };
        if n == 0 || n > self.len() {
            return Err(DataError::Subset { name: name.to_owned(), part, asked: n, have: self.len() });
        }
        self.truncate(n);
        Ok(())
    }

    /// These samples and then those of another part of the same set.
    pub fn followed_by(mut self, other: Split) -> Split {
        self.inputs.extend(other.inputs);
        self.targets.extend(other.targets);
        self
    }

    /// Keeps the first `n` samples.
    pub(super) fn truncate(&mut self, n: usize) {
        self.inputs.truncate(n * self.dim);
        self.targets.truncate(n);
        self.inputs.shrink_to_fit();
    }
}

/// A training and a test split of the same shape and task.
#[derive(Clone, Debug, PartialEq)]
pub struct Dataset {
    /// The registered name, or the path of the file.
    pub name: String,
    /// Samples to learn from.
    pub train: Split,
    /// Samples held out.
    pub test: Split,
    /// What the classes are called, where they have names.
    pub class_names: Option<Vec<String>>,
    /// How the inputs were shifted and scaled, if they were.
    pub normalisation: Option<Normalisation>,
}

impl Dataset {
    /// A set whose classes have no names and whose inputs are as they came.
    pub fn new(name: impl Into<String>, train: Split, test: Split) -> Self {
        Dataset { name: name.into(), train, test, class_names: None, normalisation: None }
    }

    /// Bytes of both splits.
    pub fn bytes(&self) -> usize {
        let bytes = |s: &Split| size_of_val(s.inputs.as_slice()) + s.targets.bytes();
        bytes(&self.train) + bytes(&self.test)
    }

    /// Numbers in one input, the same in both splits.
    pub fn dim(&self) -> usize {
        self.train.dim
    }

    /// Length of one target as a vector, the same in both splits: the number of classes, or of real
    /// numbers.
    pub fn outputs(&self) -> usize {
        self.train.targets.outputs()
    }

    /// What is to be learnt.
    pub fn task(&self) -> Task {
        self.train.task()
    }

    /// The same set with only the first samples of each split; `None` keeps a split whole.
    ///
    /// # Errors
    /// If a split has fewer, or none are asked for.
    pub fn subset(mut self, train: Option<usize>, test: Option<usize>) -> Result<Dataset, DataError> {
        self.train.keep(train, &self.name, "training")?;
        self.test.keep(test, &self.name, "test")?;
        Ok(self)
    }

    /// Shifts and scales the inputs of both splits, and notes how.
    ///
    /// # Errors
    /// If the normalisation is of another number of features.
    pub fn normalise(&mut self, normalisation: Normalisation) -> Result<(), DataError> {
        normalisation.apply(&mut self.train.inputs, self.train.dim)?;
        normalisation.apply(&mut self.test.inputs, self.test.dim)?;
        self.normalisation = Some(normalisation);
        Ok(())
    }
}
