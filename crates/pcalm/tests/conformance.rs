//! What every row of every list has to do, whatever it is: rules, activations, losses, placements, parametrizations,
//! optimizers, schedules. A new row is tested here by being there.

mod common;

use common::{
    Data, RuleWalk, Run, bits, default_step, for_each_kind, kinks, network, relative, run, settings, unclamped,
};
use pcalm::{
    activation::{ACTIVATIONS, Activation},
    backend::Reference,
    gradient::{Alignment, Gradient},
    infer::Stop,
    lagrangian::DualStep,
    loss::Loss,
    minibatch::Minibatch,
    network::{Network, Placement},
    optimizer::{OPTIMIZERS, Optimizer, Schedule, Settings},
    parametrization::{Architecture, PARAMETRIZATIONS},
    rule::{self, Credit, Pace, RuleInfo, RuleSettings, rules},
    train::Trainer,
};
use std::collections::BTreeSet;

const SAMPLES: usize = 5;

/// Every rule.
fn all() -> Vec<RuleInfo<Reference<f64>>> {
    rules::<Reference<f64>>()
}

/// Settings with which any rule runs on the case, short.
fn short(network: &Network<f64>, data: &Data, loss: Loss) -> RuleSettings {
    RuleSettings { inner_limit: 200, inner_tolerance: 1e-8, ..settings(6, default_step(network, data, loss)) }
}

/// Calls `body` with every rule on a small network of every kind, but those it refuses as such.
fn for_each_rule(mut body: impl FnMut(&RuleInfo<Reference<f64>>, &Network<f64>, &Data, Loss, &str)) {
    for info in all() {
        let mut walk = RuleWalk::of(vec![info.facts.name]);
        for_each_kind(|activation, placement, loss, kind| {
            let network = network(&[3, 5, 5, 4, 2], true, activation, placement, 4);
            let data = Data::new(&network, SAMPLES, loss, 4);
            if !walk.on(&network, loss, &settings(1, 1.0)).is_empty() {
                body(&info, &network, &data, loss, &format!("{} {kind}", info.facts.name));
            }
        });
        walk.end();
    }
}

/// All numbers of an outcome but the weight gradients: z, λ and q of every layer, and the output.
fn parts(done: &Run<f64>) -> Vec<Vec<f64>> {
    let layers = (0..done.hidden).flat_map(|l| [done.z(l), done.lambda(l), done.credit(l)]);
    layers.chain([done.credit(done.hidden), done.minibatch.output()]).collect()
}

#[test]
fn every_rule_leaves_finite_numbers_of_the_networks_shape() {
    for_each_rule(|info, network, data, loss, what| {
        let done = run(info.facts.name, network, data, loss, &short(network, data, loss));
        let widths = network.widths();
        let hidden = widths[..network.hidden()].iter().flat_map(|n| [*n; 3]);
        let wanted: Vec<usize> = hidden.chain([network.outputs(); 2]).map(|n| n * SAMPLES).collect();
        let found = parts(&done);
        assert_eq!(found.iter().map(Vec::len).collect::<Vec<_>>(), wanted, "{what}");
        done.gradient.fits(network).unwrap();
        let numbers = found.iter().chain(&done.gradient.edges).flatten();
        assert!(numbers.clone().all(|v| v.is_finite()), "{what}");
        assert!(done.gradient.edges.iter().flatten().any(|g| *g != 0.0), "{what}: nothing to learn");
    });
}

#[test]
fn every_rule_gives_the_same_bits_twice_also_on_a_used_state() {
    for_each_rule(|info, network, data, loss, what| {
        let settings = short(network, data, loss);
        let mut first = run(info.facts.name, network, data, loss, &settings);
        let fresh = first.all_bits();
        assert_eq!(run(info.facts.name, network, data, loss, &settings).all_bits(), fresh, "{what}");
        let rule = rule::build(info.facts.name, &settings).unwrap();
        first.minibatch.infer(network, rule.as_ref()).unwrap();
        first.minibatch.weight_gradient(network, &mut first.gradient).unwrap();
        assert_eq!(first.all_bits(), fresh, "{what}: on a used state");
    });
}

#[test]
fn where_the_target_is_met_no_rule_finds_credit_or_moves_anything() {
    for_each_rule(|info, network, data, loss, what| {
        let met = Data { y: unclamped(network, data, loss), x: data.x.clone(), samples: data.samples };
        let done = run(info.facts.name, network, &met, loss, &short(network, &met, loss));
        for l in 0..=network.hidden() {
            let largest = done.credit(l).iter().fold(0.0, |m: f64, q| m.max(q.abs()));
            assert!(largest < 1e-13, "{what}: credit {largest:e} in layer {}", l + 1);
        }
        let largest = done.gradient.edges.iter().flatten().fold(0.0, |m: f64, g| m.max(g.abs()));
        assert!(largest < 1e-12, "{what}: gradient {largest:e}");
    });
}

#[test]
fn every_rules_gradient_descends_the_loss() {
    for_each_rule(|info, network, data, loss, what| {
        // Inverses lead to targets, and not always down the loss: with leaky relu they are a hundred times as far.
        if info.facts.name == "target-propagation" && what.contains("leaky-relu") {
            return;
        }
        let base = short(network, data, loss);
        // Long enough for credit to have crossed the network.
        let done = run(info.facts.name, network, data, loss, &RuleSettings { budget: 40, ..base.clone() });
        let backprop = run("bp", network, data, loss, &base);
        let alignment = Alignment::new(&done.gradient, &backprop.gradient).whole.cosine;
        assert!(alignment > 0.0, "{what}: cosine {alignment} to the loss's own gradient");
    });
}

#[test]
fn converged_means_that_nothing_is_left_to_do() {
    let tolerance = 1e-7;
    for info in all().iter().filter(|info| info.facts.iterative) {
        // Linear, where all of them are known to converge.
        let network = network(&[3, 5, 5, 4, 2], true, Activation::Identity, Placement::Pre, 4);
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 4);
        let eta = 0.8 * default_step(&network, &data, Loss::SquaredError);
        let base = settings(100_000, if info.facts.pace == Pace::One { 1.0 } else { eta });
        let long = RuleSettings { tolerance: Some(tolerance), inner_tolerance: 1e-9, nesterov: 0.5, ..base };
        let mut done = run(info.facts.name, &network, &data, Loss::SquaredError, &long);
        assert_eq!(done.report.stop, Stop::Converged, "{}", info.facts.name);
        let left = done.minibatch.map(&network, |lagrangian, state| {
            let mut gradient = state.activities().clone();
            lagrangian.credit(state, DualStep::Still);
            lagrangian.activity_gradient(state, &mut gradient);
            gradient.max_abs()
        });
        let left = left.unwrap()[0];
        assert!(left <= tolerance, "{}: {left:e} left", info.facts.name);
    }
}

#[test]
fn every_rules_work_is_counted_and_grows_with_the_samples() {
    for_each_rule(|info, network, data, loss, what| {
        let settings = short(network, data, loss);
        let one = run(info.facts.name, network, data, loss, &settings).report;
        assert!(one.work.multiply_adds > 0 && one.work.sample_products > 0, "{what}");
        let twice = |values: &[f64]| [values, values].concat();
        let double = Data { x: twice(&data.x), y: twice(&data.y), samples: 2 * SAMPLES };
        let two = run(info.facts.name, network, &double, loss, &settings).report;
        // A solve ends when the whole block is solved: as many steps for a copy as for the original.
        assert_eq!(two.work.multiply_adds, 2 * one.work.multiply_adds, "{what}");
        assert_eq!(two.work.sample_products, 2 * one.work.sample_products, "{what}");
    });
}

#[test]
fn every_list_has_names_of_its_own_that_lead_back_to_their_rows() {
    let distinct = |names: Vec<&'static str>| {
        let set: BTreeSet<_> = names.iter().copied().collect();
        assert_eq!(set.len(), names.len(), "{names:?}");
        let tidy =
            |n: &&str| !n.is_empty() && n.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-');
        assert!(names.iter().all(tidy), "{names:?}");
    };
    distinct(all().iter().map(|r| r.facts.name).collect());
    distinct(ACTIVATIONS.iter().map(|a| a.name()).collect());
    distinct(Loss::ALL.iter().map(|l| l.name()).collect());
    distinct(Placement::ALL.iter().map(|p| p.name()).collect());
    distinct(Credit::ALL.iter().map(|c| c.name()).collect());
    distinct(PARAMETRIZATIONS.iter().map(|p| p.name).collect());
    distinct(OPTIMIZERS.iter().map(|o| o.name).collect());
    distinct(Schedule::ALL.iter().map(|s| s.name()).collect());
    for a in ACTIVATIONS {
        assert_eq!(Activation::from_name(a.name()), Some(*a));
    }
    for l in Loss::ALL {
        assert_eq!(Loss::from_name(l.name()), Some(*l));
    }
    for p in Placement::ALL {
        assert_eq!(Placement::from_name(p.name()), Some(*p));
    }
    for c in Credit::ALL {
        assert_eq!(Credit::from_name(c.name()), Some(*c));
    }
    for info in all() {
        let built = (info.build)(&RuleSettings::default()).unwrap();
        assert_eq!(built.name(), info.facts.name);
        assert!(!info.facts.summary.is_empty() && !info.facts.source.is_empty(), "{}", info.facts.name);
        // A closed form takes no step that could be unstable.
        assert!(
            info.facts.iterative || (info.facts.dual_step)(&RuleSettings::default(), 1.0) == 0.0,
            "{}",
            info.facts.name
        );
    }
}

#[test]
fn every_activations_slope_and_curvature_are_its_derivatives() {
    for &phi in ACTIVATIONS {
        for i in -400..=400 {
            let x = 0.0101 * f64::from(i);
            if kinks(phi).iter().any(|k| (x - k).abs() < 1e-3) {
                continue;
            }
            let slope = common::derivative(1e-3, |t| phi.value(x + t));
            assert!((phi.slope(x) - slope).abs() < 1e-8, "{} at {x}: {} {slope}", phi.name(), phi.slope(x));
            let curvature = common::derivative(1e-3, |t| phi.slope(x + t));
            assert!((phi.curvature(x) - curvature).abs() < 1e-7, "{} at {x}", phi.name());
        }
    }
}

#[test]
fn every_parametrization_draws_a_network_that_any_optimizer_trains() {
    for info in PARAMETRIZATIONS {
        for residual in [false, true] {
            let architecture = Architecture {
                widths: vec![3, 6, 6, 6, 2],
                residual,
                activation: Activation::Tanh,
                placement: Placement::Pre,
                bias: false,
            };
            let network = architecture.draw::<f64>((info.at)(0.5), 1.0, 1).unwrap();
            assert_eq!(network.widths(), &architecture.widths[1..]);
            assert_eq!(network, architecture.draw((info.at)(0.5), 1.0, 1).unwrap(), "{}: the same seed", info.name);
            let other = architecture.draw((info.at)(0.5), 1.0, 2).unwrap();
            let weights =
                |n: &Network<f64>| bits(&n.dense().iter().flat_map(|e| e.parameters().to_vec()).collect::<Vec<_>>());
            assert_ne!(weights(&network), weights(&other), "{}: another seed", info.name);
            for method in OPTIMIZERS {
                let data = Data::new(&network, 8, Loss::SquaredError, 1);
                let settings = Settings { method: method.method, ..Settings::default() };
                let optimizer = Optimizer::new(settings, &network).unwrap();
                assert_eq!(optimizer.moments().len(), method.moments, "{}", method.name);
                let minibatch = Minibatch::new(Reference::new(), Loss::SquaredError);
                let rule = rule::build("bp", &RuleSettings::default()).unwrap();
                let mut trainer = Trainer::new(network.clone(), rule, optimizer, minibatch).unwrap();
                let before = trainer.evaluate(&data.batch()).unwrap().loss;
                for _ in 0..20 {
                    trainer.step(&data.batch(), 1e-3).unwrap();
                }
                let after = trainer.evaluate(&data.batch()).unwrap().loss;
                assert!(after < before, "{} {}: {before} to {after}", info.name, method.name);
            }
        }
    }
}

#[test]
fn every_optimizers_first_step_is_against_the_gradient() {
    for info in OPTIMIZERS {
        let mut network = network(&[3, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
        let start = network.clone();
        let settings = Settings { method: info.method, weight_decay: 0.0, ..Settings::default() };
        let mut optimizer = Optimizer::new(settings, &network).unwrap();
        let mut gradient = Gradient::zeros(&network);
        for (i, g) in gradient.edges.iter_mut().flatten().enumerate() {
            *g = if i % 2 == 0 { 0.3 } else { -0.7 };
        }
        optimizer.update(&mut network, &gradient, 0.01).unwrap();
        for ((edge, old), g) in network.dense().iter().zip(start.dense()).zip(&gradient.edges) {
            for ((w, old), g) in edge.weight().iter().zip(old.weight()).zip(g) {
                assert!((w - old) * g < 0.0, "{}: {} along {g}", info.name, w - old);
            }
        }
        assert_eq!(optimizer.updates(), 1);
    }
}

#[test]
fn every_schedule_starts_within_the_rate_and_never_leaves_it() {
    for schedule in Schedule::ALL {
        for warmup in [0, 10] {
            let factors: Vec<f64> = (0..100).map(|step| schedule.factor(step, 100, warmup)).collect();
            assert!(factors.iter().all(|f| (0.0..=1.0).contains(f)), "{} {factors:?}", schedule.name());
            assert!(factors[warmup as usize] > 0.9, "{} after {warmup}: {}", schedule.name(), factors[warmup as usize]);
        }
    }
}

#[test]
fn both_losses_are_least_where_the_output_is_the_target() {
    // That the gradient of the loss is −q_L is finite differences' business (tests/algebra.rs); here: its zero.
    for_each_kind(|activation, placement, loss, what| {
        let network = network(&[3, 4, 2], false, activation, placement, 1);
        let data = Data::new(&network, 3, loss, 1);
        let met = Data { y: unclamped(&network, &data, loss), x: data.x.clone(), samples: 3 };
        let at = |data: &Data| run("bp", &network, data, loss, &settings(1, 0.1));
        assert!(at(&met).gradient.edges.iter().flatten().all(|g| g.abs() < 1e-13), "{what}");
        assert!(relative(&at(&met).minibatch.output(), &at(&data).minibatch.output()) == 0.0, "{what}");
    });
}
