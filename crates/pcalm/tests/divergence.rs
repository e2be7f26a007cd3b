//! When inference stops: divergence at the first bad step, tolerance, budget, observer.

mod common;

use common::{
    Data, RuleWalk, bits, minibatch, network, rule_names, rules_that_may_diverge, run, settings, without_solves,
};
use pcalm::{
    Error,
    activation::Activation,
    backend::Reference,
    error::{Divergence, StabilityBound},
    infer::{EXPLOSION, Stop, infer},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Minibatch,
    network::{Link, Network, Placement},
    optimizer::{Optimizer, Settings},
    real::Real,
    rule::{self, RuleSettings},
    stack::Matrix,
    state::State,
    train::Trainer,
};
use std::ops::ControlFlow;

const WIDTHS: &[usize] = &[3, 4, 4, 4, 2];
const LOSS: Loss = Loss::SquaredError;

fn case() -> (Network<f64>, Data) {
    let network = network(WIDTHS, true, Activation::Identity, Placement::Pre, 1);
    let data = Data::new(&network, 3, LOSS, 1);
    (network, data)
}

fn divergence(stop: &Stop) -> &Divergence {
    match stop {
        Stop::Diverged(divergence) => divergence,
        other => panic!("expected a divergence, got {other:?}"),
    }
}

/// max |z| per layer at every step an observer is shown.
fn history(network: &Network<f64>, data: &Data, rule: &str, settings: &RuleSettings) -> Vec<Vec<f64>> {
    let rule = rule::build::<Reference<f64>>(rule, settings).unwrap();
    let mut minibatch = minibatch(network, data, LOSS);
    let look = minibatch.map(network, |lagrangian, state| {
        let mut seen = Vec::new();
        let _ = infer(
            rule.as_ref(),
            lagrangian,
            state,
            &mut |step: usize, _: &Lagrangian<Reference<f64>>, state: &State<Reference<f64>>| {
                assert_eq!(step, seen.len(), "steps are shown in order, from the forward pass");
                let size = |m: &Matrix<f64>| m.data().iter().fold(0.0, |m: f64, v| m.max(v.abs()));
                seen.push(state.activities().layers.iter().map(size).collect());
                ControlFlow::Continue(())
            },
        );
        seen
    });
    look.unwrap().remove(0)
}

#[test]
fn too_large_a_step_diverges_at_the_first_bad_step() {
    let (network, data) = case();
    for rule in rules_that_may_diverge() {
        for eta in [1.2, 3.0, 40.0] {
            let base = RuleSettings { inner_limit: 1, ..settings(500, eta) };
            let what = format!("{rule} η {eta}");
            let done = run(rule, &network, &data, LOSS, &base);
            let found = divergence(&done.report.stop);
            assert_eq!((&*found.rule, found.step), (rule, done.report.steps), "{what}");

            let shorter = RuleSettings { budget: found.step - 1, ..base.clone() };
            let before = run(rule, &network, &data, LOSS, &shorter);
            assert_eq!(before.report.stop, Stop::Budget, "{what}");
            assert!(before.gradient.edges.concat().iter().all(|g| g.is_finite()), "{what}");
            let same = RuleSettings { budget: found.step, ..base };
            assert_eq!(run(rule, &network, &data, LOSS, &same).report.stop, done.report.stop, "{what}");

            let sizes = history(&network, &data, rule, &shorter);
            assert_eq!(sizes.len(), found.step, "{what}: every step before was healthy");
            let initial = sizes[0].iter().copied().fold(0.0, f64::max);
            let limit = EXPLOSION * initial.max(1.0);
            assert_eq!(found.initial_norm, initial, "{what}");
            assert!(sizes.concat().iter().all(|&size| size <= limit), "{what}");
            assert!(found.norm > limit, "{what}: {} is within {limit}", found.norm);

            // The state is left at the bad step, and the layer named is the first bad one there.
            let size = |l: usize| done.z(l).iter().fold(0.0, |m: f64, v| m.max(v.abs()));
            assert_eq!(size(found.layer - 1), found.norm, "{what}");
            assert!((0..found.layer - 1).all(|l| size(l) <= limit), "{what}");
        }
    }
}

#[test]
fn a_divergence_to_infinity_has_a_norm_that_is_not_finite() {
    let (network, data) = case();
    let (network, data) = (network.cast::<f32>(), data.cast::<f32>());
    let done = run("pc", &network, &data, LOSS, &settings(40, 3e38));
    let found = divergence(&done.report.stop);
    assert!(found.step == 1 && found.layer == 3 && found.norm > 1e30, "{found:?}");
    let huge = Data { y: data.y.iter().map(|y| y * 1e3).collect(), ..data };
    let done = run("pc", &network, &huge, LOSS, &settings(40, 3e38));
    let found = divergence(&done.report.stop);
    assert!(found.step == 1 && found.layer == 3 && !found.norm.is_finite(), "{found:?}");
}

#[test]
fn a_forward_pass_that_overflows_is_named_at_its_first_layer() {
    for (weights, layer) in [([1e38f32, 1e38, 1e30], 2), ([1e30, 1e5, 1e5], 3), ([1e38, 1e38, 1e38], 2)] {
        let plus = |w: f32| Link::new(vec![w, -w, w, w], 2, 2, 1.0, false).unwrap();
        let edges = weights.map(plus).into_iter().chain([plus(1.0)]).collect();
        let network = Network::chain(edges, Activation::Identity, Placement::Pre).unwrap();
        let data = Data { x: vec![1.0f32, 0.5], y: vec![0.0, 0.0], samples: 1 };
        for rule in rule_names() {
            let done = run(rule, &network, &data, LOSS, &settings(5, 0.1));
            let found = divergence(&done.report.stop);
            assert_eq!((found.step, found.layer, done.report.steps), (0, layer, 0), "{rule} {weights:?}");
            assert!(!found.norm.is_finite());
            assert!(found.to_string().contains("forward pass itself"), "{found}");
        }
    }
}

#[test]
fn whatever_the_bound_a_forward_pass_that_overflows_is_not_blamed_on_the_step_size() {
    let found =
        |step, bound| Divergence { rule: "pc".into(), step, layer: 2, norm: f64::NAN, initial_norm: f64::NAN, bound };
    let bound = Some(StabilityBound::new(0.25, 4.0, 1.0, 1.0));
    for bound in [None, bound] {
        let message = found(0, bound).to_string();
        assert!(message.contains("the forward pass itself overflows") && !message.contains("bound"), "{message}");
    }
    let later = found(3, bound).to_string();
    assert!(later.contains("inside the stability bound") && !later.contains("itself"), "{later}");
}

/// Trainer's step, probe and evaluation on `data` must diverge, at `layer` of the forward pass, and
/// leave weights and optimizer alone.
fn check_trainer<R: Real>(network: &Network<R>, data: &Data<R>, loss: Loss, layer: usize) {
    let walked = RuleWalk::of(rule_names()).on(network, loss, &settings(3, 0.1));
    for name in walked {
        let optimizer = Optimizer::new(Settings::default(), network).unwrap();
        let rule = rule::build(name, &settings(3, 0.1)).unwrap();
        let minibatch = Minibatch::new(Reference::new(), loss);
        let mut trainer = Trainer::new(network.clone(), rule, optimizer.clone(), minibatch).unwrap();
        let errors = [
            trainer.step(&data.batch(), 0.1).map(|_| ()),
            trainer.probe(&data.batch()).map(|_| ()),
            trainer.evaluate(&data.batch()).map(|_| ()),
        ];
        for (error, of) in errors.into_iter().zip([name, name, "evaluation"]) {
            match error {
                Err(Error::Diverged(found)) => {
                    assert_eq!((found.rule.as_str(), found.step, found.layer), (of, 0, layer));
                    assert!(found.to_string().contains("forward pass itself"), "{found}");
                }
                other => panic!("expected a divergence, got {other:?}"),
            }
        }
        assert_eq!((trainer.network(), trainer.optimizer()), (network, &optimizer));
    }
}

#[test]
fn an_output_that_overflows_is_a_divergence_of_the_last_layer() {
    let edge = |w: [f32; 4]| Link::new(w.to_vec(), 2, 2, 1.0, false).unwrap();
    for readout in [[1e30, 0.0, 0.0, 1.0], [1e30, 1e30, -1e30, 1e30]] {
        let edges = vec![edge([1e10, 0.0, 0.0, 1e10]), edge(readout)];
        let network = Network::chain(edges, Activation::Identity, Placement::Pre).unwrap();
        let data = Data { x: vec![1.0f32, -0.5], y: vec![1.0, 0.0], samples: 1 };
        for &loss in Loss::ALL {
            check_trainer(&network, &data, loss, 2);
            let rule = rule::build::<Reference<f32>>("pc", &settings(3, 0.1)).unwrap();
            let mut minibatch = minibatch(&network, &data, loss);
            let stops = minibatch.map(&network, |lagrangian, state| infer(rule.as_ref(), lagrangian, state, &mut ()));
            let stop = stops.unwrap().remove(0).stop;
            let found = divergence(&stop);
            assert_eq!((found.step, found.layer, found.initial_norm), (0, 2, 1e10));
            assert!(!found.norm.is_finite());
        }
    }
}

#[test]
fn a_loss_that_overflows_where_the_output_does_not_is_a_divergence_too() {
    let edge = |w: f64| Link::new(vec![w], 1, 1, 1.0, false).unwrap();
    let network = Network::chain(vec![edge(1.0), edge(1e200)], Activation::Identity, Placement::Pre).unwrap();
    check_trainer(&network, &Data { x: vec![1.0], y: vec![0.0], samples: 1 }, LOSS, 2);
}

#[test]
fn an_output_that_overflows_at_the_final_activities_alone_is_a_divergence() {
    // z = (1, 1), f = w(z_1 − z_2) = 0, y = 1: one step moves z by ±ηw = ±1e5 and f to 2e5 w.
    let w = 1e304;
    let edges = vec![Link::new(vec![1.0, 1.0], 2, 1, 1.0, false), Link::new(vec![w, -w], 1, 2, 1.0, false)];
    let edges = edges.into_iter().collect::<Result<_, _>>().unwrap();
    let network = Network::chain(edges, Activation::Identity, Placement::Pre).unwrap();
    let data = Data { x: vec![1.0], y: vec![1.0], samples: 1 };
    for rule in ["pc", "pc-alm", "pc-nesterov"] {
        // However far the budget goes, the first bad step is the first.
        for budget in [1, 2, 100] {
            let done = run(rule, &network, &data, LOSS, &settings(budget, 1e-299));
            let found = divergence(&done.report.stop);
            assert_eq!((found.step, found.layer, done.report.steps), (1, 2, 1), "{rule} {budget}");
            assert_eq!((found.norm, found.initial_norm), (f64::INFINITY, 1.0), "{rule} {budget}");
        }
    }
}

#[test]
fn an_output_that_overflows_in_the_padding_alone_is_none() {
    // The padding's activities are sigmoid(0) = ½, the sample's are 0.
    let edges = vec![
        Link::new(vec![-1e3f32; 6], 6, 1, 1.0, false).unwrap(),
        Link::new(vec![3e38; 6], 1, 6, 1.0, false).unwrap(),
    ];
    let network = Network::chain(edges, Activation::Sigmoid, Placement::Post).unwrap();
    let data = Data { x: vec![1.0f32], y: vec![0.0], samples: 1 };
    for rule in without_solves(rule_names()) {
        let done = run(rule, &network, &data, LOSS, &settings(3, 0.1));
        assert!(!matches!(done.report.stop, Stop::Diverged(_)), "{rule}: {:?}", done.report.stop);
        assert_eq!(done.minibatch.output(), [0.0], "{rule}");
    }
}

#[test]
fn a_diverged_step_of_training_leaves_the_weights_alone() {
    let (network, data) = case();
    let settings = settings(500, 3.0);
    let optimizer = Optimizer::new(Settings::default(), &network).unwrap();
    let rule = rule::build("pc-alm", &settings).unwrap();
    let minibatch = Minibatch::new(Reference::new(), LOSS);
    let mut trainer = Trainer::new(network.clone(), rule, optimizer.clone(), minibatch).unwrap();
    let stepped = trainer.step(&data.batch(), 0.1);
    assert!(matches!(stepped, Err(Error::Diverged(_))), "{stepped:?}");
    let probed = trainer.probe(&data.batch());
    assert!(matches!(probed, Err(Error::Diverged(_))), "{probed:?}");
    assert_eq!((trainer.network(), trainer.optimizer()), (&network, &optimizer));
}

#[test]
fn a_tolerance_stops_when_it_is_reached_and_not_before() {
    let (network, data) = case();
    let tolerance = 1e-7;
    for (rule, has_duals) in [("pc", false), ("pc-alm", true), ("mm", true)] {
        let settings = RuleSettings {
            tolerance: Some(tolerance),
            inner_tolerance: 1e-9,
            inner_limit: 100_000,
            ..settings(100_000, 0.2)
        };
        let mut done = run(rule, &network, &data, LOSS, &settings);
        assert_eq!((&done.report.stop, done.report.stop.name()), (&Stop::Converged, "converged"), "{rule}");
        assert!(done.report.steps < settings.budget, "{rule}");
        let worst = done.minibatch.map(&network, |lagrangian, state| {
            let (mut gradient, mut c) = (state.activities().clone(), state.activities().clone());
            lagrangian.residuals(state, &mut c);
            lagrangian.credit(state, DualStep::Still);
            lagrangian.activity_gradient(state, &mut gradient);
            (gradient.max_abs(), c.max_abs())
        });
        let (gradient, residual) = worst.unwrap()[0];
        assert!(gradient <= tolerance && (!has_duals || residual <= tolerance), "{rule}: {gradient} {residual}");

        // Eight cycles earlier, at the look before the last, there was still something to do.
        let shorter = RuleSettings { budget: done.report.steps / 2, ..settings };
        assert_eq!(run(rule, &network, &data, LOSS, &shorter).report.stop, Stop::Budget, "{rule}");
    }
}

#[test]
fn an_observer_stops_inference_where_it_asks_to() {
    let (network, data) = case();
    for (name, stop_at) in [("pc", 0), ("pc", 5), ("pc-alm", 5), ("pc-alm", 20)] {
        let long = settings(50, 0.2);
        let rule = rule::build::<Reference<f64>>(name, &long).unwrap();
        let mut stopped = minibatch(&network, &data, LOSS);
        let reports = stopped.map(&network, |lagrangian, state| {
            infer(
                rule.as_ref(),
                lagrangian,
                state,
                &mut |step: usize, _: &Lagrangian<Reference<f64>>, _: &State<Reference<f64>>| {
                    if step == stop_at { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
                },
            )
        });
        let report = reports.unwrap().remove(0);
        assert_eq!((report.steps, report.stop), (stop_at, Stop::Observer), "{name}");
        if stop_at > 0 {
            // What it leaves is what that budget gives, credit included.
            let budgeted = run(name, &network, &data, LOSS, &settings(stop_at, 0.2));
            for l in 0..network.hidden() {
                assert_eq!(bits(&stopped.unload(l, |s| s.activities())), bits(&budgeted.z(l)), "{name}");
                assert_eq!(bits(&stopped.unload(l, |s| s.credit())), bits(&budgeted.credit(l)), "{name}");
            }
        }
    }
}

#[test]
fn a_solve_that_diverges_stops_within_the_solve_and_names_its_cycle() {
    let (network, data) = case();
    // Far outside the stable range: without a look inside, the first solve would run all its steps on NaN.
    let limit = 1_000_000;
    let solve = RuleSettings { inner_limit: limit, ..settings(500, 3.0) };
    let done = run("mm", &network, &data, LOSS, &solve);
    let found = divergence(&done.report.stop);
    assert_eq!((found.step, done.report.steps), (1, 1), "{found:?}");
    assert!(found.norm > EXPLOSION, "{found:?}");
    // Two products per edge and step, four for every look at the gradient's size, every eighth step; run twice.
    let products = done.report.work.sample_products / (network.depth() - 1) as u64 / data.samples as u64;
    assert!(products < 2 * 200 * 3, "{products} products per edge and sample before it stopped");
}
