//! Stands for the ends of the activity Hessian's spectrum in a program without the feature `theory`.

use crate::error::LabError;
use pcalm::{backend::Reference, lagrangian::Lagrangian, network::Network, objective::Objective, state::State};

/// Refuses an option that needs them.
///
/// # Errors
/// Always.
pub fn needed_by(option: &str) -> Result<(), LabError> {
    Err(LabError::NoTheory { wanted: option.to_owned() })
}

fn absent<T>() -> Result<T, LabError> {
    Err(LabError::NoTheory { wanted: "the condition of the activity Hessian".to_owned() })
}

/// Not in this program.
///
/// # Errors
/// Always.
pub fn condition(_: &Network<f64>, _: &Objective<f64>, _: (&[f64], &[f64])) -> Result<f64, LabError> {
    absent()
}

/// Not in this program.
///
/// # Errors
/// Always.
pub fn follow(
    _: &Lagrangian<Reference<f64>>,
    _: (&State<Reference<f64>>, usize),
    _: f64,
    _: &mut (Vec<f32>, Vec<f32>),
) -> Result<(f64, f64, f64), LabError> {
    absent()
}
