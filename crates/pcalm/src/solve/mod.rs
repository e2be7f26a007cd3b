//! Solves that are not inference's own: what a rule asks for as a whole, in `f64` and on one thread.

#[path = "../theory/dense.rs"]
pub(crate) mod dense;
pub(crate) mod inverse;
mod skip_inverse;
pub(crate) mod targets;
