//! What a layer's residual costs, E''(0), as a linear map: any function of it at once.

use super::dense::{precision_matrix, product, symmetric_eigen};
use crate::{error::Error, penalty::Penalty, precision::Weighting};
use faer::{Mat, MatRef};

/// E''(0) of one layer, by its eigenvalues.
#[derive(Clone, Debug)]
pub enum Stiffness {
    /// One for all units.
    Scalar(f64),
    /// One for each unit.
    Diagonal(Vec<f64>),
    /// Any symmetric one.
    Full {
        /// Eigenvalues.
        values: Vec<f64>,
        /// Eigenvectors, as columns.
        vectors: Mat<f64>,
    },
}

impl Stiffness {
    /// Of a penalty on `n` units; `None` for a layer that nothing holds.
    ///
    /// # Errors
    /// If the eigenvalues of a full precision cannot be found.
    pub fn of(penalty: Option<&Penalty<f64>>, n: usize) -> Result<Self, Error> {
        let Some(penalty) = penalty else { return Ok(Stiffness::Scalar(0.0)) };
        let at_rest = penalty.shape().curvature_at_rest();
        Ok(match penalty.weight() {
            Weighting::Scalar(p) => Stiffness::Scalar(at_rest * p),
            Weighting::Diagonal(p) => Stiffness::Diagonal(p.iter().map(|p| at_rest * p).collect()),
            weight @ Weighting::Full(_) => {
                let eigen = symmetric_eigen(&precision_matrix(weight, n));
                let problem = "one of its precisions has no eigenvalues";
                let (values, vectors) = eigen.ok_or_else(|| Error::Network(problem.into()))?;
                Stiffness::Full { values, vectors }
            }
        })
    }

    /// `v` ← f(E''(0)) v.
    pub fn apply(&self, f: impl Fn(f64) -> f64, v: &mut [f64]) {
        match self {
            Stiffness::Scalar(d) => {
                let factor = f(*d);
                v.iter_mut().for_each(|v| *v *= factor);
            }
            Stiffness::Diagonal(d) => v.iter_mut().zip(d).for_each(|(v, d)| *v *= f(*d)),
            Stiffness::Full { values, vectors } => {
                let turned = product(vectors.transpose(), MatRef::from_column_major_slice(v, v.len(), 1));
                let scaled = Mat::from_fn(v.len(), 1, |i, _| f(values[i]) * turned[(i, 0)]);
                let back = product(vectors.as_ref(), scaled.as_ref());
                v.iter_mut().enumerate().for_each(|(i, v)| *v = back[(i, 0)]);
            }
        }
    }

    /// The smallest eigenvalue.
    pub fn least(&self) -> f64 {
        match self {
            Stiffness::Scalar(d) => *d,
            Stiffness::Diagonal(values) | Stiffness::Full { values, .. } => {
                values.iter().copied().fold(f64::INFINITY, f64::min)
            }
        }
    }
}
