//! Ends of a network that nothing holds.

mod common;

use common::{
    Data, derivative,
    graphs::{SAMPLES, STEP, at_random_state, forward, networks},
    minibatch, relative, run, settings,
};
use nalgebra::DVector;
use pcalm::{
    activation::Activation,
    backend::Reference,
    error::Refusal,
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    network::Placement,
    objective::{End, Objective},
    rule::{Rule, RuleSettings},
    state::State,
    theory::automatic_step,
};

/// Inference by PC to its end, from the forward pass moved by random numbers.
struct Settle {
    eta: f64,
}

impl Rule<Reference<f64>> for Settle {
    fn name(&self) -> &str {
        "settle"
    }
    fn init(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) -> Result<(), Refusal> {
        at_random_state(lagrangian, state);
        state.duals_mut().clear();
        Ok(())
    }
    fn step(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>, _: Step) {
        lagrangian.cycle(state, DualStep::Still, self.eta);
    }
    fn terminate(&self, _: &Lagrangian<Reference<f64>>, _: &mut State<Reference<f64>>, cycles: usize) -> Option<Stop> {
        (cycles >= 20_000).then_some(Stop::Budget)
    }
}

#[test]
fn with_a_free_output_inference_ends_at_the_forward_pass() {
    // [FRM] thm 3.1.
    for (network, what) in networks() {
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 3);
        let objective = Objective::from(Loss::SquaredError).with_ends(End::Held, End::Free);
        let mut loaded = minibatch(&network, &data, objective.clone());
        let eta = automatic_step(&mut loaded, &network, 0.0).unwrap().eta;
        let mut done = common::run_rule(&Settle { eta }, &network, &data, objective);
        assert!(done.minibatch.energies(&network).unwrap().energy() < 1e-20, "{what}: an energy is left");
        for s in 0..SAMPLES {
            let nodes = forward(&network, &data.x[s * 3..][..3]);
            for l in 0..5 {
                let wanted = nodes[l + 1].as_slice();
                let z = done.z(l);
                assert!(relative(&z[s * wanted.len()..][..wanted.len()], wanted) < 1e-9, "{what}: z_{}", l + 1);
            }
        }
    }
}

#[test]
fn a_free_input_moves_to_what_explains_the_target() {
    // [FRM] thm 3.3: in an invertible linear network every residual vanishes, and the activities are the target pulled
    // back through the inverses.
    let chain = common::network(&[3, 3, 3, 3], false, Activation::Identity, Placement::Pre, 4);
    let network = chain.freed();
    let data = Data::new(&chain, SAMPLES, Loss::SquaredError, 3);
    let objective = common::weighted::<f64>(Loss::SquaredError, &[1.0, 1.0]).with_ends(End::Free, End::Held);
    let mut loaded = minibatch(&network, &data, objective.clone());
    let eta = automatic_step(&mut loaded, &network, 0.0).unwrap().eta;
    let rule = RuleSettings { tolerance: Some(1e-12), ..settings(2_000_000, eta) };
    let done = run("pc", &network, &data, objective, &rule);
    assert_eq!(done.report.stop.name(), "converged");
    let operators = common::operators(&chain);
    for s in 0..SAMPLES {
        let mut wanted = DVector::from_column_slice(&data.y[s * 3..][..3]);
        for l in (0..3).rev() {
            wanted = operators[l].clone().try_inverse().unwrap() * wanted;
            let found = &done.z(l)[s * 3..][..3];
            assert!(relative(found, wanted.as_slice()) < 1e-6, "z_{l}: {found:?} {wanted}");
        }
        // The first of them began at x, and has left it.
        assert!(relative(&done.z(0)[s * 3..][..3], &data.x[s * 3..][..3]) > 0.1);
    }
    // A network whose input is held is refused.
    let objective = Objective::from(Loss::SquaredError).with_ends(End::Free, End::Held);
    let error = objective.fits(&chain).unwrap_err().to_string();
    assert!(error.contains("its input is held"), "{error}");
}

#[test]
fn a_free_input_has_the_gradient_of_the_energy_that_does_not_hold_it() {
    for placement in [Placement::Pre, Placement::Post] {
        let network = common::network(&[3, 4, 4, 2], true, Activation::Tanh, placement, 4).freed();
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 3);
        let objective = common::weighted(Loss::SquaredError, &[0.7, 1.3]).with_ends(End::Free, End::Held);
        let mut minibatch = minibatch(&network, &data, objective);
        let look = |lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>| {
            at_random_state(lagrangian, state);
            state.duals_mut().layers[0].clear();
            lagrangian.credit(state, DualStep::Along(1.0));
            assert_eq!(state.duals().layers[0].max_abs(), 0.0, "a dual of the free input moves");
            let mut gradient = state.activities().clone();
            lagrangian.activity_gradient(state, &mut gradient);
            let mut buffer = gradient.clone();
            for i in 0..3 {
                let place = i * gradient.layers[0].cols();
                let z = state.activities().layers[0].data()[place];
                let wanted = derivative(STEP, |t| {
                    state.activities_mut().layers[0].data_mut()[place] = z + t;
                    lagrangian.energies(state, &mut buffer).lagrangian()
                });
                state.activities_mut().layers[0].data_mut()[place] = z;
                assert!((gradient.layers[0].at(i, 0) - wanted).abs() < 1e-8, "{placement:?} {i}");
            }
        };
        minibatch.map(&network, look).unwrap();
    }
}
