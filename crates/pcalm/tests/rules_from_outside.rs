//! What a rule that is none of the crate's may do, and what it cannot spoil.

mod common;

use common::{Data, bits, default_step, network, run, settings};
use new_rule::HeavyBall;
use num_traits::One;
use pcalm::{
    activation::Activation,
    backend::{Cpu, Host, Reference},
    error::Refusal,
    gradient::Gradient,
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Minibatch,
    network::Placement,
    real::Real,
    rule::Rule,
    state::State,
};

/// The documented example of a rule with memory.
#[allow(dead_code)]
#[path = "../examples/new_rule.rs"]
mod new_rule;

#[test]
fn a_rule_with_memory_of_its_own_reaches_pcs_equilibrium_in_fewer_steps() {
    let network = network(&[3, 6, 6, 6, 2], true, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 20, Loss::SquaredError, 1);
    let eta = default_step(&network, &data, Loss::SquaredError);
    let rest = run("pc", &network, &data, Loss::SquaredError, &settings(20_000, eta));
    let apart = |z: &[Vec<f64>]| (0..3).map(|l| common::distance(&z[l], &rest.z(l))).fold(0.0, f64::max);
    let heavy = |budget: usize| {
        let rule = HeavyBall { eta, beta: 0.6, budget };
        let done = common::run_rule(&rule, &network, &data, Loss::SquaredError);
        apart(&[0, 1, 2].map(|l| done.z(l)))
    };
    let plain = |budget: usize| {
        let done = run("pc", &network, &data, Loss::SquaredError, &settings(budget, eta));
        apart(&[0, 1, 2].map(|l| done.z(l)))
    };
    assert!(heavy(400) < 1e-10, "{:e}", heavy(400));
    assert!(heavy(60) < 0.1 * plain(60), "{:e} {:e}", heavy(60), plain(60));
}

#[test]
fn a_rule_with_memory_runs_on_every_backend_and_on_a_reused_state() {
    let exact = network(&[3, 6, 6, 2], true, Activation::Tanh, Placement::Post, 1);
    let data = Data::new(&exact, 40, Loss::SquaredError, 1);
    let (network, single) = (exact.cast::<f32>(), data.cast::<f32>());
    let rule = HeavyBall { eta: 0.1, beta: 0.5, budget: 7 };
    let mut minibatch = Minibatch::new(Cpu::new(), Loss::SquaredError);
    minibatch.load(&network, &single.batch()).unwrap();
    let mut outcome = || {
        minibatch.infer(&network, &rule).unwrap();
        minibatch.unload(0, |s| s.activities())
    };
    let first = outcome();
    assert_eq!(bits(&outcome()), bits(&first));
    let wide = common::run_rule(&rule, &exact, &data, Loss::SquaredError).z(0);
    let found: Vec<f64> = first.iter().map(|v| v.wide()).collect();
    assert!(common::distance(&found, &wide) < 1e-5);
}

/// Ends with numbers of its own in z and λ, in the padding too, and in the credit.
struct Scribbler {
    padding: f64,
}

impl<B: Host> Rule<B> for Scribbler {
    fn name(&self) -> &str {
        "scribbler"
    }
    fn init(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) -> Result<(), Refusal> {
        lagrangian.forward(state);
        Ok(())
    }
    fn step(&self, _: &Lagrangian<B>, _: &mut State<B>, _: Step) {}
    fn terminate(&self, _: &Lagrangian<B>, _: &mut State<B>, _: usize) -> Option<Stop> {
        Some(Stop::Converged)
    }
    fn settle(&self, lagrangian: &Lagrangian<B>, state: &mut State<B>) {
        let samples = lagrangian.samples();
        state.credit_mut().layers[0].data_mut().fill(B::Real::one());
        let (z, lambda, _) = state.parts_mut();
        for layer in z.layers.iter_mut().chain(&mut lambda.layers) {
            let cols = layer.cols();
            for row in layer.data_mut().chunks_exact_mut(cols) {
                row[0] += B::Real::of(0.25);
                row[samples..].fill(B::Real::of(self.padding));
            }
        }
    }
}

#[test]
fn what_a_rule_writes_to_padding_or_credit_reaches_no_gradient() {
    for &placement in Placement::ALL {
        let network = network(&[3, 6, 6, 2], true, Activation::Tanh, placement, 1);
        // 20 samples: 12 columns of padding.
        let data = Data::new(&network, 20, Loss::SquaredError, 1);
        let gradient =
            |padding: f64| common::run_rule(&Scribbler { padding }, &network, &data, Loss::SquaredError).gradient;
        let clean = gradient(0.0);
        assert_eq!(gradient(7.0), clean, "{placement:?}");
        // And the credit is that of (z, λ): q = λ + ρ(z − f).
        let mut by_hand = common::minibatch(&network, &data, Loss::SquaredError);
        by_hand
            .map(&network, |lagrangian, state| {
                lagrangian.forward(state);
                let samples = lagrangian.samples();
                let (z, lambda, _) = state.parts_mut();
                for layer in z.layers.iter_mut().chain(&mut lambda.layers) {
                    let cols = layer.cols();
                    layer.data_mut().chunks_exact_mut(cols).for_each(|row| {
                        row[0] += 0.25;
                        row[samples..].fill(0.0);
                    });
                }
                lagrangian.credit(state, DualStep::Still);
            })
            .unwrap();
        let mut wanted = Gradient::zeros(&network);
        by_hand.weight_gradient(&network, &mut wanted).unwrap();
        for (found, wanted) in clean.edges.iter().zip(&wanted.edges) {
            assert!(common::distance(found, wanted) < 1e-14, "{placement:?}");
        }
    }
}

#[test]
fn the_reference_takes_no_credit_twice() {
    // BP's credit is there after its adjoint pass: forward, adjoint, nothing else.
    let network = network(&[3, 6, 6, 2], true, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 8, Loss::SquaredError, 1);
    let mut minibatch = Minibatch::new(Reference::new(), Loss::SquaredError);
    minibatch.load(&network, &data.batch()).unwrap();
    minibatch.reset_work();
    let report = minibatch.infer(&network, &pcalm::rule::Backprop).unwrap();
    assert_eq!(report.work.sample_products, 8 * 2 * 2);
}
