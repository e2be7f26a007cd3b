//! Inputs without targets, and which of them a run tests with.

use super::{
    DataError, Dataset,
    test_part::{TestPart, drawn},
};

/// A part of a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// What is learnt from.
    Train,
    /// What is held out.
    Test,
    /// Both.
    All,
}

impl Part {
    /// All of them.
    pub const ALL: [Part; 3] = [Part::Train, Part::Test, Part::All];

    /// The name used in options.
    pub fn name(self) -> &'static str {
        match self {
            Part::Train => "train",
            Part::Test => "test",
            Part::All => "all",
        }
    }

    /// The part of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|p| p.name() == name)
    }
}

/// Inputs in file order.
#[derive(Clone, Debug, PartialEq)]
pub struct Inputs {
    /// Row-major `[count, dim]`.
    pub values: Vec<f32>,
    /// Numbers in one input, at least 1.
    pub dim: usize,
    /// Which are for testing, if the set says so.
    pub tests: Option<Vec<bool>>,
}

impl Inputs {
    /// How many there are.
    pub fn len(&self) -> usize {
        self.values.len() / self.dim
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.values.is_empty()
    }

    /// Those of a data set, the training part first.
    pub fn of(data: Dataset) -> Self {
        let (train, test, dim) = (data.train.len(), data.test.len(), data.dim());
        let mut values = data.train.inputs;
        values.extend(data.test.inputs);
        Inputs { values, dim, tests: Some((0..train + test).map(|row| row >= train).collect()) }
    }

    /// Keeps one part, still in file order; `drawing` says how a run draws its test set where the file has none.
    ///
    /// # Errors
    /// If there is nothing in that part.
    pub fn keep(mut self, part: Part, drawing: TestPart) -> Result<Self, DataError> {
        if self.tests.is_some() {
            drawing.refuse_for_a_set_with_one()?;
        }
        let wanted = match part {
            Part::All => return Ok(self),
            Part::Train => false,
            Part::Test => true,
        };
        let nothing = |problem: &str| DataError::option("split", format!("`{}`: {problem}", part.name()));
        let marks = match self.tests.take() {
            Some(marks) => marks,
            None if self.len() < 2 => return Err(nothing("a single sample has no parts; use `all`")),
            None => drawn(self.len(), drawing),
        };
        let rows = self.values.chunks_exact(self.dim).zip(&marks).filter(|(_, mark)| **mark == wanted);
        self.values = rows.flat_map(|(row, _)| row).copied().collect();
        if self.is_empty() {
            return Err(nothing("no sample of the file is marked so"));
        }
        Ok(self)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::dataset::{Split, Targets, test_part::draw_test};

    #[test]
    fn the_samples_kept_for_testing_are_those_a_run_draws() {
        let values: Vec<f32> = (0..101u8).map(f32::from).collect();
        let targets = Targets::Real { values: values.clone(), dim: 1 };
        let part = TestPart { fraction: 0.3, seed: 7 };
        let (_, test) = draw_test(Split { inputs: values.clone(), dim: 1, targets }, part).unwrap();
        let kept = Inputs { values, dim: 1, tests: None }.keep(Part::Test, part).unwrap().values;
        assert!(kept.is_sorted() && kept.len() == 30);
        let mut drawn = test.inputs;
        drawn.sort_by(f32::total_cmp);
        assert_eq!(kept, drawn);
    }
}
