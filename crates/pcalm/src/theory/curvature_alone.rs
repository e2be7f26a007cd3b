//! What training and inference themselves ask of the theory: all there is without the feature `theory`.

mod curvature;

pub use curvature::{Accuracy, Curvature, Operator, curvature, largest_eigenvalue, nesterov_momentum};
