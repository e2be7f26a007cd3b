//! Samples at the library's boundary.

use crate::{error::Error, network::Network, real::Real};

/// Inputs and targets of B samples, row-major `[B, D]` and `[B, O]`.
#[derive(Clone, Copy, Debug)]
pub struct Batch<'a, R> {
    pub(crate) inputs: &'a [R],
    pub(crate) targets: &'a [R],
    samples: usize,
}

impl<'a, R: Real> Batch<'a, R> {
    /// Checks that the arrays hold `samples` rows of finite numbers each.
    pub fn new(inputs: &'a [R], targets: &'a [R], samples: usize) -> Result<Self, Error> {
        if samples == 0 {
            return Err(Error::Batch("it has no samples".into()));
        }
        for (name, values) in [("x", inputs), ("y", targets)] {
            if values.is_empty() || values.len() % samples != 0 {
                return Err(Error::Batch(format!(
                    "`{name}` has {} numbers, not a whole row for each of {samples} samples",
                    values.len()
                )));
            }
            if let Some(at) = values.iter().position(|v| !v.is_finite()) {
                let width = values.len() / samples;
                return Err(Error::Batch(format!(
                    "`{name}` of sample {}, feature {}, is {}; inputs and targets must be finite",
                    at / width,
                    at % width,
                    values[at]
                )));
            }
        }
        Ok(Batch { inputs, targets, samples })
    }

    /// B.
    pub fn samples(&self) -> usize {
        self.samples
    }

    /// Refuses a batch of other widths than the network's.
    pub(crate) fn fits(&self, network: &Network<R>) -> Result<(), Error> {
        if (self.input_width(), self.target_width()) == (network.inputs(), network.outputs()) {
            return Ok(());
        }
        Err(Error::Batch(format!(
            "x has {} and y {} features per sample, but the network maps {} inputs to {} outputs",
            self.input_width(),
            self.target_width(),
            network.inputs(),
            network.outputs()
        )))
    }

    /// D, the width of the inputs.
    pub fn input_width(&self) -> usize {
        self.inputs.len() / self.samples
    }

    /// O, the width of the targets.
    pub fn target_width(&self) -> usize {
        self.targets.len() / self.samples
    }
}
