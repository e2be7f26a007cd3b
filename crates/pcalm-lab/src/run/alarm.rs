//! Signs that inference has become unstable, looked for at the end of every epoch.
//!
//! Training moves λ_max. Past the stability bound, steps of inference blow up what they should settle, long before
//! anything overflows: the weights are then trained on noise, and nothing else would say so.

use pcalm::{error::StabilityBound, train::Probe};
use std::fmt;

/// A sign, with its numbers.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Sign {
    /// The bound, measured again, no longer holds.
    Bound(StabilityBound),
    /// The rule's weight gradient points away from BP's.
    Alignment(f64),
    /// Without duals, steps can only lower the energy F; they raised it.
    Energy {
        /// F per sample at the forward pass, where it is the loss.
        from: f64,
        /// F per sample after inference.
        to: f64,
    },
}

/// Share of F that rounding may add.
const ROUNDING: f64 = 1e-3;

impl Sign {
    /// A sign in the inference on the probe batch; `weight` is how many times the plain loss the energy at the forward
    /// pass is at most, the output's precision.
    pub fn of(probe: &Probe, weight: f64) -> Option<Self> {
        let samples = probe.score.samples as f64;
        let (from, to) = (weight * probe.score.loss / samples, probe.energies.energy() / samples);
        if probe.alignment.whole.cosine < 0.0 {
            Some(Sign::Alignment(probe.alignment.whole.cosine))
        } else if probe.energies.dual == 0.0 && to > from * (1.0 + ROUNDING) {
            Some(Sign::Energy { from, to })
        } else {
            None
        }
    }
}

impl fmt::Display for Sign {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        match self {
            Sign::Bound(bound) => write!(f, "{bound}")?,
            Sign::Alignment(cosine) => write!(f, "the weight gradient points away from BP's (cosine {cosine:.3})")?,
            Sign::Energy { from, to } => write!(f, "inference raised the energy F from {from:.4e} to {to:.4e}")?,
        }
        write!(f, "; `--eta auto-track` follows λ_max, a smaller --eta or --budget helps too")
    }
}
