//! Edges: what one node of a network adds to the prediction of another.

use super::Dense;
use crate::{activation::Activation, real::Real};

/// From node `from` to node `to`, of a network whose nodes are 0, the input, to L, the output.
#[derive(Clone, Debug, PartialEq)]
pub struct Edge<R> {
    /// The node it reads.
    pub from: usize,
    /// The node it predicts, a later one.
    pub to: usize,
    /// What it computes.
    pub map: Map<R>,
}

/// What an edge computes.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum Map<R> {
    /// The identity: the node read is passed on unchanged.
    Skip,
    /// A dense map.
    Dense(Dense<R>),
}

impl<R: Real> Edge<R> {
    /// The dense map, if it is one.
    pub fn dense(&self) -> Option<&Dense<R>> {
        match &self.map {
            Map::Dense(dense) => Some(dense),
            Map::Skip => None,
        }
    }

    /// The dense map, if it is one.
    pub(super) fn dense_mut(&mut self) -> Option<&mut Dense<R>> {
        match &mut self.map {
            Map::Dense(dense) => Some(dense),
            Map::Skip => None,
        }
    }

    /// Whether it is the identity.
    pub fn is_skip(&self) -> bool {
        matches!(self.map, Map::Skip)
    }

    /// Whether it is linear in what it reads, up to a bias.
    pub fn is_linear(&self) -> bool {
        self.dense().is_none_or(|dense| dense.activation() == Activation::Identity)
    }

    /// The same in another number type.
    pub fn cast<S: Real>(&self) -> Edge<S> {
        let map = match &self.map {
            Map::Skip => Map::Skip,
            Map::Dense(dense) => Map::Dense(dense.cast()),
        };
        Edge { from: self.from, to: self.to, map }
    }
}
