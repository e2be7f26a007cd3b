//! Networks: a list of edges between layers of nodes (docs/maths.md §1).
//!
//! Layers and edges are 0-based here: `edges[l]` holds the paper's W_{l+1} and predicts the
//! activities `z[l]`, the paper's z_{l+1}; the last edge is the readout.

mod edge;
pub mod file;

pub use edge::Edge;

use crate::{activation::Activation, error::Error, real::Real};

/// Where the activation stands relative to the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// f_l(z) = a_l W_l φ(z) + τ_l z, no activation on the input \[ALM\].
    #[default]
    Pre,
    /// f_l(z) = φ(a_l W_l z) + τ_l z, with a linear readout \[FRM, TR\].
    Post,
}

impl Placement {
    /// Both placements, for lists and tests.
    pub const ALL: &'static [Placement] = &[Placement::Pre, Placement::Post];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Placement::Pre => "pre",
            Placement::Post => "post",
        }
    }

    /// The placement of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.name() == name)
    }
}

/// A feed-forward network of L edges, L − 1 hidden layers of free activities.
#[derive(Clone, Debug, PartialEq)]
pub struct Network<R> {
    edges: Vec<Edge<R>>,
    activation: Activation,
    placement: Placement,
}

impl<R: Real> Network<R> {
    /// Checks that the edges fit together: at least one hidden layer, matching widths, skips
    /// only between equal widths and never on the readout.
    pub fn new(edges: Vec<Edge<R>>, activation: Activation, placement: Placement) -> Result<Self, Error> {
        let count = edges.len();
        if count < 2 {
            return Err(Error::Network(format!(
                "{count} weight matrices; a network needs at least 2 (one hidden layer)"
            )));
        }
        for (l, pair) in edges.windows(2).enumerate() {
            let (out, input) = (pair[0].rows(), pair[1].cols());
            if out != input {
                return Err(Error::Network(format!(
                    "w.{} has {out} outputs but w.{} takes {input} inputs",
                    l + 1,
                    l + 2
                )));
            }
        }
        for (l, edge) in edges.iter().enumerate() {
            if edge.skip() && l + 1 == count {
                return Err(Error::Network("the readout edge cannot have a skip".into()));
            }
            if edge.skip() && edge.rows() != edge.cols() {
                return Err(Error::Network(format!(
                    "edge {} has a skip but maps {} to {} units; a skip needs equal widths",
                    l + 1,
                    edge.cols(),
                    edge.rows()
                )));
            }
        }
        Ok(Network { edges, activation, placement })
    }

    /// The edges, input side first.
    pub fn edges(&self) -> &[Edge<R>] {
        &self.edges
    }

    /// The edges' weights, for the optimizer alone.
    pub fn edges_mut(&mut self) -> &mut [Edge<R>] {
        &mut self.edges
    }

    /// φ.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Where φ stands.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// Depth L: the number of weight matrices.
    pub fn depth(&self) -> usize {
        self.edges.len()
    }

    /// Number of hidden layers, L − 1.
    pub fn hidden(&self) -> usize {
        self.edges.len() - 1
    }

    /// Input width D.
    pub fn inputs(&self) -> usize {
        self.edges[0].cols()
    }

    /// Output width O.
    pub fn outputs(&self) -> usize {
        self.edges[self.hidden()].rows()
    }

    /// Widths of the layers the edges predict: n_1 … n_L.
    pub fn widths(&self) -> Vec<usize> {
        self.edges.iter().map(Edge::rows).collect()
    }

    /// Number of weights.
    pub fn parameters(&self) -> usize {
        self.edges.iter().map(|e| e.weight().len()).sum()
    }

    /// The same network in another number type.
    pub fn cast<S: Real>(&self) -> Network<S> {
        Network {
            edges: self.edges.iter().map(Edge::cast).collect(),
            activation: self.activation,
            placement: self.placement,
        }
    }

    /// Whether a skip connects hidden layers (the residual architecture).
    pub fn is_residual(&self) -> bool {
        self.edges.iter().any(Edge::skip)
    }
}
