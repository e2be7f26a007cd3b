//! How far the duals move in a cycle.

use crate::real::Real;

/// How far λ goes along the residuals before the activities move: λ_l += step · c_l.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum DualStep<R> {
    /// Not at all.
    Still,
    /// By α.
    Along(R),
    /// By the layer's own ρ_l: the method of multipliers.
    Penalty,
}

impl<R: Real> DualStep<R> {
    /// The step of a layer with penalty `rho`.
    pub fn at(self, rho: R) -> R {
        match self {
            DualStep::Still => R::zero(),
            DualStep::Along(alpha) => alpha,
            DualStep::Penalty => rho,
        }
    }
}
