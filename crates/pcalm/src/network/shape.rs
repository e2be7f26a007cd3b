//! The shape of a network: all of it but its numbers.

use super::{Dense, Edge, Network, Placement};
use crate::{activation::Activation, real::Real};

/// What buffers for a network depend on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape(Vec<EdgeShape>);

/// All of one edge.
#[derive(Clone, Copy, Debug, PartialEq)]
struct EdgeShape {
    ends: (usize, usize),
    widths: (usize, usize),
    is_skip: bool,
    nonlinearity: Option<(Activation, Placement)>,
}

impl EdgeShape {
    fn of<R: Real>(network: &Network<R>, edge: &Edge<R>) -> Self {
        EdgeShape {
            ends: (edge.from, edge.to),
            widths: (network.widths[edge.from], network.widths[edge.to]),
            is_skip: edge.is_skip(),
            nonlinearity: edge.dense().and_then(Dense::nonlinearity),
        }
    }
}

impl Shape {
    /// That of a network.
    pub fn of<R: Real>(network: &Network<R>) -> Self {
        Shape(network.edges.iter().map(|edge| EdgeShape::of(network, edge)).collect())
    }

    /// Whether it is that of a network.
    pub fn is_of<R: Real>(&self, network: &Network<R>) -> bool {
        self.0.iter().copied().eq(network.edges.iter().map(|edge| EdgeShape::of(network, edge)))
    }
}
