//! What inference changes: activities, duals and the credit read from them.

use crate::{
    network::{Network, Placement},
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
    /// φ'(z_l) in `pre` placement, φ'(u_l) in `post`.
    pub(crate) slopes: Stack<R>,
    /// What edge l + 1 multiplies its weights with: φ(z_l) in `pre` placement. Unused in `post`.
    pub(crate) rates: Stack<R>,
    pub(crate) output: Matrix<R>,
    /// Hidden layers below this still hold z = forward pass and λ = 0, so that their residual,
    /// credit and gradient are exactly zero.
    pub(crate) front: usize,
    pub(crate) work: Work,
    /// ∂𝓛/∂z on its way into z; a fused pass never has all of it.
    pub(crate) gradient: Stack<R>,
    /// Rates, or a gated credit, on their way into a product.
    pub(crate) signal: Matrix<R>,
    /// What a fused pass keeps of the layer at hand and of the one above.
    pub(crate) rolling: [Rolling<R>; 2],
    /// Whether credit, slopes, rates and output are those of the present z and λ.
    pub(crate) current: bool,
    /// What the rule keeps from step to step.
    pub(crate) memory: Vec<Stack<R>>,
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
        let rates = if network.placement() == Placement::Pre { hidden } else { &[] };
        let widest = widths.iter().copied().max().unwrap_or(0).max(network.inputs());
        let buffer = || Matrix::zeros(widest, samples);
        let rolling = || Rolling { credit: buffer(), rates: buffer(), slopes: buffer() };
        State {
            activities: Stack::zeros(hidden, samples),
            duals: Stack::zeros(hidden, samples),
            credit: Stack::zeros(&widths, samples),
            slopes: Stack::zeros(hidden, samples),
            rates: Stack::zeros(rates, samples),
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
        let stacks = [&self.activities, &self.duals, &self.credit, &self.slopes, &self.rates, &self.gradient];
        let rolling = self.rolling.iter().flat_map(|r| [&r.credit, &r.rates, &r.slopes]);
        let others = [&self.output, &self.signal];
        stacks
            .into_iter()
            .chain(&self.memory)
            .flat_map(|s| &s.layers)
            .chain(rolling)
            .chain(others)
            .map(Matrix::bytes)
            .sum()
    }

    /// Work done since the counter was last reset.
    pub fn work(&self) -> Work {
        self.work
    }
}

/// Rows of every buffer of a [`State`] and its [`Block`] together, for widths D, n_1 … n_L: their
/// numbers per column, counted without making them; with the `memory` stacks of a rule.
pub(crate) fn rows(widths: &[usize], placement: Placement, memory: usize) -> Option<u128> {
    let wide = |n: &usize| *n as u128;
    let ([d, layers @ ..], widest) = (widths, widths.iter().map(wide).max()?) else { return None };
    let (o, first) = (wide(layers.last()?), wide(layers.first()?));
    let hidden: u128 = layers[..layers.len() - 1].iter().map(wide).sum();
    let (rates, drive_slopes) = match placement {
        Placement::Pre => (hidden, 0),
        Placement::Post => (0, first),
    };
    let [z, duals, slopes, credit, gradient, output] = [hidden, hidden, hidden, hidden + o, hidden, o];
    let [signal, rolling] = [widest, 6 * widest];
    let state = z + duals + slopes + credit + gradient + output + rates + signal + rolling + memory as u128 * hidden;
    let [input, target, drive] = [wide(d), o, first];
    Some(state + input + target + drive + drive_slopes)
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
    /// f_1(x), the constant prediction of the first hidden layer.
    pub drive: Matrix<R>,
    /// φ'(a_1 W_1 x) in `post` placement, where the first edge's gradient needs it.
    pub drive_slopes: Matrix<R>,
}

impl<R: Real> Block<R> {
    /// Zeros, shaped for `samples` samples of `network`.
    pub fn zeros(network: &Network<R>, samples: usize) -> Self {
        let first = network.edges()[0].rows();
        let slope_rows = if network.placement() == Placement::Post { first } else { 0 };
        Block {
            samples,
            input: Matrix::zeros(network.inputs(), samples),
            target: Matrix::zeros(network.outputs(), samples),
            drive: Matrix::zeros(first, samples),
            drive_slopes: Matrix::zeros(slope_rows, samples),
        }
    }

    /// Bytes of all buffers.
    pub fn bytes(&self) -> usize {
        [&self.input, &self.target, &self.drive, &self.drive_slopes].map(Matrix::bytes).iter().sum()
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
