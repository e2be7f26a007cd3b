//! Where φ' jumps: the hyperplanes that F is smooth between (docs/maths.md §5; FRM app. A.2 does not know them).
//!
//! A kink is κ(z) = k: in `pre` placement κ = z_{l,i}, one for each unit φ is applied to; in `post` κ = u_{l,i}, a row
//! of aWz + b. Where z lies on it the gradient of F is g on one side and g − Δs q̃ A on the other, with A = ∂κ/∂z, Δs the
//! jump of φ' and q̃ what the kink weighs: (aWᵀq)_i in `pre`, q_i in `post`.

use super::{dense::dot, wide::Wide};
use crate::{
    lagrangian::Lagrangian,
    network::{Dense, Placement},
    state::State,
};

/// One hyperplane.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Kink {
    /// The dense edge it is of, by its place.
    pub edge: usize,
    /// The 0-based hidden layer that moves it.
    pub layer: usize,
    /// The unit of that layer (`pre`), or of the edge's sums (`post`).
    pub unit: usize,
    /// k.
    pub at: f64,
}

/// A kink with what is known of it where z is.
#[derive(Clone, Debug)]
pub struct Seen {
    /// κ(z) − k.
    pub distance: f64,
    /// ∂κ/∂z.
    pub normal: Vec<f64>,
    /// q̃.
    pub weight: f64,
    /// φ' as it was taken, left of the kink and right of it.
    pub slopes: [f64; 3],
}

/// All kinks of a network's hidden layers.
pub fn all(lagrangian: &Lagrangian<Wide>) -> Vec<Kink> {
    let network = lagrangian.problem().network;
    let mut all = Vec::new();
    for (edge, (from, dense)) in network.edges().iter().map(|e| (e.from, e.dense())).enumerate() {
        let (Some(layer), Some(dense)) = (from.checked_sub(1), dense) else { continue };
        let Some((phi, placement)) = dense.nonlinearity() else { continue };
        let units = if placement == Placement::Pre { dense.cols() } else { dense.rows() };
        for &at in phi.kinks() {
            all.extend((0..units).map(|unit| Kink { edge, layer, unit, at }));
        }
    }
    all
}

impl Kink {
    fn dense<'a>(&self, lagrangian: &Lagrangian<'a, Wide>) -> Option<(&'a Dense<f64>, Placement)> {
        let dense = lagrangian.problem().network.edges()[self.edge].dense()?;
        Some((dense, dense.nonlinearity()?.1))
    }

    /// κ − k at the activities of its layer.
    pub fn distance(&self, lagrangian: &Lagrangian<Wide>, z: &[f64]) -> f64 {
        match self.dense(lagrangian) {
            Some((dense, Placement::Post)) => {
                let row = &dense.weight()[self.unit * dense.cols()..][..dense.cols()];
                dense.scale() * dot(row, z) + dense.bias().map_or(0.0, |b| b[self.unit]) - self.at
            }
            _ => z[self.unit] - self.at,
        }
    }

    /// ∂κ/∂z, in the units of its layer.
    pub fn normal(&self, lagrangian: &Lagrangian<Wide>, units: usize) -> Vec<f64> {
        match self.dense(lagrangian) {
            Some((dense, Placement::Post)) => {
                let row = &dense.weight()[self.unit * dense.cols()..][..dense.cols()];
                row.iter().map(|w| dense.scale() * w).collect()
            }
            _ => (0..units).map(|i| f64::from(u8::from(i == self.unit))).collect(),
        }
    }

    /// What there is to know of it at the first sample of a state, with its credit and slopes.
    pub fn seen(&self, lagrangian: &Lagrangian<Wide>, state: &State<Wide>) -> Option<Seen> {
        let (dense, placement) = self.dense(lagrangian)?;
        let to = lagrangian.problem().network.edges()[self.edge].to;
        let column = |layer: usize| state.activities.layers[layer].column(0).collect::<Vec<f64>>();
        let z = column(self.layer);
        let q: Vec<f64> = state.credit.layers[to - 1].column(0).collect();
        let weight = match placement {
            Placement::Post => q[self.unit],
            Placement::Pre => {
                let back = q.iter().enumerate().map(|(o, q)| q * dense.weight()[o * dense.cols() + self.unit]);
                dense.scale() * back.sum::<f64>()
            }
        };
        let phi = dense.activation();
        let beside = 1e-3;
        let taken = state.memo.slopes[self.edge].slopes.at(self.unit, 0);
        Some(Seen {
            distance: self.distance(lagrangian, &z),
            normal: self.normal(lagrangian, z.len()),
            weight,
            slopes: [taken, phi.slope(self.at - beside), phi.slope(self.at + beside)],
        })
    }
}

impl Seen {
    /// The part of ∂F/∂κ that the slopes left and right of the kink would add to that at the slope taken.
    pub fn sides(&self) -> [f64; 2] {
        let [taken, left, right] = self.slopes;
        [left, right].map(|s| (taken - s) * self.weight)
    }
}
