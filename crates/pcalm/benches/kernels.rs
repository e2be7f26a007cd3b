//! The kernels of the fast backend one by one, on a block of 32 samples and one thread:
//! `cargo bench --bench kernels`. An item is a FLOP of the products, two per multiply-add; the row
//! `peak` is multiply-adds that never leave the registers.

mod common;

use divan::{Bencher, counter::ItemsCount};
use pcalm::{
    activation::{ACTIVATIONS, Activation},
    backend::{Cpu, host::Block},
    gradient::Gradient,
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Batch,
    network::{Network, Placement},
    objective::Objective,
    optimizer::{Optimizer, Settings},
    state::State,
};

const SAMPLES: usize = 32;
const SIZES: &[(usize, usize)] = &[(8, 128), (32, 32), (64, 32), (128, 32), (256, 32), (512, 16)];

fn main() {
    divan::main();
}

/// One block with the wave under way in every layer.
struct Fixture {
    network: Network<f32>,
    block: Block<f32>,
    state: State<Cpu>,
    objective: Objective<f32>,
}

impl Fixture {
    fn new((width, depth): (usize, usize), activation: Activation) -> Self {
        let network = common::network(width, depth, activation, (Placement::Pre, false)).expect("a valid network");
        let (x, y) = common::samples(SAMPLES);
        let batch = Batch::new(&x, &y, SAMPLES).expect("samples");
        let (block, state) = batch.block(&Cpu::new(), &network).expect("samples that fit");
        let mut fixture = Fixture { network, block, state, objective: Loss::SquaredError.into() };
        fixture.run(|lagrangian, state| lagrangian.forward(state));
        fixture.run(|lagrangian, state| lagrangian.credit(state, DualStep::Along(1.0)));
        fixture
    }

    fn run(&mut self, kernel: impl Fn(&Lagrangian<Cpu>, &mut State<Cpu>)) {
        let Fixture { network, block, state, objective } = self;
        kernel(&Lagrangian::new(&Cpu::new(), network, block, objective).expect("one network's parts"), state);
    }

    /// FLOPs of one product on every edge but the first.
    fn flops(&self) -> usize {
        self.network.dense()[1..].iter().map(|e| 2 * e.rows() * e.cols() * SAMPLES).sum()
    }
}

fn bench(bencher: Bencher, size: (usize, usize), products: usize, kernel: impl Fn(&Lagrangian<Cpu>, &mut State<Cpu>)) {
    let mut fixture = Fixture::new(size, Activation::Relu);
    bencher.counter(ItemsCount::new(products * fixture.flops())).bench_local(|| fixture.run(&kernel));
}

#[divan::bench(args = SIZES)]
fn forward_pass(bencher: Bencher, size: (usize, usize)) {
    bench(bencher, size, 1, |lagrangian, state| lagrangian.forward(state));
}

#[divan::bench(args = SIZES)]
fn credit(bencher: Bencher, size: (usize, usize)) {
    // α = 0: the duals stay finite however often it runs.
    bench(bencher, size, 1, |lagrangian, state| lagrangian.credit(state, DualStep::Still));
}

#[divan::bench(args = SIZES)]
fn descend(bencher: Bencher, size: (usize, usize)) {
    bench(bencher, size, 1, |lagrangian, state| lagrangian.descend(state, 0.0));
}

#[divan::bench(args = SIZES)]
fn adjoint(bencher: Bencher, size: (usize, usize)) {
    bench(bencher, size, 1, |lagrangian, state| lagrangian.adjoint(state));
}

/// Both sweeps fused, every layer at work.
#[divan::bench(args = SIZES)]
fn cycle(bencher: Bencher, size: (usize, usize)) {
    bench(bencher, size, 2, |lagrangian, state| lagrangian.cycle(state, DualStep::Along(1.0), 0.25));
}

/// The fused cycle at (64, 32) with each activation.
#[divan::bench(args = ACTIVATIONS)]
fn cycle_of(bencher: Bencher, activation: &Activation) {
    let mut fixture = Fixture::new((64, 32), *activation);
    bencher
        .counter(ItemsCount::new(2 * fixture.flops()))
        .bench_local(|| fixture.run(|lagrangian, state| lagrangian.cycle(state, DualStep::Along(1.0), 0.25)));
}

#[divan::bench(args = SIZES)]
fn weight_gradient(bencher: Bencher, size: (usize, usize)) {
    let fixture = Fixture::new(size, Activation::Relu);
    let mut gradient = Gradient::zeros(&fixture.network);
    let Fixture { network, block, state, objective } = &fixture;
    let cpu = Cpu::new();
    let lagrangian = Lagrangian::new(&cpu, network, block, objective).expect("one network's parts");
    let flops = fixture.flops() + 2 * network.dense()[0].weight().len() * SAMPLES;
    bencher.counter(ItemsCount::new(flops)).bench_local(|| lagrangian.weight_gradient(state, &mut gradient));
}

/// Adam over all weights; an item is a weight.
#[divan::bench(args = SIZES)]
fn adam(bencher: Bencher, size: (usize, usize)) {
    let Fixture { mut network, .. } = Fixture::new(size, Activation::Relu);
    let mut optimizer = Optimizer::new(Settings::default(), &network).expect("valid settings");
    let gradient = Gradient::zeros(&network);
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().expect("a thread");
    bencher
        .counter(ItemsCount::new(network.parameters()))
        .bench_local(|| pool.install(|| optimizer.update(&mut network, &gradient, 1e-3)));
}

/// Long enough that starting the loop costs nothing beside it.
const ROUNDS: u64 = 100_000;

#[divan::bench]
fn peak(bencher: Bencher) {
    let cpu = Cpu::new();
    let flops = 2 * cpu.multiply_adds(ROUNDS);
    bencher.counter(ItemsCount::new(flops)).bench(|| cpu.multiply_adds(ROUNDS));
}
