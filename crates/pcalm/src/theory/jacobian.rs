//! The Jacobian of one edge, as a linear map that is never formed.

use super::dense::multiply;
use crate::network::Edge;
use faer::{Mat, MatMut, MatRef};

/// J_l = τ_l I + a_l diag(φ'(u_l)) W_l diag(φ'(z_{l-1})) of one edge; one of the gates is all
/// ones and left out, by placement.
#[derive(Clone, Debug)]
pub struct Jacobian<'a> {
    pub(super) edge: &'a Edge<f64>,
    /// φ'(z_{l-1}) in `pre` placement.
    pub(super) before: Option<Vec<f64>>,
    /// φ'(u_l) in `post` placement.
    pub(super) after: Option<Vec<f64>>,
}

impl Jacobian<'_> {
    /// n_l.
    pub fn rows(&self) -> usize {
        self.edge.rows()
    }

    /// n_{l-1}.
    pub fn cols(&self) -> usize {
        self.edge.cols()
    }

    fn weight(&self) -> MatRef<'_, f64> {
        MatRef::from_row_major_slice(self.edge.weight(), self.edge.rows(), self.edge.cols())
    }

    /// `out += factor · J v`.
    pub(super) fn add_to(&self, factor: f64, v: &[f64], out: &mut [f64]) {
        self.accumulate(self.weight(), &self.before, &self.after, factor, v, out);
    }

    /// `out += factor · Jᵀ q`.
    pub(super) fn add_transposed_to(&self, factor: f64, q: &[f64], out: &mut [f64]) {
        self.accumulate(self.weight().transpose(), &self.after, &self.before, factor, q, out);
    }

    fn accumulate(
        &self,
        weight: MatRef<f64>,
        first: &Option<Vec<f64>>,
        last: &Option<Vec<f64>>,
        factor: f64,
        v: &[f64],
        out: &mut [f64],
    ) {
        let gated: Vec<f64>;
        let signal = match first {
            None => v,
            Some(gate) => {
                gated = v.iter().zip(gate).map(|(v, g)| v * g).collect();
                &gated
            }
        };
        let mut product = vec![0.0; out.len()];
        let target = MatMut::from_column_major_slice_mut(&mut product, out.len(), 1);
        let signal = MatRef::from_column_major_slice(signal, signal.len(), 1);
        multiply(target, weight, signal, factor * self.edge.scale());
        match last {
            None => out.iter_mut().zip(&product).for_each(|(out, p)| *out += p),
            Some(gate) => out.iter_mut().zip(product.iter().zip(gate)).for_each(|(out, (p, g))| *out += p * g),
        }
        if self.edge.skip() {
            out.iter_mut().zip(v).for_each(|(out, v)| *out += factor * v);
        }
    }

    /// J as a dense matrix.
    pub fn dense(&self) -> Mat<f64> {
        let at = |gate: &Option<Vec<f64>>, i: usize| gate.as_ref().map_or(1.0, |g| g[i]);
        let (weight, skip) = (self.weight(), f64::from(u8::from(self.edge.skip())));
        Mat::from_fn(self.rows(), self.cols(), |i, j| {
            let identity = if i == j { skip } else { 0.0 };
            identity + self.edge.scale() * at(&self.after, i) * weight[(i, j)] * at(&self.before, j)
        })
    }
}
