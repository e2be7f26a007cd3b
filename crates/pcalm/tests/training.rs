//! Whole trainings: the fast backend beside the reference, and the memory a trainer holds.

mod common;

use common::{Data, network, numbers, rule_names, without_solves};
use pcalm::{
    activation::Activation,
    backend::{Backend, Cpu, Reference, cpu::InstructionSet},
    loss::Loss,
    minibatch::{Batch, Minibatch},
    network::{Network, Placement},
    optimizer::{Optimizer, Settings},
    real::Real,
    rule,
    train::{Memory, Trainer},
};

fn trainer<B: Backend>(backend: B, exact: &Network<f64>, rule: &str, eta: f64) -> Trainer<B> {
    let network = exact.cast::<B::Real>();
    let settings = common::settings(2 * exact.dense().len(), eta);
    let optimizer = Optimizer::new(Settings::default(), &network).unwrap();
    let rule = rule::build::<B>(rule, &settings).unwrap();
    Trainer::new(network, rule, optimizer, Minibatch::new(backend, Loss::SquaredError)).unwrap()
}

/// Weights after training on ever new batches of `samples` samples.
fn train<B: Backend>(backend: B, exact: &Network<f64>, rule: &str, seed: u64) -> Vec<f64> {
    let mut trainer = trainer(backend, exact, rule, 0.2);
    for step in 0..40 {
        let data = Data::new(exact, 40, Loss::SquaredError, 100 * seed + step).cast::<B::Real>();
        trainer.step(&data.batch(), 1e-3).unwrap();
    }
    trainer.network().dense().iter().flat_map(|e| e.weight().iter().map(|w| w.wide())).collect()
}

#[test]
fn whole_trainings_stray_from_the_f64_reference_no_further_than_single_precision_does() {
    for rule in without_solves(rule_names()) {
        for set in InstructionSet::ALL.iter().filter(|s| s.is_available()) {
            let (mut fast, mut plain) = (0.0, 0.0);
            for seed in 0..3 {
                let exact = network(&[12, 19, 19, 19, 19, 4], true, Activation::Tanh, Placement::Pre, seed);
                let reference = train(Reference::<f64>::new(), &exact, rule, seed);
                fast += common::relative(&train(Cpu::with(*set).unwrap(), &exact, rule, seed), &reference);
                plain += common::relative(&train(Reference::<f32>::new(), &exact, rule, seed), &reference);
            }
            // Both round every operation to 24 bits, in another order: errors of one size.
            assert!(plain > 0.0 && fast < 3.0 * plain, "{rule} {}: {fast:e} against {plain:e}", set.name());
        }
    }
}

#[test]
fn a_trainer_allocates_little_more_than_the_weights_and_states_it_reports() {
    let exact = network(&[60, 200, 200, 200, 200, 200, 10], true, Activation::Relu, Placement::Pre, 1);
    let (x, y): (Vec<f32>, Vec<f32>) = {
        let cast = |values: Vec<f64>| values.into_iter().map(|v| v as f32).collect();
        (cast(numbers(64 * 60, 1)), cast(numbers(64 * 10, 2)))
    };
    let batch = Batch::new(&x, &y, 64).unwrap();
    let held = |trainer: &Trainer<Cpu>| {
        let Memory { weights, states } = trainer.memory();
        weights + states
    };
    // On one thread, the only one the counter sees.
    let pool = rayon::ThreadPoolBuilder::new().num_threads(1).build().unwrap();
    let (most, reported) = pool.install(|| {
        let mut reported = 0;
        let info = allocation_counter::measure(|| {
            let mut trainer = trainer(Cpu::new(), &exact, "pc-alm", 0.1);
            for _ in 0..3 {
                trainer.step(&batch, 1e-3).unwrap();
            }
            reported = held(&trainer);
        });
        (info.bytes_max as usize, reported)
    });
    let adam = 4 * (exact.parameters() * 4);
    assert!(reported > adam, "{reported}");
    assert!(most >= reported && 10 * most < 11 * reported, "{most} bytes allocated, {reported} reported");
}
