//! Inference allocates nothing, however many cycles it runs.

mod common;

use common::Data;
use pcalm::{
    activation::Activation,
    backend::{Backend, Cpu, Reference},
    infer::infer,
    lagrangian::Lagrangian,
    loss::Loss,
    minibatch::Batch,
    network::Placement,
    real::Real,
    rule,
};

/// Allocations of one inference with this budget, on a state that has been used before.
fn allocations<B: Backend>(backend: &B, rule: &str, placement: Placement, budget: usize) -> u64 {
    let exact = common::network(&[5, 12, 12, 12, 12, 3], true, Activation::Tanh, placement, 1);
    let (network, data) = (exact.cast::<B::Real>(), Data::new(&exact, 20, Loss::CrossEntropy, 2));
    let cast = |values: &[f64]| -> Vec<B::Real> { values.iter().map(|&v| B::Real::of(v)).collect() };
    let (x, y) = (cast(&data.x), cast(&data.y));
    let (block, mut state) = Batch::new(&x, &y, 20).unwrap().block(backend, &network).unwrap();
    let objective = Loss::CrossEntropy.into();
    let lagrangian = Lagrangian::new(backend, &network, &block, &objective).unwrap();
    let settings = rule::RuleSettings { tolerance: Some(1e-30), ..common::settings(budget, 0.1) };
    let rule = rule::build::<B>(rule, &settings).unwrap();
    let _ = infer(rule.as_ref(), &lagrangian, &mut state, &mut ());
    allocation_counter::measure(|| drop(infer(rule.as_ref(), &lagrangian, &mut state, &mut ()))).count_total
}

#[test]
fn the_inference_loop_allocates_nothing() {
    for rule in common::without_solves(common::iterative_rules()) {
        for &placement in Placement::ALL {
            for budget in [2, 200] {
                assert_eq!(allocations(&Cpu::new(), rule, placement, budget), 0, "{rule} {placement:?} {budget}");
                assert_eq!(allocations(&Reference::<f64>::new(), rule, placement, budget), 0, "{rule} {placement:?}");
            }
        }
    }
}
