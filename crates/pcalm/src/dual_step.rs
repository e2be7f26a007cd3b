//! How far the duals move in a cycle.

use crate::real::Real;

/// How far λ goes along the residuals before the activities move.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DualStep<R> {
    /// Not at all.
    Still,
    /// λ_l += α c_l, whatever the precisions.
    Along(R),
    /// λ_l += E'(c_l), which is ρ_l c_l without precisions: the method of multipliers.
    Penalty,
}

impl<R: Real> DualStep<R> {
    /// The step along c of a unit with E = ½`rho` c².
    pub fn at(self, rho: R) -> R {
        match self {
            DualStep::Still => R::zero(),
            DualStep::Along(alpha) => alpha,
            DualStep::Penalty => rho,
        }
    }
}
