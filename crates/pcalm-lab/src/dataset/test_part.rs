//! Test sets: drawn at random, or marked row by row.

use super::{DataError, split::Split, targets::Targets};
use rand::SeedableRng;
use rand_chacha::{ChaCha8Rng, rand_core::Rng};

/// How much of a set without a test part becomes one, and which samples.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct TestPart {
    /// The share, between 0 and 1.
    pub fraction: f64,
    /// Seed of the draw.
    pub seed: u64,
}

impl Default for TestPart {
    fn default() -> Self {
        TestPart { fraction: 0.2, seed: 0 }
    }
}

impl TestPart {
    /// For a set that says itself what its test part is.
    ///
    /// # Errors
    /// If something else than the default was asked for, which would have no effect.
    pub(super) fn refuse_for_a_set_with_one(self) -> Result<(), DataError> {
        let default = TestPart::default();
        for (option, differs) in
            [("test-fraction", self.fraction != default.fraction), ("split-seed", self.seed != default.seed)]
        {
            if differs {
                return Err(DataError::option(
                    option,
                    "this data set has a test part of its own; leave the option out",
                ));
            }
        }
        Ok(())
    }
}

/// The stream of the seed's generator that splits are drawn from; weights and batches have others.
const STREAM: u64 = u64::MAX;

/// Puts the samples in a random order and cuts off the test set; at least one sample stays on each
/// side. The order is the drawn one, so that the first samples are a random choice too.
pub(super) fn draw_test(mut all: Split, part: TestPart) -> Result<(Split, Split), String> {
    let samples = all.len();
    if samples < 2 {
        return Err(format!("has {samples} sample; at least 2 are needed, one of them to test with"));
    }
    shuffle(samples, part.seed, |i, j| all.swap(i, j));
    let test = all.split_off(samples - tests(samples, part.fraction));
    Ok((all, test))
}

/// Which of so many samples, at least 2, [`draw_test`] takes for the test set.
pub(super) fn drawn(samples: usize, part: TestPart) -> Vec<bool> {
    let mut order: Vec<usize> = (0..samples).collect();
    shuffle(samples, part.seed, |i, j| order.swap(i, j));
    let mut marks = vec![false; samples];
    order[samples - tests(samples, part.fraction)..].iter().for_each(|&at| marks[at] = true);
    marks
}

fn tests(samples: usize, fraction: f64) -> usize {
    ((samples as f64 * fraction).round() as usize).clamp(1, samples - 1)
}

fn shuffle(samples: usize, seed: u64, mut swap: impl FnMut(usize, usize)) {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    rng.set_stream(STREAM);
    for i in (1..samples).rev() {
        // Raw words alone, so that no library update can change the order; biased by less than 2⁻³².
        let j = (u128::from(rng.next_u64()) * (i as u128 + 1)) >> 64;
        swap(i, j as usize);
    }
}

/// Takes the samples that are marked out of `all`; both parts keep their order.
pub(super) fn take_marked(mut all: Split, marked: &[bool]) -> Result<(Split, Split), String> {
    let tests = marked.iter().filter(|m| **m).count();
    if tests == 0 || tests == marked.len() {
        return Err(format!("column `split` marks {tests} of {} rows as `test`; both parts need rows", marked.len()));
    }
    // What is to be kept moves up in place; a copy of the rest is all the memory it takes.
    let mut test = Split { inputs: Vec::new(), dim: all.dim, targets: all.targets.emptied() };
    let mut kept = 0;
    for (i, &mark) in marked.iter().enumerate() {
        if mark {
            test.push(&all, i);
        } else {
            all.copy_within(i, kept);
            kept += 1;
        }
    }
    all.truncate(kept);
    Ok((all, test))
}

impl Split {
    fn swap(&mut self, i: usize, j: usize) {
        swap_rows(&mut self.inputs, self.dim, i, j);
        match &mut self.targets {
            Targets::Classes { labels, .. } => labels.swap(i, j),
            Targets::Real { values, dim } => swap_rows(values, *dim, i, j),
        }
    }

    fn split_off(&mut self, at: usize) -> Split {
        let targets = match &mut self.targets {
            Targets::Classes { labels, classes } => {
                Targets::Classes { labels: labels.split_off(at), classes: *classes }
            }
            Targets::Real { values, dim } => Targets::Real { values: values.split_off(at * *dim), dim: *dim },
        };
        Split { inputs: self.inputs.split_off(at * self.dim), dim: self.dim, targets }
    }

    fn push(&mut self, other: &Split, i: usize) {
        self.inputs.extend_from_slice(other.input(i));
        match (&mut self.targets, &other.targets) {
            (Targets::Classes { labels, .. }, Targets::Classes { labels: others, .. }) => labels.push(others[i]),
            (Targets::Real { values, dim }, Targets::Real { values: others, .. }) => {
                values.extend_from_slice(&others[i * *dim..(i + 1) * *dim]);
            }
            // A part has the targets of its whole.
            _ => {}
        }
    }

    fn copy_within(&mut self, from: usize, to: usize) {
        self.inputs.copy_within(from * self.dim..(from + 1) * self.dim, to * self.dim);
        match &mut self.targets {
            Targets::Classes { labels, .. } => labels[to] = labels[from],
            Targets::Real { values, dim } => values.copy_within(from * *dim..(from + 1) * *dim, to * *dim),
        }
    }
}

fn swap_rows(values: &mut [f32], width: usize, i: usize, j: usize) {
    if i != j {
        let (low, high) = values.split_at_mut(i.max(j) * width);
        let low = &mut low[i.min(j) * width..];
        low[..width].swap_with_slice(&mut high[..width]);
    }
}
