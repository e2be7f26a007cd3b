//! Weight gradients, and how two of them compare (docs/maths.md §9).

use crate::{error::Error, network::Network, real::Real};

/// One gradient per dense edge, in their order, shaped like its [parameters](crate::network::Dense::parameters): that of
/// the weights, row-major, then that of the bias if there is one. A mean over the batch.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Gradient<R> {
    /// Per dense edge, input side first.
    pub edges: Vec<Vec<R>>,
}

impl<R: Real> Gradient<R> {
    /// Zeros, shaped like the network's weights.
    pub fn zeros(network: &Network<R>) -> Self {
        Gradient { edges: network.dense().iter().map(|dense| vec![R::zero(); dense.parameters().len()]).collect() }
    }

    /// Whether it has the shape of the network's weights.
    ///
    /// # Errors
    /// If it has not.
    pub fn fits(&self, network: &Network<R>) -> Result<(), Error> {
        shaped_like(&self.edges, network, "the gradient")
    }
}

/// Refuses numbers per dense edge that are not as many as the network's parameters; `what` they are, for the message.
pub(crate) fn shaped_like<R: Real>(edges: &[Vec<R>], network: &Network<R>, what: &str) -> Result<(), Error> {
    let wanted = network.dense().into_iter().map(|dense| dense.parameters().len());
    if edges.iter().map(Vec::len).eq(wanted) {
        return Ok(());
    }
    Err(Error::Network(format!("{what} was made for weights of another shape")))
}

/// Direction and size of one gradient relative to another: cosine and norm ratio.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Agreement {
    /// Cosine of the angle between the two; NaN if either is zero.
    pub cosine: f64,
    /// ‖rule's‖ / ‖BP's‖; NaN if BP's is zero.
    pub norm_ratio: f64,
}

#[cfg(feature = "theory")]
impl Agreement {
    /// Of gradients that are not there.
    pub(crate) const NONE: Agreement = Agreement { cosine: f64::NAN, norm_ratio: f64::NAN };
}

/// Alignment of a rule's weight gradient with BP's.
#[derive(Clone, Debug, PartialEq)]
pub struct Alignment {
    /// Of the concatenated gradients.
    pub whole: Agreement,
    /// Per dense edge, input side first; a bias counts with its weights.
    pub layers: Vec<Agreement>,
}

impl Alignment {
    /// Compares `gradient` with backpropagation's on the same batch and weights.
    pub fn new<R: Real>(gradient: &Gradient<R>, backprop: &Gradient<R>) -> Self {
        let sums: Vec<[f64; 3]> = gradient.edges.iter().zip(&backprop.edges).map(|(a, b)| products(a, b)).collect();
        let total = sums.iter().fold([0.0; 3], |t, s| [t[0] + s[0], t[1] + s[1], t[2] + s[2]]);
        Alignment { whole: agreement(total), layers: sums.into_iter().map(agreement).collect() }
    }
}

/// a·b, a·a, b·b in `f64`.
fn products<R: Real>(a: &[R], b: &[R]) -> [f64; 3] {
    a.iter().zip(b).fold([0.0; 3], |[ab, aa, bb], (a, b)| {
        let (a, b) = (a.wide(), b.wide());
        [ab + a * b, aa + a * a, bb + b * b]
    })
}

fn agreement([ab, aa, bb]: [f64; 3]) -> Agreement {
    // Clamped: rounding may carry the cosine of parallel vectors past 1 by an ulp.
    Agreement { cosine: (ab / (aa.sqrt() * bb.sqrt())).clamp(-1.0, 1.0), norm_ratio: (aa / bb).sqrt() }
}
