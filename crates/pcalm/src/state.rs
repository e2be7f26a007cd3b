//! What inference changes: activities, duals and the credit read from them.

use crate::{
    activation::Activation,
    network::{Edge, Network, Placement},
    parametrization::Architecture,
    real::Real,
    stack::{Matrix, Stack},
};

/// Activities z, duals λ and credit q of one block of samples, with the buffers the primitives
/// write into. Lives as long as its owner, so that the inference loop allocates nothing.
///
/// Hidden layers are 0-based: `activities().layers[l]` is the paper's z_{l+1}.
#[derive(Clone, Debug)]
pub struct State<R> {
    pub(crate) activities: Stack<R>,
    pub(crate) duals: Stack<R>,
    /// λ + ρc per hidden layer, then the output edge's credit −e.
    pub(crate) credit: Stack<R>,
    /// Per edge; empty for those that leave the input, whose are the block's.
    pub(crate) memos: Vec<Memo<R>>,
    pub(crate) output: Matrix<R>,
    /// Hidden layers below this still hold z = forward pass and λ = 0, so that their residual,
    /// credit and gradient are exactly zero.
    pub(crate) front: usize,
    pub(crate) work: Work,
    /// ∂𝓛/∂z on its way into z; a fused pass never has all of it.
    pub(crate) gradient: Stack<R>,
    /// A gated credit or direction on its way into a product.
    pub(crate) signal: Matrix<R>,
    /// What a fused pass keeps of the layer at hand and of the one above; the sweeps add up a node's edges in one.
    pub(crate) rolling: [Rolling<R>; 2],
    /// Whether credit, memos and output are those of the present z and λ.
    pub(crate) current: bool,
    /// What the rule keeps from step to step.
    pub(crate) memory: Vec<Stack<R>>,
}

/// What the last prediction along an edge leaves for its derivative and its weight gradient; empty where the edge is
/// linear.
#[derive(Clone, Debug)]
pub(crate) struct Memo<R> {
    /// What the weights were multiplied with: φ(z) in `pre` placement. Unused in `post`.
    pub rates: Matrix<R>,
    /// φ'(z) in `pre` placement, φ'(u) in `post`.
    pub slopes: Matrix<R>,
}

impl<R: Real> Memo<R> {
    /// Zeros, shaped for `samples` samples through `edge`.
    fn zeros(edge: &Edge<R>, samples: usize) -> Self {
        let (rates, slopes) = match edge.dense().and_then(|dense| Some((dense, dense.nonlinearity()?.1))) {
            None => (0, 0),
            Some((dense, Placement::Pre)) => (dense.cols(), dense.cols()),
            Some((dense, Placement::Post)) => (0, dense.rows()),
        };
        Memo { rates: Matrix::zeros(rates, samples), slopes: Matrix::zeros(slopes, samples) }
    }

    /// Zeros for the edges that leave the input, or for those that do not; the others' are empty.
    fn of_edges(network: &Network<R>, samples: usize, from_input: bool) -> Vec<Self> {
        let samples = |edge: &Edge<R>| if (edge.from == 0) == from_input { samples } else { 0 };
        network.edges().iter().map(|edge| Memo::zeros(edge, samples(edge))).collect()
    }

    fn buffers(&self) -> [&Matrix<R>; 2] {
        [&self.rates, &self.slopes]
    }
}

/// What a fused pass keeps of one layer, in buffers of the widest layer's size.
#[derive(Clone, Debug)]
pub(crate) struct Rolling<R> {
    pub credit: Matrix<R>,
    pub rates: Matrix<R>,
    pub slopes: Matrix<R>,
}

impl<R: Real> State<R> {
    /// Zeros, shaped for `samples` samples of `network`.
    pub fn zeros(network: &Network<R>, samples: usize) -> Self {
        let widths = network.widths();
        let hidden = &widths[..network.hidden()];
        let widest = widths.iter().copied().max().unwrap_or(0).max(network.inputs());
        let buffer = || Matrix::zeros(widest, samples);
        let rolling = || Rolling { credit: buffer(), rates: buffer(), slopes: buffer() };
        State {
            activities: Stack::zeros(hidden, samples),
            duals: Stack::zeros(hidden, samples),
            credit: Stack::zeros(widths, samples),
            memos: Memo::of_edges(network, samples, false),
            output: Matrix::zeros(network.outputs(), samples),
            front: 0,
            work: Work::default(),
            current: false,
            memory: Vec::new(),
            gradient: Stack::zeros(hidden, samples),
            signal: buffer(),
            rolling: [rolling(), rolling()],
        }
    }

    /// z, one matrix per hidden layer.
    pub fn activities(&self) -> &Stack<R> {
        &self.activities
    }

    /// z, to be changed at will.
    pub fn activities_mut(&mut self) -> &mut Stack<R> {
        self.touch();
        &mut self.activities
    }

    /// λ, one matrix per hidden layer.
    pub fn duals(&self) -> &Stack<R> {
        &self.duals
    }

    /// λ, to be changed at will.
    pub fn duals_mut(&mut self) -> &mut Stack<R> {
        self.touch();
        &mut self.duals
    }

    /// q = λ + ρc per hidden layer, then the output edge's credit −e, as the last credit or
    /// adjoint pass left them; a [fused](crate::backend::Backend::fused) cycle does not.
    pub fn credit(&self) -> &Stack<R> {
        &self.credit
    }

    /// q, to be changed at will: for operators on a direction. Inference takes none from here.
    pub fn credit_mut(&mut self) -> &mut Stack<R> {
        self.current = false;
        &mut self.credit
    }

    /// f_L(z_{L-1}), the network's output where it was last computed.
    pub fn output(&self) -> &Matrix<R> {
        &self.output
    }

    /// The stacks that the rule [keeps](crate::rule::Rule::memory) from step to step.
    pub fn memory(&self) -> &[Stack<R>] {
        &self.memory
    }

    /// z, λ and what the rule keeps, all to be changed at will.
    pub fn parts_mut(&mut self) -> (&mut Stack<R>, &mut Stack<R>, &mut [Stack<R>]) {
        self.touch();
        (&mut self.activities, &mut self.duals, &mut self.memory)
    }

    /// Makes ready for an inference by a rule that keeps so many stacks: what an earlier one knew does not
    /// hold for other weights or samples.
    pub(crate) fn begin(&mut self, memory: usize) {
        self.touch();
        self.memory.resize_with(memory, || self.activities.clone());
        self.memory.iter_mut().for_each(Stack::clear);
    }

    /// Nothing more is known of z and λ.
    fn touch(&mut self) {
        (self.front, self.current) = (0, false);
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        let stacks = [&self.activities, &self.duals, &self.credit, &self.gradient];
        let rolling = self.rolling.iter().flat_map(|r| [&r.credit, &r.rates, &r.slopes]);
        let memos = self.memos.iter().flat_map(Memo::buffers);
        let others = [&self.output, &self.signal];
        stacks
            .into_iter()
            .chain(&self.memory)
            .flat_map(|s| &s.layers)
            .chain(rolling)
            .chain(memos)
            .chain(others)
            .map(Matrix::bytes)
            .sum()
    }

    /// Work done since the counter was last reset.
    pub fn work(&self) -> Work {
        self.work
    }
}

/// Rows of every buffer of a [`State`] and its [`Block`] together: their numbers per column, counted without
/// making them; with the `memory` stacks of a rule.
pub(crate) fn rows(architecture: &Architecture, memory: usize) -> Option<u128> {
    let wide = |n: &usize| *n as u128;
    let widths = &architecture.widths;
    let ([d, layers @ ..], widest) = (&widths[..], widths.iter().map(wide).max()?) else { return None };
    let (o, first) = (wide(layers.last()?), wide(layers.first()?));
    let hidden: u128 = layers[..layers.len() - 1].iter().map(wide).sum();
    let memos = match (architecture.activation, architecture.placement) {
        (Activation::Identity, _) => 0,
        (_, Placement::Pre) => 2 * hidden,
        (_, Placement::Post) => hidden,
    };
    let [z, duals, credit, gradient, output] = [hidden, hidden, hidden + o, hidden, o];
    let [signal, rolling] = [widest, 6 * widest];
    let state = z + duals + credit + gradient + output + memos + signal + rolling + memory as u128 * hidden;
    let [input, target, drive] = [wide(d), o, first];
    Some(state + input + target + drive)
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
    /// Per edge, as in [`State`]; empty for those that do not leave the input.
    pub(crate) memos: Vec<Memo<R>>,
}

impl<R: Real> Block<R> {
    /// Zeros, shaped for `samples` samples of `network`.
    pub fn zeros(network: &Network<R>, samples: usize) -> Self {
        let driven = |node: usize| network.entering(node).any(|(_, edge)| edge.from == 0);
        let widths = (1..).zip(network.widths()).map(|(node, &width)| if driven(node) { width } else { 0 });
        Block {
            samples,
            input: Matrix::zeros(network.inputs(), samples),
            target: Matrix::zeros(network.outputs(), samples),
            drive: Stack::zeros(&widths.collect::<Vec<_>>(), samples),
            memos: Memo::of_edges(network, samples, true),
        }
    }

    /// f_1(x) of a chain: what the input predicts of the first hidden layer.
    pub fn drive(&self) -> &Stack<R> {
        &self.drive
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        let memos = self.memos.iter().flat_map(Memo::buffers);
        self.drive.layers.iter().chain([&self.input, &self.target]).chain(memos).map(Matrix::bytes).sum()
    }
}

/// Arithmetic done, counted where it is done. Additive over blocks, steps and runs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Work {
    /// Products with a weight matrix, its transpose, or of a weight gradient, times the samples
    /// that took part: divide by the samples to get products per sample.
    pub sample_products: u64,
    /// Multiply-adds in those products (2 FLOPs each).
    pub multiply_adds: u64,
}

impl Work {
    /// Counts one product with a `rows × cols` matrix for `samples` samples.
    pub fn count(&mut self, rows: usize, cols: usize, samples: usize) {
        self.sample_products += samples as u64;
        self.multiply_adds += (rows * cols * samples) as u64;
    }
}

impl std::ops::AddAssign for Work {
    fn add_assign(&mut self, other: Self) {
        self.sample_products += other.sample_products;
        self.multiply_adds += other.multiply_adds;
    }
}
