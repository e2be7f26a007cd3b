//! What the questions of theory ask for beside an experiment: as flags, as keys of a file, and as they are written down.

use crate::options::options;

options! {
/// Of `pcalm theory spectrum`.
pub struct OneSample {
    /// The training sample to linearise at, counted from 0.
    #[arg(long, value_name = "I")]
    pub sample: usize = 0,
}
}

impl OneSample {
    /// The first of the samples meant, and how many.
    pub fn which(&self) -> (usize, usize) {
        (self.sample, 1)
    }
}

options! {
/// Of `pcalm theory equilibrium`, `energies` and `wave`.
pub struct FirstSamples {
    /// Training samples to look at, the first ones.
    #[arg(long, value_name = "N")]
    pub samples: usize = 32,
}
}

impl FirstSamples {
    /// The first of the samples meant, and how many.
    pub fn which(&self) -> (usize, usize) {
        (0, self.samples)
    }
}

options! {
/// Of `pcalm theory relaxation`.
pub struct LayerPath {
    /// Training samples to look at, the first ones.
    #[arg(long, value_name = "N")]
    pub samples: usize = 4,
    /// The hidden layer to look at alone, between neighbours that are held at their equilibrium; counted from 1.
    #[arg(long, value_name = "L")]
    pub layer: usize = 1,
}
}

impl LayerPath {
    /// The first of the samples meant, and how many.
    pub fn which(&self) -> (usize, usize) {
        (0, self.samples)
    }
}

options! {
/// Of `pcalm theory stability`, which asks nothing of an experiment.
pub struct StepSizes {
    /// Step sizes along each axis.
    #[arg(long, value_name = "N")]
    pub grid: usize = 48,
    /// Largest η ρ σ².
    #[arg(long, value_name = "X", allow_hyphen_values = true)]
    pub x_max: f64 = 2.4,
    /// Largest α/ρ.
    #[arg(long, value_name = "R", allow_hyphen_values = true)]
    pub ratio_max: f64 = 6.0,
}
}
