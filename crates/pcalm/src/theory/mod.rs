//! What can be said of a network's inference before running it (docs/maths.md §6, 7 and 9).

mod advice;
mod approach;
mod curvature;
mod dispersion;
mod equilibrium;
mod follow;
mod krylov;
mod lanczos;
mod linearisation;
mod mode;
mod relaxation;
mod spectrum;
mod stability;
mod step_size;
mod stiffness;
mod watch;
mod wave;

use crate::solve::{dense, jacobian};
pub use advice::{Advice, crossing_time};
pub use approach::{Distance, distances};
pub use curvature::{Accuracy, Curvature, Operator, curvature, largest_eigenvalue};
pub use dispersion::{DENSE_MODES, Dispersion, dispersion};
pub use equilibrium::LinearEquilibrium;
/// A complex number.
pub use faer::c64 as Eigenvalue;
pub use linearisation::{HessianInverse, Linearisation};
pub use mode::Mode;
pub use relaxation::{DENSE_RELAXATION, Relaxation};
pub use spectrum::{DENSE_ITERATION, DENSE_SINGULAR_VALUES, Iteration, MANY, Radius, Spectrum, Stability};
pub use stability::{Cell, stability_map};
pub use step_size::{
    AutomaticStep, SHARE, automatic_step, constraint_curvature, nesterov_momentum, preconditioned_step, stability_bound,
};
pub use watch::Ends;
pub use wave::{FRACTION, LayerCredit, Moment, Wave};
