//! The targets of a chain's layers, from the top down: each the state that the link above, or what was learned to undo
//! it, makes of the target above (docs/maths.md §5).

use super::inverse::{Impossible, LinkInverse, LinkSpectrum, Reach, Tally, subtract, times};
use crate::{
    activation::Activation,
    decoder::Decoder,
    network::{Chain, Dense},
    stack::Matrix,
};

/// x, z̄_1 … z̄_{L−1} and the output o: what targets are beside.
#[derive(Clone, Debug)]
pub struct ForwardPass {
    /// By node.
    pub nodes: Vec<Matrix<f64>>,
    /// Columns that are samples.
    pub samples: usize,
}

/// Targets, and how they came about.
#[derive(Clone, Debug)]
pub struct FoundTargets {
    /// t from the lowest node that was asked for to the top.
    pub targets: Vec<Matrix<f64>>,
    /// Of each link that was undone, in the order of the nodes they leave.
    pub links: Vec<(Option<LinkSpectrum>, Tally)>,
}

/// By inverses of the links, from t of the node `top.0` down to the node `lowest`.
pub fn by_inverses(
    chain: Chain<f64>,
    pass: &ForwardPass,
    top: (usize, Matrix<f64>),
    lowest: usize,
    reach: Reach,
) -> Result<FoundTargets, Impossible> {
    down(top, lowest, |node, above, tally| {
        let inverse = LinkInverse::new(node, chain.link(node))?;
        let found = inverse.find(above, &pass.nodes[node], reach, pass.samples, tally)?;
        Ok((found, inverse.spectrum))
    })
}

/// How difference target propagation undoes a link.
#[derive(Clone, Copy, Debug)]
pub struct Decoding<'b> {
    /// g.
    pub decoder: Decoder,
    /// Whether t_{l−1} = z̄_{l−1} + g(t_l) − g(z̄_l), not g(t_l) alone.
    pub difference: bool,
    /// As in [`Reach`].
    pub clip: Option<f64>,
    /// B_2 … B_L.
    pub backward: &'b [Dense<f64>],
}

/// By decoders, from t of the node `top.0` down to the first hidden layer.
pub fn by_decoders(
    chain: Chain<f64>,
    pass: &ForwardPass,
    top: (usize, Matrix<f64>),
    decoding: Decoding,
) -> Result<FoundTargets, Impossible> {
    down(top, 1, |node, above, tally| {
        let (here, forward) = (&pass.nodes[node], &pass.nodes[node + 1]);
        let link = Through { node, dense: chain.link(node).0, phi: chain.activation(), samples: pass.samples };
        if !decoding.difference {
            return Ok((link.decode(above, decoding, tally)?, None));
        }
        // Of the difference itself where that is the same, so that no difference gives none.
        let mut moved = if decoding.decoder == Decoder::Linear {
            let mut moved = above.clone();
            subtract(&mut moved, forward);
            link.decode(&moved, decoding, tally)?
        } else {
            let mut moved = link.decode(above, decoding, tally)?;
            let mut beside = Tally::default();
            subtract(&mut moved, &link.decode(forward, decoding, &mut beside)?);
            tally.work += beside.work;
            moved
        };
        moved.data_mut().iter_mut().zip(here.data()).for_each(|(t, z)| *t += z);
        Ok((moved, None))
    })
}

/// V_lᵀ with the skip in V, l = 2 … L: with them linear difference target propagation is backpropagation in linear
/// networks.
pub fn transposes(chain: Chain<f64>) -> Option<Vec<Dense<f64>>> {
    let transpose = |l: usize| {
        let (dense, skip) = chain.link(l);
        let (rows, cols) = (dense.rows(), dense.cols());
        let identity = |i: usize, j: usize| if skip && i == j { 1.0 } else { 0.0 };
        let at = |i: usize, j: usize| identity(i, j) + dense.scale() * dense.weight()[j * cols + i];
        let numbers = (0..cols).flat_map(|i| (0..rows).map(move |j| at(i, j))).collect();
        Dense::new(numbers, cols, rows, 1.0).ok()
    };
    (1..chain.depth()).map(transpose).collect()
}

/// One link on the way down.
struct Through<'n> {
    node: usize,
    dense: &'n Dense<f64>,
    phi: Activation,
    samples: usize,
}

impl Through<'_> {
    /// g(v).
    fn decode(&self, v: &Matrix<f64>, decoding: Decoding, tally: &mut Tally) -> Result<Matrix<f64>, Impossible> {
        let backward = &decoding.backward[self.node - 1];
        match decoding.decoder {
            Decoder::Linear => Ok(times(backward, v, self.samples, tally)),
            Decoder::Phi => {
                let mut found = times(backward, v, self.samples, tally);
                found.data_mut().iter_mut().for_each(|v| *v = self.phi.value(*v));
                Ok(found)
            }
            Decoder::Inverse => {
                let reach = Reach { clip: decoding.clip, nearest: false };
                // The smallest state is taken, so that the forward pass has no part in it.
                LinkInverse::through(self.node, self.dense, backward).find(
                    v,
                    &Matrix::zeros(self.dense.cols(), self.samples),
                    reach,
                    self.samples,
                    tally,
                )
            }
        }
    }
}

/// From the target of the node `top` down, undoing the links by `undo`, which is given the node that one leaves and the
/// target above.
fn down(
    (top, target): (usize, Matrix<f64>),
    lowest: usize,
    mut undo: impl FnMut(usize, &Matrix<f64>, &mut Tally) -> Result<(Matrix<f64>, Option<LinkSpectrum>), Impossible>,
) -> Result<FoundTargets, Impossible> {
    let mut found = FoundTargets { targets: vec![target], links: Vec::new() };
    for node in (lowest..top).rev() {
        let mut tally = Tally::default();
        let (target, spectrum) = undo(node, &found.targets[top - node - 1], &mut tally)?;
        found.targets.push(target);
        found.links.push((spectrum, tally));
    }
    found.targets.reverse();
    found.links.reverse();
    Ok(found)
}
