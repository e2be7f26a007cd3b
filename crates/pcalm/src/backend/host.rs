//! Memory of the backends on this machine, where anyone can look into it.

use super::{Backend, Held, Samples};
use crate::{
    activation::Activation,
    network::{Dense, Edge, Network, Placement},
    parametrization::Architecture,
    real::Real,
    stack::{Matrix, Stack},
};

/// A backend whose memory is this machine's.
pub trait Host:
    for<'n> Backend<
        Weights<'n> = &'n Network<<Self as Backend>::Real>,
        Stack = Stack<<Self as Backend>::Real>,
        Block = Block<<Self as Backend>::Real>,
        Memo = Memo<<Self as Backend>::Real>,
    >
{
}

impl<B> Host for B where
    B: for<'n> Backend<
            Weights<'n> = &'n Network<<B as Backend>::Real>,
            Stack = Stack<<B as Backend>::Real>,
            Block = Block<<B as Backend>::Real>,
            Memo = Memo<<B as Backend>::Real>,
        >
{
}

impl<R: Real> Held for Stack<R> {
    fn bytes(&self) -> usize {
        self.layers.iter().map(Matrix::bytes).sum()
    }
}

/// Inputs, targets and what stays constant during inference, for one block of samples.
#[derive(Clone, Debug)]
pub struct Block<R> {
    /// Samples in the block; the columns beyond are padding.
    pub samples: usize,
    /// x, `[D, samples]`.
    pub input: Matrix<R>,
    /// y, `[O, samples]`.
    pub target: Matrix<R>,
    /// Per node beyond the input, what the edges from the input predict; empty where there are none.
    pub(crate) drive: Stack<R>,
    /// Per edge; empty for those that do not leave the input.
    pub(crate) slopes: Vec<Slopes<R>>,
}

impl<R: Real> Block<R> {
    /// Zeros, shaped for `samples` samples of `network`.
    pub(super) fn zeros(network: &Network<R>, samples: usize) -> Self {
        let driven = |node: usize| network.entering(node).any(|(_, edge)| edge.from == 0);
        let widths = (1..).zip(network.widths()).map(|(node, &width)| if driven(node) { width } else { 0 });
        Block {
            samples,
            input: Matrix::zeros(network.inputs(), samples),
            target: Matrix::zeros(network.outputs(), samples),
            drive: Stack::zeros(&widths.collect::<Vec<_>>(), samples),
            slopes: Slopes::of_edges(network, samples, true),
        }
    }
}

impl<R: Real> Held for Block<R> {
    fn bytes(&self) -> usize {
        let slopes = self.slopes.iter().flat_map(Slopes::buffers);
        self.drive.bytes() + [&self.input, &self.target].into_iter().chain(slopes).map(Matrix::bytes).sum::<usize>()
    }
}

impl<R: Real> Samples for Block<R> {
    fn samples(&self) -> usize {
        self.samples
    }

    fn inputs(&self) -> usize {
        self.input.rows()
    }

    fn targets(&self) -> usize {
        self.target.rows()
    }
}

/// What primitives leave for one another, in buffers that live as long as their owner, so that the inference loop
/// allocates nothing.
#[derive(Clone, Debug)]
pub struct Memo<R> {
    /// f_L(z_{L-1}) where it was last computed.
    pub(crate) output: Matrix<R>,
    /// Per edge; empty for those that leave the input, whose are the block's.
    pub(crate) slopes: Vec<Slopes<R>>,
    /// A gated credit or direction on its way into a product.
    pub(crate) signal: Matrix<R>,
    /// What a fused pass keeps of the layer at hand and of the one above; the sweeps add up a node's edges in one.
    pub(crate) rolling: [Rolling<R>; 2],
    /// A number for each unit of the layer at hand, for a fused pass.
    pub(crate) units: Vec<R>,
}

/// What a fused pass keeps of one layer, in buffers of the widest layer's size.
#[derive(Clone, Debug)]
pub(crate) struct Rolling<R> {
    pub credit: Matrix<R>,
    pub rates: Matrix<R>,
    pub slopes: Matrix<R>,
}

impl<R: Real> Memo<R> {
    /// Zeros, shaped for `samples` samples of `network`.
    pub(super) fn zeros(network: &Network<R>, samples: usize) -> Self {
        let widest = network.widths().iter().copied().max().unwrap_or(0).max(network.inputs());
        let buffer = || Matrix::zeros(widest, samples);
        let rolling = || Rolling { credit: buffer(), rates: buffer(), slopes: buffer() };
        Memo {
            output: Matrix::zeros(network.outputs(), samples),
            slopes: Slopes::of_edges(network, samples, false),
            signal: buffer(),
            rolling: [rolling(), rolling()],
            units: vec![R::zero(); widest],
        }
    }
}

impl<R: Real> Held for Memo<R> {
    fn bytes(&self) -> usize {
        let rolling = self.rolling.iter().flat_map(|r| [&r.credit, &r.rates, &r.slopes]);
        let slopes = self.slopes.iter().flat_map(Slopes::buffers);
        let matrices = rolling.chain(slopes).chain([&self.output, &self.signal]).map(Matrix::bytes).sum::<usize>();
        matrices + self.units.len() * size_of::<R>()
    }
}

/// What the last prediction along an edge leaves for its derivative and its weight gradient; empty where the edge is
/// linear.
#[derive(Clone, Debug)]
pub(crate) struct Slopes<R> {
    /// What the weights were multiplied with: φ(z) in `pre` placement. Unused in `post`.
    pub rates: Matrix<R>,
    /// φ'(z) in `pre` placement, φ'(u) in `post`.
    pub slopes: Matrix<R>,
}

impl<R: Real> Slopes<R> {
    /// Zeros, shaped for `samples` samples through `edge`.
    fn zeros(edge: &Edge<R>, samples: usize) -> Self {
        edge.dense().map_or_else(
            || Slopes { rates: Matrix::default(), slopes: Matrix::default() },
            |dense| Slopes::of(dense, samples),
        )
    }

    /// Zeros, shaped for `samples` samples through a dense map.
    pub fn of(dense: &Dense<R>, samples: usize) -> Self {
        let (rates, slopes) = match dense.nonlinearity() {
            None => (0, 0),
            Some((_, Placement::Pre)) => (dense.cols(), dense.cols()),
            Some((_, Placement::Post)) => (0, dense.rows()),
        };
        Slopes { rates: Matrix::zeros(rates, samples), slopes: Matrix::zeros(slopes, samples) }
    }

    /// Zeros for the edges that leave the input, or for those that do not; the others' are empty.
    fn of_edges(network: &Network<R>, samples: usize, from_input: bool) -> Vec<Self> {
        let of = |edge: &Edge<R>| match (edge.from == 0) == from_input {
            true => Slopes::zeros(edge, samples),
            false => Slopes { rates: Matrix::default(), slopes: Matrix::default() },
        };
        network.edges().iter().map(of).collect()
    }

    fn buffers(&self) -> [&Matrix<R>; 2] {
        [&self.rates, &self.slopes]
    }
}

/// Rows of every buffer of a state and its block together: their numbers per column, counted without making them;
/// with the `memory` stacks of a rule.
pub(crate) fn rows(architecture: &Architecture, memory: usize) -> Option<u128> {
    let wide = |n: &usize| *n as u128;
    let widths = &architecture.widths;
    let ([d, layers @ ..], widest) = (&widths[..], widths.iter().map(wide).max()?) else { return None };
    let (o, first) = (wide(layers.last()?), wide(layers.first()?));
    let hidden: u128 = layers[..layers.len() - 1].iter().map(wide).sum();
    let slopes = match (architecture.activation, architecture.placement) {
        (Activation::Identity, _) => 0,
        (_, Placement::Pre) => 2 * hidden,
        (_, Placement::Post) => hidden,
    };
    let [z, duals, credit, gradient, output] = [hidden, hidden, hidden + o, hidden, o];
    let [signal, rolling] = [widest, 6 * widest];
    let state = z + duals + credit + gradient + output + slopes + signal + rolling + memory as u128 * hidden;
    let [input, target, drive] = [wide(d), o, first];
    Some(state + input + target + drive)
}
