//! What can be said of a network's inference before running it (MATHS.md §6–7).

mod curvature;

pub use curvature::{Curvature, curvature};
