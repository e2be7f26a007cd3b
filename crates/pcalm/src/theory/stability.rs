//! Where inference is stable: a map over the step sizes, predicted and simulated (docs/maths.md §7).

use super::mode::Mode;
use crate::{
    activation::Activation,
    backend::Reference,
    error::Error,
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Batch,
    network::{Link, Network, Placement},
    objective::Objective,
};

/// One pair of step sizes.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cell {
    /// ηρσ².
    pub x: f64,
    /// α/ρ.
    pub ratio: f64,
    /// Spectral radius of the 2 × 2 map.
    pub predicted: f64,
    /// Growth per step in the library's own inference.
    pub simulated: f64,
    /// Whether the prediction is stable.
    pub stable: bool,
    /// Whether the mode oscillates.
    pub oscillates: bool,
}

/// Steps simulated; the growth is taken over the second half.
const STEPS: usize = 2000;

/// Every pair of `xs` (ηρσ²) and `ratios` (α/ρ), ratios varying fastest. Simulated on the network
/// with one hidden unit and no readout, where C = 1, so σ = 1, S = 0, and ρ = 1.
///
/// # Errors
/// If a number is not finite, an x not positive or a ratio negative.
pub fn stability_map(xs: &[f64], ratios: &[f64]) -> Result<Vec<Cell>, Error> {
    let pairs = xs.iter().flat_map(|&x| ratios.iter().map(move |&ratio| (x, ratio)));
    pairs.map(|(x, ratio)| cell(x, ratio)).collect()
}

fn cell(x: f64, ratio: f64) -> Result<Cell, Error> {
    if !(x.is_finite() && x > 0.0) {
        return Err(Error::setting("eta", format!("ησ² = {x} is not a positive number")));
    }
    if !(ratio.is_finite() && ratio >= 0.0) {
        return Err(Error::setting("alpha", format!("α/ρ = {ratio} is not a number of at least 0")));
    }
    let mode = Mode { x, rho: 1.0, alpha: ratio };
    let simulated = growth(x, ratio)?;
    Ok(Cell { x, ratio, predicted: mode.radius(), simulated, stable: mode.stable(), oscillates: mode.oscillates() })
}

/// Growth per step of (z, λ) from the fixed point 0.
fn growth(eta: f64, alpha: f64) -> Result<f64, Error> {
    let links = vec![Link::new(vec![1.0], 1, 1, 1.0, false)?, Link::new(vec![0.0], 1, 1, 1.0, false)?];
    let network = Network::chain(links, Activation::Identity, Placement::Pre)?;
    let backend = Reference::<f64>::new();
    // Inputs and targets are zero, so zero is where inference ends, and every step is linear.
    let (block, mut state) = Batch::new(&[0.0], &[0.0], 1)?.block(&backend, &network)?;
    let objective = Objective::new(Loss::SquaredError, &[1.0])?;
    let lagrangian = Lagrangian::new(&backend, &network, &block, &objective)?;
    state.activities_mut().layers[0].data_mut()[0] = 1.0;
    if alpha > 0.0 {
        state.duals_mut().layers[0].data_mut()[0] = 1.0;
    }
    let mut logarithm = 0.0;
    for step in 0..STEPS {
        lagrangian.cycle(&mut state, DualStep::Along(alpha), eta);
        let size = f64::hypot(state.activities().layers[0].at(0, 0), state.duals().layers[0].at(0, 0));
        if size == 0.0 {
            return Ok(0.0);
        }
        // Kept at length 1, or it would leave the range of the numbers.
        state.activities_mut().layers[0].data_mut()[0] /= size;
        state.duals_mut().layers[0].data_mut()[0] /= size;
        if step >= STEPS / 2 {
            logarithm += size.ln();
        }
    }
    Ok((logarithm / (STEPS - STEPS / 2) as f64).exp())
}
