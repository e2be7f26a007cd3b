//! The Jacobian between two nodes, as a linear map that is never formed.

use super::dense::multiply;
use crate::network::{Dense, Edge, Map, Network, Placement};
use faer::{Mat, MatMut, MatRef};

/// J = τ I + a diag(φ'(u)) W diag(φ'(z)) of one dense edge and the skips beside it, or of skips alone; at most one of
/// the gates is there.
#[derive(Clone, Debug)]
pub struct Jacobian<'a> {
    /// The node it leaves.
    pub(crate) from: usize,
    /// The node it enters.
    pub(crate) to: usize,
    width: usize,
    dense: Option<&'a Dense<f64>>,
    /// φ'(z) in `pre` placement.
    before: Option<Vec<f64>>,
    /// φ'(u) in `post` placement.
    after: Option<Vec<f64>>,
    /// τ: how many skips.
    skips: f64,
}

impl<'a> Jacobian<'a> {
    /// Those of a network's edges, by the node they enter; `slopes` has φ' on the edge at a place.
    pub(crate) fn all(network: &'a Network<f64>, slopes: impl Fn(usize) -> Vec<f64>) -> Vec<Self> {
        let mut all: Vec<Self> = Vec::with_capacity(network.edges().len());
        for (place, edge) in network.edges().iter().enumerate() {
            let Edge { from, to, map } = edge;
            let bare = || Jacobian {
                from: *from,
                to: *to,
                width: network.widths()[to - 1],
                dense: None,
                before: None,
                after: None,
                skips: 0.0,
            };
            match map {
                // Edges into one node stand together, so that one beside it is near the end.
                Map::Skip => match all.iter_mut().rev().find(|j| (j.from, j.to) == (*from, *to)) {
                    Some(beside) => beside.skips += 1.0,
                    None => all.push(Jacobian { skips: 1.0, ..bare() }),
                },
                Map::Dense(dense) => {
                    let gate = |placement| dense.nonlinearity().filter(|n| n.1 == placement).map(|_| slopes(place));
                    let (before, after) = (gate(Placement::Pre), gate(Placement::Post));
                    all.push(Jacobian { dense: Some(dense), before, after, ..bare() });
                }
            }
        }
        all
    }

    /// That of one dense edge into a node `to` from the one before, where φ' is `slopes`, with a skip beside it.
    pub(crate) fn of_link(dense: &'a Dense<f64>, to: usize, slopes: Vec<f64>) -> Self {
        let (before, after) = match dense.nonlinearity() {
            None => (None, None),
            Some((_, Placement::Pre)) => (Some(slopes), None),
            Some((_, Placement::Post)) => (None, Some(slopes)),
        };
        Jacobian { from: to - 1, to, width: dense.rows(), dense: Some(dense), before, after, skips: 1.0 }
    }

    /// Units of the node it enters.
    pub fn rows(&self) -> usize {
        self.width
    }

    /// Units of the node it leaves.
    pub fn cols(&self) -> usize {
        self.dense.map_or(self.width, Dense::cols)
    }

    fn weight(&self) -> Option<(MatRef<'_, f64>, f64)> {
        let dense = self.dense?;
        Some((MatRef::from_row_major_slice(dense.weight(), dense.rows(), dense.cols()), dense.scale()))
    }

    /// `out += factor · J v`.
    pub(crate) fn add_to(&self, factor: f64, v: &[f64], out: &mut [f64]) {
        if let Some((weight, scale)) = self.weight() {
            accumulate(weight, (&self.before, &self.after), factor * scale, v, out);
        }
        self.add_skips(factor, v, out);
    }

    /// `out += factor · Jᵀ q`.
    pub(crate) fn add_transposed_to(&self, factor: f64, q: &[f64], out: &mut [f64]) {
        if let Some((weight, scale)) = self.weight() {
            accumulate(weight.transpose(), (&self.after, &self.before), factor * scale, q, out);
        }
        self.add_skips(factor, q, out);
    }

    fn add_skips(&self, factor: f64, v: &[f64], out: &mut [f64]) {
        if self.skips > 0.0 {
            out.iter_mut().zip(v).for_each(|(out, v)| *out += factor * self.skips * v);
        }
    }

    /// J as a dense matrix.
    pub fn dense(&self) -> Mat<f64> {
        let at = |gate: &Option<Vec<f64>>, i: usize| gate.as_ref().map_or(1.0, |g| g[i]);
        let weight = self.weight();
        Mat::from_fn(self.rows(), self.cols(), |i, j| {
            let identity = if i == j { self.skips } else { 0.0 };
            weight.map_or(identity, |(weight, scale)| {
                identity + scale * at(&self.after, i) * weight[(i, j)] * at(&self.before, j)
            })
        })
    }
}

/// `out += factor · diag(last) weight diag(first) v`.
fn accumulate(
    weight: MatRef<f64>,
    (first, last): (&Option<Vec<f64>>, &Option<Vec<f64>>),
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
    multiply(target, weight, signal, factor);
    match last {
        None => out.iter_mut().zip(&product).for_each(|(out, p)| *out += p),
        Some(gate) => out.iter_mut().zip(product.iter().zip(gate)).for_each(|(out, (p, g))| *out += p * g),
    }
}
