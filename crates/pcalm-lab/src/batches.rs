//! Batches from a data set, in an order that depends on seed and epoch alone.

use crate::dataset::{Dataset, Split, Targets};
use pcalm::{Error, minibatch::Batch, real::Real};
use rand::{SeedableRng, seq::SliceRandom};
use rand_chacha::ChaCha8Rng;

/// The order of the training samples in an epoch.
///
/// Each epoch has its own stream of the seed's generator, so that a resumed run needs only the
/// step it had reached.
pub fn order(samples: usize, seed: u64, epoch: u64) -> Vec<usize> {
    let mut rng = ChaCha8Rng::seed_from_u64(seed);
    // Stream 0 draws the weights.
    rng.set_stream(epoch + 1);
    let mut order: Vec<usize> = (0..samples).collect();
    order.shuffle(&mut rng);
    order
}

/// Inputs and targets of chosen samples.
#[derive(Clone, Debug, Default)]
pub struct Gathered<R> {
    inputs: Vec<R>,
    targets: Vec<R>,
    samples: usize,
}

impl<R: Real> Gathered<R> {
    /// Replaces the content by the samples at `indices` of `split`; a class becomes a vector that is 1
    /// at its place and 0 elsewhere.
    pub fn gather(&mut self, split: &Split, indices: impl IntoIterator<Item = usize>) {
        self.inputs.clear();
        self.targets.clear();
        self.samples = 0;
        for i in indices {
            self.inputs.extend(split.input(i).iter().map(|&x| R::of(f64::from(x))));
            match &split.targets {
                Targets::Classes { labels, classes } => {
                    let label = labels[i] as usize;
                    self.targets.extend((0..*classes).map(|c| if c == label { R::one() } else { R::zero() }));
                }
                Targets::Real { values, dim } => {
                    let target = &values[i * dim..(i + 1) * dim];
                    self.targets.extend(target.iter().map(|&y| R::of(f64::from(y))));
                }
            }
            self.samples += 1;
        }
    }

    /// Inputs and targets of the first sample.
    pub fn first(&self) -> (&[R], &[R]) {
        let samples = self.samples.max(1);
        (&self.inputs[..self.inputs.len() / samples], &self.targets[..self.targets.len() / samples])
    }

    /// Inputs and targets, row-major.
    pub fn into_parts(self) -> (Vec<R>, Vec<R>) {
        (self.inputs, self.targets)
    }

    /// The same samples in another number type.
    pub fn cast<S: Real>(&self) -> Gathered<S> {
        let cast = |values: &[R]| values.iter().map(|v| S::of(v.wide())).collect();
        Gathered { inputs: cast(&self.inputs), targets: cast(&self.targets), samples: self.samples }
    }

    /// The batch.
    ///
    /// # Errors
    /// If it is empty or holds numbers that are not finite.
    pub fn batch(&self) -> Result<Batch<'_, R>, Error> {
        Batch::new(&self.inputs, &self.targets, self.samples)
    }
}

/// All samples of a split in file order, `at_once` at a time.
pub fn chunks<R: Real>(split: &Split, at_once: usize) -> impl Iterator<Item = Gathered<R>> {
    (0..split.len()).step_by(at_once.max(1)).map(move |from| {
        let mut gathered = Gathered::default();
        gathered.gather(split, from..from.saturating_add(at_once).min(split.len()));
        gathered
    })
}

/// Training steps in an epoch.
pub fn steps_per_epoch(data: &Dataset, batch: usize, drop_last: bool) -> u64 {
    let samples = data.train.len();
    (if drop_last { samples / batch } else { samples.div_ceil(batch) }) as u64
}
