//! What is solved and not iterated: dense algebra, Jacobians as matrices, Newton's step for the minimum of F, inverses
//! of layers. Rules and theory ask here; nothing here knows a rule.

pub(crate) mod dense;
pub(crate) mod hessian;
pub(crate) mod inverse;
pub(crate) mod jacobian;
pub(crate) mod kinks;
pub(crate) mod newton;
mod skip_inverse;
pub(crate) mod targets;
pub(crate) mod wide;
