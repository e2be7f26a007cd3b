//! Which edges enter and leave which node, and whether edges make a network at all.

use super::{Dense, Edge, Map, Placement};
use crate::{error::Error, real::Real};
use std::ops::Range;

/// The places of edges that are sorted by the node they enter, dense ones first.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Wiring {
    /// Where the edges into each node begin; the last entry is their number.
    starts: Vec<usize>,
    leaving: Vec<Vec<usize>>,
    /// The dense ones.
    pub dense: Vec<usize>,
}

impl Wiring {
    /// With the nodes' widths n_0 … n_L.
    pub fn new<R: Real>(edges: &[Edge<R>]) -> Result<(Self, Vec<usize>), Error> {
        let refuse = |problem: String| Err(Error::Network(problem));
        let last = edges.last().map_or(0, |edge| edge.to);
        if last < 2 {
            return refuse(format!("{last} nodes beyond the input; a network needs at least 2 (one hidden layer)"));
        }
        let mut entered = 0;
        for edge in edges {
            if edge.from >= edge.to {
                return refuse(format!("an edge from node {} to node {}; edges lead onward", edge.from, edge.to));
            }
            if edge.to - entered > 1 {
                return refuse(format!("no edge enters node {}", entered + 1));
            }
            entered = edge.to;
        }
        // What the loss is of: with an activation there, its curvature in the activities would have a term that theory
        // does not know.
        if edges.iter().any(|edge| edge.to == last && edge.dense().is_some_and(bends_its_output)) {
            return refuse("an edge into the output has an activation behind its product; a readout is linear".into());
        }
        let widths = widths(edges, last)?;
        let wiring = Wiring::of(edges, last);
        if let Some(node) = wiring.leaving[..last].iter().position(Vec::is_empty) {
            return refuse(format!("no edge leaves node {node}, which is not the output"));
        }
        Ok((wiring, widths))
    }

    /// Of edges that are known to make a network into nodes 1 to `last`.
    pub fn of<R: Real>(edges: &[Edge<R>], last: usize) -> Self {
        let mut starts = vec![0; last + 2];
        let mut leaving = vec![Vec::new(); last + 1];
        for (i, edge) in edges.iter().enumerate() {
            starts[edge.to + 1] = i + 1;
            leaving[edge.from].push(i);
        }
        for list in &mut leaving {
            list.sort_by_key(|&i| (edges[i].is_skip(), i));
        }
        let dense = (0..edges.len()).filter(|&i| !edges[i].is_skip()).collect();
        Wiring { starts, leaving, dense }
    }

    /// The edges into a node.
    pub fn entering(&self, node: usize) -> Range<usize> {
        self.starts[node]..self.starts[node + 1]
    }

    /// The edges out of a node, dense ones first.
    pub fn leaving(&self, node: usize) -> &[usize] {
        &self.leaving[node]
    }
}

fn bends_its_output<R: Real>(dense: &Dense<R>) -> bool {
    matches!(dense.nonlinearity(), Some((_, Placement::Post)))
}

/// n_0 … n_L, on which all edges must agree.
fn widths<R: Real>(edges: &[Edge<R>], last: usize) -> Result<Vec<usize>, Error> {
    let mut widths: Vec<Option<usize>> = vec![None; last + 1];
    let mut claim = |node: usize, width: usize| match widths[node].replace(width) {
        Some(other) if other != width => {
            Err(Error::Network(format!("node {node} has {other} units for one edge and {width} for another")))
        }
        _ => Ok(()),
    };
    for edge in edges {
        if let Map::Dense(dense) = &edge.map {
            claim(edge.from, dense.cols())?;
            claim(edge.to, dense.rows())?;
        }
    }
    // A skip learns the width of one end from the other, from the input side on, then back.
    let skips: Vec<&Edge<R>> = edges.iter().filter(|edge| edge.is_skip()).collect();
    for edge in skips.iter().chain(skips.iter().rev()) {
        match (widths[edge.from], widths[edge.to]) {
            (Some(a), Some(b)) if a != b => {
                return Err(Error::Network(format!(
                    "a skip from node {} of {a} units to node {} of {b}; a skip needs equal widths",
                    edge.from, edge.to
                )));
            }
            (a, b) => (widths[edge.from], widths[edge.to]) = (a.or(b), b.or(a)),
        }
    }
    let known = widths.into_iter().enumerate();
    known
        .map(|(node, width)| width.ok_or_else(|| Error::Network(format!("nothing says how wide node {node} is"))))
        .collect()
}
