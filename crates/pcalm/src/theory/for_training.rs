//! What training and inference themselves ask of the theory: all there is without the feature `theory`.

mod curvature;
mod lanczos;
mod step_size;

pub use curvature::{Accuracy, Curvature, Operator, curvature, largest_eigenvalue};
pub use step_size::{
    AutomaticStep, SHARE, automatic_step, constraint_curvature, nesterov_momentum, preconditioned_step, stability_bound,
};
