//! What the questions of theory ask for beside an experiment: as flags, as keys of a file, and as they are written down.

use clap::Args;
use serde::{Deserialize, Serialize};

/// Of `pcalm theory spectrum`.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct OneSample {
    /// The training sample to linearise at, counted from 0.
    #[arg(long, default_value_t = 0, value_name = "I")]
    pub sample: usize,
}

impl OneSample {
    /// The first of the samples meant, and how many.
    pub fn which(&self) -> (usize, usize) {
        (self.sample, 1)
    }
}

/// Of `pcalm theory equilibrium` and `pcalm theory wave`.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct FirstSamples {
    /// Training samples to look at, the first ones.
    #[arg(long, default_value_t = 32, value_name = "N")]
    pub samples: usize,
}

impl FirstSamples {
    /// The first of the samples meant, and how many.
    pub fn which(&self) -> (usize, usize) {
        (0, self.samples)
    }
}

/// Of `pcalm theory stability`, which asks nothing of an experiment.
#[derive(Args, Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields, rename_all = "kebab-case")]
pub struct StepSizes {
    /// Step sizes along each axis.
    #[arg(long, default_value_t = 48, value_name = "N")]
    pub grid: usize,
    /// Largest η ρ σ².
    #[arg(long, default_value_t = 2.4, value_name = "X", allow_hyphen_values = true)]
    pub x_max: f64,
    /// Largest α/ρ.
    #[arg(long, default_value_t = 6.0, value_name = "R", allow_hyphen_values = true)]
    pub ratio_max: f64,
}
