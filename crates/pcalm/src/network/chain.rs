//! Chains: networks whose edges join neighbours, with one activation throughout. What the papers study, and what a
//! fused pass over the layers can do.

use super::{Dense, Edge, Map, Network, Placement};
use crate::{activation::Activation, error::Error, real::Real};

/// One link of a chain: a dense map and, with a skip, the identity beside it.
#[derive(Clone, Debug, PartialEq)]
pub struct Link<R> {
    /// a W, and b.
    pub dense: Dense<R>,
    /// τ: whether the link also passes its input on unchanged.
    pub skip: bool,
}

impl<R: Real> Link<R> {
    /// With row-major weights W of shape `[rows, cols]`, scale a and skip τ.
    ///
    /// # Errors
    /// As [`Dense::new`].
    pub fn new(weight: Vec<R>, rows: usize, cols: usize, scale: R, skip: bool) -> Result<Self, Error> {
        Ok(Link { dense: Dense::new(weight, rows, cols, scale)?, skip })
    }
}

/// How a network is a chain: which of its edges are the links.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Form {
    activation: Activation,
    placement: Placement,
    /// The dense edge into each node, and whether a skip runs beside it.
    links: Vec<(usize, bool)>,
}

/// A network seen as a chain of links, input side first.
#[derive(Clone, Copy, Debug)]
pub struct Chain<'n, R> {
    /// n_1 … n_L.
    widths: &'n [usize],
    edges: &'n [Edge<R>],
    form: &'n Form,
}

impl<R: Real> Network<R> {
    /// A chain of links with the activation before or after every product: in `pre` placement the input has none, in
    /// `post` the readout (docs/maths.md §1).
    ///
    /// # Errors
    /// If there is no hidden layer, widths do not match, or a skip joins unequal widths or is on the readout.
    pub fn chain(links: Vec<Link<R>>, activation: Activation, placement: Placement) -> Result<Self, Error> {
        let count = links.len();
        if count < 2 {
            return Err(Error::Network(format!(
                "{count} weight matrices; a network needs at least 2 (one hidden layer)"
            )));
        }
        for (l, pair) in links.windows(2).enumerate() {
            let (out, input) = (pair[0].dense.rows(), pair[1].dense.cols());
            if out != input {
                return Err(Error::Network(format!(
                    "w.{} has {out} outputs but w.{} takes {input} inputs",
                    l + 1,
                    l + 2
                )));
            }
        }
        let mut edges = Vec::with_capacity(2 * count);
        for (l, Link { dense, skip }) in links.into_iter().enumerate() {
            if skip && l + 1 == count {
                return Err(Error::Network("the readout edge cannot have a skip".into()));
            }
            if skip && dense.rows() != dense.cols() {
                return Err(Error::Network(format!(
                    "edge {} has a skip but maps {} to {} units; a skip needs equal widths",
                    l + 1,
                    dense.cols(),
                    dense.rows()
                )));
            }
            let bare = l == bare_link(placement, count);
            let dense = dense.activated(if bare { Activation::Identity } else { activation }, placement);
            edges.push(Edge { from: l, to: l + 1, map: Map::Dense(dense) });
            if skip {
                edges.push(Edge { from: l, to: l + 1, map: Map::Skip });
            }
        }
        Network::new(edges)
    }

    /// The network as a chain, if it is one.
    pub fn as_chain(&self) -> Option<Chain<'_, R>> {
        self.form.as_ref().map(|form| Chain { widths: self.widths(), edges: &self.edges, form })
    }
}

/// The 0-based link that has no activation.
fn bare_link(placement: Placement, count: usize) -> usize {
    match placement {
        Placement::Pre => 0,
        Placement::Post => count - 1,
    }
}

impl<R: Real> Chain<'_, R> {
    /// Links.
    pub fn depth(&self) -> usize {
        self.form.links.len()
    }

    /// φ of all links but one.
    pub fn activation(&self) -> Activation {
        self.form.activation
    }

    /// Where φ stands.
    pub fn placement(&self) -> Placement {
        self.form.placement
    }

    /// Whether any link has a skip (the residual architecture).
    pub fn is_residual(&self) -> bool {
        self.form.links.iter().any(|(_, skip)| *skip)
    }
}

impl<'n, R: Real> Chain<'n, R> {
    /// Units that the links predict, n_1 … n_L.
    pub fn widths(&self) -> &'n [usize] {
        self.widths
    }

    /// The dense map of the 0-based link `l`, and whether it has a skip.
    ///
    /// # Panics
    /// If there is no such link.
    pub fn link(&self, l: usize) -> (&'n Dense<R>, bool) {
        let (edge, skip) = self.form.links[l];
        match &self.edges[edge].map {
            Map::Dense(dense) => (dense, skip),
            Map::Skip => unreachable!("a link's edge is dense"),
        }
    }
}

impl Form {
    /// How edges that are sorted by the node they enter, dense ones first, are a chain into nodes 1 to `depth`.
    pub(super) fn of<R: Real>(edges: &[Edge<R>], depth: usize) -> Option<Self> {
        let mut links: Vec<(usize, bool)> = Vec::with_capacity(depth);
        for (i, edge) in edges.iter().enumerate() {
            let (node, neighbours) = (links.len(), edge.from + 1 == edge.to);
            match &edge.map {
                Map::Dense(_) if neighbours && edge.to == node + 1 => links.push((i, false)),
                Map::Skip if neighbours && edge.to == node && node < depth && !links[node - 1].1 => {
                    links[node - 1].1 = true;
                }
                _ => return None,
            }
        }
        let dense = |l: usize| edges[links[l].0].dense();
        let placement = dense(0)?.placement();
        let bare = bare_link(placement, depth);
        let activation = dense(usize::from(bare == 0))?.activation();
        let uniform = (0..depth).filter_map(|l| Some((l, dense(l)?))).all(|(l, dense)| {
            let wanted = if l == bare { Activation::Identity } else { activation };
            dense.placement() == placement && dense.activation() == wanted
        });
        uniform.then_some(Form { activation, placement, links })
    }
}
