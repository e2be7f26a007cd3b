//! A backend that is none of the crate's, whose memory nobody can look into: a stand-in for a device.

mod common;

use common::{Data, RuleWalk, biased, bits, network, rule_names, settings};
use pcalm::{
    activation::Activation,
    backend::{Backend, Held, Host, Problem, Reference, Samples},
    gradient::Gradient,
    infer::{Observer, infer},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Minibatch,
    network::{Network, Placement},
    optimizer::{Optimizer, Settings},
    rule,
    stack::{Matrix, Stack},
    state::State,
    train::Trainer,
};
use std::{
    borrow::Cow,
    ops::{ControlFlow, Range},
};

type Inside = Reference<f64>;

/// The reference's arithmetic, in memory of another kind.
#[derive(Debug)]
struct Elsewhere(Inside);

/// What lies elsewhere.
#[derive(Clone, Debug)]
struct Far<T>(T);

impl<T: Held> Held for Far<T> {
    fn bytes(&self) -> usize {
        self.0.bytes()
    }
}

impl<T: Samples> Samples for Far<T> {
    fn samples(&self) -> usize {
        self.0.samples()
    }
    fn inputs(&self) -> usize {
        self.0.inputs()
    }
    fn targets(&self) -> usize {
        self.0.targets()
    }
}

/// A copy of the weights, as a device would have one.
#[derive(Clone, Copy, Debug)]
struct Uploaded<'n>(&'n Network<f64>);

fn inside<'a>(problem: &Problem<'a, Elsewhere>) -> Problem<'a, Inside> {
    let Problem { network, weights, block, objective } = *problem;
    Problem { network, weights: weights.0, block: &block.0, objective }
}

impl Backend for Elsewhere {
    type Real = f64;
    type Weights<'n> = Uploaded<'n>;
    type Stack = Far<Stack<f64>>;
    type Block = Far<<Inside as Backend>::Block>;
    type Memo = Far<<Inside as Backend>::Memo>;

    fn block_samples(&self) -> usize {
        self.0.block_samples()
    }
    fn weights<'n>(&self, network: &'n Network<f64>) -> Uploaded<'n> {
        Uploaded(network)
    }
    fn stack(&self, widths: &[usize], samples: usize) -> Self::Stack {
        Far(self.0.stack(widths, samples))
    }
    fn memo(&self, network: &Network<f64>, samples: usize) -> Self::Memo {
        Far(self.0.memo(network, samples))
    }
    fn block(&self, network: &Network<f64>, samples: usize) -> Self::Block {
        Far(self.0.block(network, samples))
    }
    fn load(
        &self,
        (network, weights): (&Network<f64>, Uploaded<'_>),
        samples: (&[f64], &[f64]),
        block: &mut Self::Block,
        memo: &mut Self::Memo,
    ) {
        self.0.load((network, weights.0), samples, &mut block.0, &mut memo.0);
    }
    fn forward(&self, problem: &Problem<Self>, activities: &mut Self::Stack, memo: &mut Self::Memo) {
        self.0.forward(&inside(problem), &mut activities.0, &mut memo.0);
    }
    fn adjoint(&self, problem: &Problem<Self>, credit: &mut Self::Stack, memo: &mut Self::Memo) {
        self.0.adjoint(&inside(problem), &mut credit.0, &mut memo.0);
    }
    fn predict(
        &self,
        problem: &Problem<Self>,
        activities: &Self::Stack,
        memo: &mut Self::Memo,
        predictions: &mut Self::Stack,
    ) {
        self.0.predict(&inside(problem), &activities.0, &mut memo.0, &mut predictions.0);
    }
    fn supervise(&self, problem: &Problem<Self>, memo: &Self::Memo, credit: &mut Self::Stack) {
        self.0.supervise(&inside(problem), &memo.0, &mut credit.0);
    }
    fn weigh(
        &self,
        problem: &Problem<Self>,
        activities: &Self::Stack,
        (duals, credit): (&mut Self::Stack, &mut Self::Stack),
        memo: &mut Self::Memo,
        dual_step: DualStep<f64>,
    ) {
        self.0.weigh(&inside(problem), &activities.0, (&mut duals.0, &mut credit.0), &mut memo.0, dual_step);
    }
    fn precondition(&self, problem: &Problem<Self>, y: &mut Self::Stack, memo: &mut Self::Memo) {
        self.0.precondition(&inside(problem), &mut y.0, &mut memo.0);
    }
    fn push(&self, problem: &Problem<Self>, memo: &mut Self::Memo, direction: &Self::Stack, image: &mut Self::Stack) {
        self.0.push(&inside(problem), &mut memo.0, &direction.0, &mut image.0);
    }
    fn pull(&self, problem: &Problem<Self>, memo: &mut Self::Memo, credit: &Self::Stack, pulled: &mut Self::Stack) {
        self.0.pull(&inside(problem), &mut memo.0, &credit.0, &mut pulled.0);
    }
    fn combine(&self, a: f64, x: &Self::Stack, b: f64, y: &mut Self::Stack) {
        self.0.combine(a, &x.0, b, &mut y.0);
    }
    fn extrapolate(&self, beta: f64, z: &mut Self::Stack, previous: &mut Self::Stack, extent: (usize, usize)) {
        self.0.extrapolate(beta, &mut z.0, &mut previous.0, extent);
    }
    fn clear(&self, y: &mut Self::Stack) {
        self.0.clear(&mut y.0);
    }
    fn copy(&self, x: &Self::Stack, y: &mut Self::Stack, layers: Range<usize>) {
        self.0.copy(&x.0, &mut y.0, layers);
    }
    fn trim(&self, y: &mut Self::Stack, samples: usize) {
        self.0.trim(&mut y.0, samples);
    }
    fn largest(&self, stack: &Self::Stack, layer: usize) -> f64 {
        self.0.largest(&stack.0, layer)
    }
    fn inner(&self, x: &Self::Stack, y: &Self::Stack, samples: usize) -> Vec<f64> {
        self.0.inner(&x.0, &y.0, samples)
    }
    fn read<'s>(&self, stack: &'s Self::Stack) -> Cow<'s, Stack<f64>> {
        Cow::Owned(stack.0.clone())
    }
    fn write(&self, numbers: &Stack<f64>, y: &mut Self::Stack) {
        self.0.write(numbers, &mut y.0);
    }
    fn output<'s>(&self, memo: &'s Self::Memo) -> Cow<'s, Matrix<f64>> {
        Cow::Owned(self.0.output(&memo.0).into_owned())
    }
    fn input<'s>(&self, block: &'s Self::Block) -> Cow<'s, Matrix<f64>> {
        Cow::Owned(self.0.input(&block.0).into_owned())
    }
    fn target<'s>(&self, block: &'s Self::Block) -> Cow<'s, Matrix<f64>> {
        Cow::Owned(self.0.target(&block.0).into_owned())
    }
    fn weight_gradient(
        &self,
        problem: &Problem<Self>,
        (z, q, memo): (&Self::Stack, &Self::Stack, &Self::Memo),
        edge: usize,
        weight: f64,
        gradient: &mut [f64],
    ) {
        self.0.weight_gradient(&inside(problem), (&z.0, &q.0, &memo.0), edge, weight, gradient);
    }
}

/// Three steps of training, a probe and an evaluation; everything in it as bits.
fn train<B: Backend<Real = f64>>(backend: B, name: &str, exact: Network<f64>, loss: Loss) -> Vec<u64> {
    let data = Data::new(&exact, 45, loss, 1);
    let rule = rule::build::<B>(name, &settings(7, 0.1)).unwrap();
    let optimizer = Optimizer::new(Settings::default(), &exact).unwrap();
    let mut trainer = Trainer::new(exact, rule, optimizer, Minibatch::new(backend, loss)).unwrap();
    let mut all = Vec::new();
    for _ in 0..3 {
        let report = trainer.step(&data.batch(), 0.01).unwrap();
        all.extend([report.score.loss.to_bits(), report.work.multiply_adds, report.steps as u64]);
    }
    let probe = trainer.probe(&data.batch()).unwrap();
    all.extend(bits(&[probe.energies.lagrangian(), probe.alignment.whole.cosine]));
    all.push(trainer.evaluate(&data.batch()).unwrap().loss.to_bits());
    all.extend(trainer.network().dense().iter().flat_map(|dense| bits(dense.parameters())));
    all
}

#[test]
fn every_rule_trains_to_the_same_bits_in_memory_of_another_kind() {
    let mut walk = RuleWalk::of(rule_names());
    for &placement in Placement::ALL {
        for &loss in Loss::ALL {
            let exact = biased(network(&[5, 6, 6, 6, 3], true, Activation::Tanh, placement, 2), 1);
            for name in walk.on(&exact, loss, &settings(7, 0.1)) {
                assert_eq!(
                    train(Elsewhere(Inside::new()), name, exact.clone(), loss),
                    train(Inside::new(), name, exact.clone(), loss),
                    "{name}"
                );
            }
        }
    }
    walk.end();
}

/// Sees activities through the Lagrangian.
struct Watch(Vec<f64>);

impl<B: Backend<Real = f64>> Observer<B> for Watch {
    fn observe(&mut self, _: usize, lagrangian: &Lagrangian<B>, state: &State<B>) -> ControlFlow<()> {
        self.0.extend(lagrangian.read(state.activities()).layers[1].data());
        ControlFlow::Continue(())
    }
}

#[test]
fn observers_see_the_same_numbers_wherever_they_are() {
    fn watch<B: Backend<Real = f64>>(backend: B) -> Vec<f64> {
        let network = network(&[5, 6, 6, 3], false, Activation::Relu, Placement::Pre, 2);
        let data = Data::new(&network, 20, Loss::SquaredError, 1);
        let (block, mut state) = data.batch().block(&backend, &network).unwrap();
        let objective = Loss::SquaredError.into();
        let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
        let rule = rule::build::<B>("pc-alm", &settings(7, 0.1)).unwrap();
        let mut seen = Watch(Vec::new());
        let _ = infer(rule.as_ref(), &lagrangian, &mut state, &mut seen);
        let mut gradient = Gradient::zeros(&network);
        lagrangian.weight_gradient(&state, &mut gradient);
        seen.0.extend(gradient.edges.concat());
        seen.0
    }
    let far = watch(Elsewhere(Inside::new()));
    assert!(far.len() > 8 * 6 && far == watch(Inside::new()));
}

/// Theory looks into memory; only a [`Host`] is asked for it.
#[test]
fn the_crates_own_backends_are_hosts() {
    fn is_host<B: Host>() {}
    is_host::<Inside>();
    is_host::<pcalm::Cpu>();
}
