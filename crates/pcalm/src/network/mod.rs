//! Networks: nodes, and edges between them (docs/maths.md §1).
//!
//! Node 0 is the input and node L the output; those between are the hidden layers, 0-based elsewhere: layer `l` is node
//! `l + 1`, the paper's z_{l+1}. A node is predicted by the sum of the edges that enter it. Most networks are
//! [chains](Network::chain).

mod chain;
mod dense;
mod edge;
pub mod file;
mod graph;
mod shape;

pub use chain::{Chain, Link};
pub use dense::{Dense, Placement};
pub use edge::{Edge, Map};
pub(crate) use shape::Shape;

use crate::{error::Error, real::Real};
use chain::Form;
use graph::Wiring;

/// A feed-forward network: L + 1 nodes, of which L − 1 hold free activities, and the edges between them.
#[derive(Clone, Debug, PartialEq)]
pub struct Network<R> {
    /// n_0 … n_L.
    widths: Vec<usize>,
    /// By the node they enter, dense ones before skips.
    edges: Vec<Edge<R>>,
    wiring: Wiring,
    form: Option<Form>,
}

impl<R: Real> Network<R> {
    /// Of these edges, between any nodes: every one but the input must be entered and every one but the output left,
    /// by edges that agree on its width.
    ///
    /// # Errors
    /// If they are not such a network with at least one hidden node.
    pub fn new(mut edges: Vec<Edge<R>>) -> Result<Self, Error> {
        edges.sort_by_key(|edge| (edge.to, edge.is_skip()));
        let (wiring, widths) = Wiring::new(&edges)?;
        let form = Form::of(&edges, widths.len() - 1);
        Ok(Network { widths, edges, wiring, form })
    }

    /// The same with a node between the input and all edges that leave it, which passes it on: what an objective with a
    /// [free input](crate::objective::Objective::with_ends) lets go of. Its node `l + 1` is this one's `l`.
    pub fn freed(&self) -> Self {
        let further = |edge: &Edge<R>| Edge { from: edge.from + 1, to: edge.to + 1, map: edge.map.clone() };
        let first = Edge { from: 0, to: 1, map: Map::Skip };
        let edges: Vec<Edge<R>> = std::iter::once(first).chain(self.edges.iter().map(further)).collect();
        let mut widths = vec![self.inputs()];
        widths.extend(&self.widths);
        let wiring = Wiring::of(&edges, widths.len() - 1);
        Network { widths, edges, wiring, form: None }
    }

    /// Whether it is one that [`freed`](Self::freed) makes.
    pub(crate) fn is_freed(&self) -> bool {
        self.leaving(0).count() == 1 && self.entering(1).all(|(_, edge)| edge.is_skip())
    }

    /// The edges, by the node they enter, dense ones before skips.
    pub fn edges(&self) -> &[Edge<R>] {
        &self.edges
    }

    /// The edges that enter a node, with their places among all.
    pub fn entering(&self, node: usize) -> impl Iterator<Item = (usize, &Edge<R>)> + Clone {
        self.wiring.entering(node).map(|i| (i, &self.edges[i]))
    }

    /// The edges that leave a node, dense ones first, with their places among all.
    pub fn leaving(&self, node: usize) -> impl Iterator<Item = (usize, &Edge<R>)> + Clone {
        self.wiring.leaving(node).iter().map(|&i| (i, &self.edges[i]))
    }

    /// The maps with weights, in the order of the edges: W_1 … W_L of a chain.
    pub fn dense(&self) -> Vec<&Dense<R>> {
        self.edges.iter().filter_map(Edge::dense).collect()
    }

    /// Their places among the edges.
    pub fn dense_edges(&self) -> &[usize] {
        &self.wiring.dense
    }

    /// What is learned of each of them, W and then b if there is one, for the optimizer alone: numbers, so that no shape
    /// can change.
    pub fn weights_mut(&mut self) -> Vec<&mut [R]> {
        self.edges.iter_mut().filter_map(Edge::dense_mut).map(Dense::parameters_mut).collect()
    }

    /// Depth L: nodes beyond the input; in a chain, the number of weight matrices.
    pub fn depth(&self) -> usize {
        self.widths.len() - 1
    }

    /// Number of hidden layers, L − 1.
    pub fn hidden(&self) -> usize {
        self.widths.len() - 2
    }

    /// Input width D.
    pub fn inputs(&self) -> usize {
        self.widths[0]
    }

    /// Output width O.
    pub fn outputs(&self) -> usize {
        self.widths[self.depth()]
    }

    /// Widths of the layers the edges predict: n_1 … n_L.
    pub fn widths(&self) -> &[usize] {
        &self.widths[1..]
    }

    /// Number of weights and biases.
    pub fn parameters(&self) -> usize {
        self.dense().iter().map(|dense| dense.parameters().len()).sum()
    }

    /// Whether no edge has an activation.
    pub fn is_linear(&self) -> bool {
        self.edges.iter().all(Edge::is_linear)
    }

    /// Whether there are biases.
    pub fn has_biases(&self) -> bool {
        self.dense().iter().any(|dense| dense.bias().is_some())
    }

    /// The same network in another number type.
    pub fn cast<S: Real>(&self) -> Network<S> {
        Network {
            widths: self.widths.clone(),
            edges: self.edges.iter().map(Edge::cast).collect(),
            wiring: self.wiring.clone(),
            form: self.form.clone(),
        }
    }
}
