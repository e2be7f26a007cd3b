//! Damping and phase of the single modes of C in a simulation, beside what is predicted
//! (docs/maths.md §7; \[ALM\] app. D).
//!
//! Along the right singular vector of σ the activities obey a_{t+1} = (trace) a_t − (det) a_{t-1} once
//! the loss curvature is left aside. Trace and determinant fitted to the simulated a_t give the mode's
//! radius √det and phase; a mode's wavenumber is k = 2 asin(σ/2).

use super::{
    dense::{dot, singular_vectors},
    follow::follow,
    krylov::not_finite,
    linearisation::Linearisation,
    spectrum::Iteration,
};
use crate::{backend::Reference, error::Error, lagrangian::Lagrangian, rule::Rule, state::State};

/// Up to this many unknowns the singular vectors are computed.
pub const DENSE_MODES: usize = 1024;

/// One mode, predicted and measured; rates are per step.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Dispersion {
    /// k = 2 asin(σ/2), radians per layer.
    pub wavenumber: f64,
    /// ηρk²/2.
    pub long_wave_damping: f64,
    /// −ln √(1 − ηρσ²).
    pub predicted_damping: f64,
    /// −ln √det of the fit.
    pub measured_damping: f64,
    /// √(ηα) k.
    pub long_wave_phase: f64,
    /// The angle of the mode's eigenvalue.
    pub predicted_phase: f64,
    /// acos(trace / 2√det) of the fit.
    pub measured_phase: f64,
}

/// The modes that oscillate, longest wave first, seen in the inference of `rule` on the one sample
/// of `lagrangian`, which `iteration` linearises. A mode whose fit does not oscillate is left out, and so are all
/// beyond σ = 2, where there is no wavenumber; `None` beyond [`DENSE_MODES`] unknowns.
///
/// # Errors
/// If the rule does not fit the network, the linearisation is not finite, or the activities diverge.
pub fn dispersion(
    iteration: &Iteration,
    lagrangian: &Lagrangian<Reference<f64>>,
    state: &mut State<Reference<f64>>,
    rule: &dyn Rule<Reference<f64>>,
) -> Result<Option<Vec<Dispersion>>, Error> {
    let lin: &Linearisation = iteration.linearisation;
    if lin.unknowns() > DENSE_MODES {
        return Ok(None);
    }
    let (sigmas, directions) = singular_vectors(&lin.dense_constraint()).ok_or_else(not_finite)?;
    let mut path: Vec<Vec<f64>> = Vec::new();
    follow(rule, lagrangian, state, |_, state| {
        path.push(state.activities.layers.iter().flat_map(|m| m.column(0)).collect());
    })?;
    let start = path[0].clone();
    for z in &mut path {
        z.iter_mut().zip(&start).for_each(|(z, s)| *z -= s);
    }
    let n = lin.unknowns();
    let mut found = Vec::new();
    for j in (0..n).rev() {
        let direction: Vec<f64> = (0..n).map(|i| directions[(i, j)]).collect();
        let amplitudes: Vec<f64> = path.iter().map(|z| dot(z, &direction)).collect();
        found.extend(measure(iteration, sigmas[j], &amplitudes));
    }
    Ok(Some(found))
}

fn measure(iteration: &Iteration, sigma: f64, amplitudes: &[f64]) -> Option<Dispersion> {
    let mode = iteration.mode(sigma);
    if sigma > 2.0 || !mode.oscillates() {
        return None;
    }
    // Normal equations of a_{t+1} = trace · a_t − det · a_{t-1}.
    let [mut xx, mut xy, mut yy, mut xz, mut yz] = [0.0; 5];
    for w in amplitudes.windows(3) {
        xx += w[1] * w[1];
        xy += w[1] * w[0];
        yy += w[0] * w[0];
        xz += w[1] * w[2];
        yz += w[0] * w[2];
    }
    let below = xx * yy - xy * xy;
    let (trace, det) = ((xz * yy - yz * xy) / below, -(yz * xx - xz * xy) / below);
    let oscillates = det > 0.0 && trace * trace < 4.0 * det;
    let wavenumber = 2.0 * (0.5 * sigma).asin();
    oscillates.then(|| Dispersion {
        wavenumber,
        long_wave_damping: 0.5 * iteration.eta * mode.rho * wavenumber * wavenumber,
        predicted_damping: -0.5 * mode.determinant().ln(),
        measured_damping: -0.5 * det.ln(),
        long_wave_phase: (iteration.eta * iteration.alpha).sqrt() * wavenumber,
        predicted_phase: (0.5 * mode.trace() / mode.determinant().sqrt()).acos(),
        measured_phase: (0.5 * trace / det.sqrt()).acos(),
    })
}
