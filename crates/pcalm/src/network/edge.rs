//! One dense edge: weights, scale and skip.

use crate::{error::Error, real::Real};

/// A dense edge a W (+ identity skip) from `cols` to `rows` units.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge<R> {
    weight: Vec<R>,
    rows: usize,
    cols: usize,
    scale: R,
    skip: bool,
}

impl<R: Real> Edge<R> {
    /// An edge with row-major weights W of shape `[rows, cols]`, scale a and skip τ.
    pub fn new(weight: Vec<R>, rows: usize, cols: usize, scale: R, skip: bool) -> Result<Self, Error> {
        if rows == 0 || cols == 0 {
            return Err(Error::Network(format!("a weight matrix of shape [{rows}, {cols}] has no entries")));
        }
        if rows.checked_mul(cols) != Some(weight.len()) {
            return Err(Error::Network(format!(
                "a weight matrix of shape [{rows}, {cols}] needs {rows} × {cols} numbers, got {}",
                weight.len()
            )));
        }
        if let Some(at) = weight.iter().position(|w| !w.is_finite()) {
            return Err(Error::Network(format!(
                "weight [{}, {}] is {}; weights must be finite",
                at / cols,
                at % cols,
                weight[at]
            )));
        }
        if !scale.is_finite() {
            return Err(Error::Network(format!("an edge's scale is {scale}; scales must be finite")));
        }
        Ok(Edge { weight, rows, cols, scale, skip })
    }

    /// W, row-major `[rows, cols]`.
    pub fn weight(&self) -> &[R] {
        &self.weight
    }

    /// W, row-major `[rows, cols]`.
    pub fn weight_mut(&mut self) -> &mut [R] {
        &mut self.weight
    }

    /// Units the edge predicts.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Units it reads.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The scale a of the parametrization.
    pub fn scale(&self) -> R {
        self.scale
    }

    /// Whether the edge also passes its input on unchanged (τ = 1).
    pub fn skip(&self) -> bool {
        self.skip
    }

    /// The same edge in another number type.
    pub fn cast<S: Real>(&self) -> Edge<S> {
        Edge {
            weight: self.weight.iter().map(|w| S::of(w.wide())).collect(),
            rows: self.rows,
            cols: self.cols,
            scale: S::of(self.scale.wide()),
            skip: self.skip,
        }
    }
}
