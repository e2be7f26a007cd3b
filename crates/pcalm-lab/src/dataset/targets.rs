//! What the samples of a split are to be mapped to.

use serde::{Deserialize, Serialize};

/// What is to be learnt from a data set.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "kind", rename_all = "kebab-case")]
pub enum Task {
    /// To tell classes apart.
    Classification {
        /// How many there are.
        classes: usize,
    },
    /// To give real numbers.
    Regression,
}

impl Task {
    /// The name used in options and records.
    pub fn name(self) -> &'static str {
        match self {
            Task::Classification { .. } => "classification",
            Task::Regression => "regression",
        }
    }
}

/// One target for each sample.
#[derive(Clone, Debug, PartialEq)]
pub enum Targets {
    /// Classes; as a vector, a class is 1 at its own place and 0 elsewhere.
    Classes {
        /// A class for each sample, below `classes`.
        labels: Vec<u32>,
        /// How many classes there are.
        classes: usize,
    },
    /// Real vectors.
    Real {
        /// Row-major `[count, dim]`.
        values: Vec<f32>,
        /// Length of one vector, at least 1.
        dim: usize,
    },
}

impl Targets {
    /// How many there are.
    pub fn len(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => labels.len(),
            Targets::Real { values, dim } => values.len() / dim,
        }
    }

    /// Whether there are none.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Length of one target as a vector: the number of classes, or of real numbers.
    pub fn outputs(&self) -> usize {
        match self {
            Targets::Classes { classes, .. } => *classes,
            Targets::Real { dim, .. } => *dim,
        }
    }

    /// What is to be learnt from them.
    pub fn task(&self) -> Task {
        match self {
            Targets::Classes { classes, .. } => Task::Classification { classes: *classes },
            Targets::Real { .. } => Task::Regression,
        }
    }

    /// The classes, if they are classes.
    pub fn labels(&self) -> Option<&[u32]> {
        match self {
            Targets::Classes { labels, .. } => Some(labels),
            Targets::Real { .. } => None,
        }
    }

    /// The numbers, if they are real vectors.
    pub fn values(&self) -> Option<&[f32]> {
        match self {
            Targets::Classes { .. } => None,
            Targets::Real { values, .. } => Some(values),
        }
    }

    /// Bytes held.
    pub fn bytes(&self) -> usize {
        match self {
            Targets::Classes { labels, .. } => size_of_val(labels.as_slice()),
            Targets::Real { values, .. } => size_of_val(values.as_slice()),
        }
    }

    /// Σ over samples and outputs of (y − mean of that output)²: what is left of the squared error
    /// when every sample is given the mean.
    ///
    /// The coefficient of determination is R² = 1 − Σ‖f − y‖² / variation. There is none for
    /// classes, nor where all targets are alike.
    pub fn variation(&self) -> Option<f64> {
        let Targets::Real { values, dim } = self else { return None };
        let mean = column_means(values, *dim);
        let rows = values.chunks_exact(*dim);
        let variation: f64 =
            rows.map(|row| row.iter().zip(&mean).map(|(&y, m)| (f64::from(y) - m).powi(2)).sum::<f64>()).sum();
        (variation > 0.0).then_some(variation)
    }

    /// The same for each output by itself: Σ over samples of (y − mean)²; empty for classes.
    pub fn variations(&self) -> Vec<f64> {
        let Targets::Real { values, dim } = self else { return Vec::new() };
        let mean = column_means(values, *dim);
        let mut sums = vec![0.0; *dim];
        for row in values.chunks_exact(*dim) {
            sums.iter_mut().zip(row).zip(&mean).for_each(|((sum, &y), m)| *sum += (f64::from(y) - m).powi(2));
        }
        sums
    }

    /// The first sample that is no distribution over the outputs: its numbers are not all 0 or
    /// more, or do not sum to 1 within `tolerance`.
    pub fn first_that_is_no_distribution(&self, tolerance: f64) -> Option<usize> {
        let Targets::Real { values, dim } = self else { return None };
        values.chunks_exact(*dim).position(|row| {
            let sum: f64 = row.iter().map(|&y| f64::from(y)).sum();
            row.iter().any(|&y| y < 0.0) || (sum - 1.0).abs() > tolerance
        })
    }

    /// Adds those of another part of the same set.
    pub(super) fn extend(&mut self, other: Targets) {
        match (self, other) {
            (Targets::Classes { labels, .. }, Targets::Classes { labels: more, .. }) => labels.extend(more),
            (Targets::Real { values, .. }, Targets::Real { values: more, .. }) => values.extend(more),
            // The parts of a set are of one kind.
            _ => {}
        }
    }

    /// None, of the same kind.
    pub(super) fn emptied(&self) -> Targets {
        match *self {
            Targets::Classes { classes, .. } => Targets::Classes { labels: Vec::new(), classes },
            Targets::Real { dim, .. } => Targets::Real { values: Vec::new(), dim },
        }
    }

    /// Keeps the first `n`.
    pub(super) fn truncate(&mut self, n: usize) {
        match self {
            Targets::Classes { labels, .. } => labels.truncate(n),
            Targets::Real { values, dim } => values.truncate(n * *dim),
        }
    }
}

/// The mean of each column of a row-major matrix, in `f64`.
pub(super) fn column_means(values: &[f32], columns: usize) -> Vec<f64> {
    let mut sums = vec![0.0; columns];
    for row in values.chunks_exact(columns) {
        sums.iter_mut().zip(row).for_each(|(sum, &v)| *sum += f64::from(v));
    }
    let rows = (values.len() / columns).max(1) as f64;
    sums.iter().map(|sum| sum / rows).collect()
}
