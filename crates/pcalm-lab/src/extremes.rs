//! The ends of the activity Hessian's spectrum, for options that follow them.

use crate::error::LabError;
use pcalm::{
    backend::{Problem, Reference},
    lagrangian::Lagrangian,
    network::Network,
    objective::Objective,
    state::State,
    theory::{Ends, Linearisation},
};

/// That an option which needs them can be had.
///
/// # Errors
/// None in this program.
pub fn needed_by(_option: &str) -> Result<(), LabError> {
    Ok(())
}

/// κ at the forward pass of one sample.
///
/// # Errors
/// If the network's activities are not finite.
pub fn condition(
    network: &Network<f64>,
    objective: &Objective<f64>,
    (x, y): (&[f64], &[f64]),
) -> Result<f64, LabError> {
    let linearisation = Linearisation::at_forward_pass(network, objective, x, y)?;
    let (largest, smallest) = Ends::default().measure(&linearisation)?;
    Ok(largest / smallest)
}

/// λ_max and λ_min of a sample of the Lagrangian's block at its forward pass, and (2 + α/ρ) λ_max with the smallest ρ.
/// The eigenvectors that were `kept` from the last measurement are brought up to date.
///
/// # Errors
/// If the network's activities are not finite.
pub fn follow(
    lagrangian: &Lagrangian<Reference<f64>>,
    (state, sample): (&State<Reference<f64>>, usize),
    dual_step: f64,
    kept: &mut (Vec<f32>, Vec<f32>),
) -> Result<(f64, f64, f64), LabError> {
    let Problem { network, block, objective, .. } = *lagrangian.problem();
    let linearisation = Linearisation::of(network, objective, block, state, sample)?;
    let wide = |v: &[f32]| v.iter().copied().map(f64::from).collect();
    let mut ends = Ends { top: wide(&kept.0), bottom: wide(&kept.1) };
    let (largest, smallest) = ends.measure(&linearisation)?;
    let narrow = |v: &[f64]| v.iter().map(|&v| v as f32).collect();
    *kept = (narrow(&ends.top), narrow(&ends.bottom));
    Ok((largest, smallest, linearisation.at_most(2.0, dual_step, largest)))
}
