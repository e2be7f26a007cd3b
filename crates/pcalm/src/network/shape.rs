//! The shape of a network: all of it but its numbers.

use super::{Edge, Map, Network, Placement};
use crate::{activation::Activation, real::Real};

/// What buffers for a network depend on.
#[derive(Clone, Debug, PartialEq)]
pub(crate) struct Shape(Vec<EdgeShape>);

/// Ends, and of a dense edge rows, columns and activation.
#[derive(Clone, Copy, Debug, PartialEq)]
struct EdgeShape {
    ends: (usize, usize),
    width: usize,
    dense: Option<(usize, usize, Option<(Activation, Placement)>)>,
}

impl EdgeShape {
    fn of<R: Real>(network: &Network<R>, edge: &Edge<R>) -> Self {
        let dense = match &edge.map {
            Map::Skip => None,
            Map::Dense(dense) => Some((dense.rows(), dense.cols(), dense.nonlinearity())),
        };
        EdgeShape { ends: (edge.from, edge.to), width: network.widths[edge.to], dense }
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
