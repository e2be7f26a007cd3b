//! Limits in which one rule is another, or is Algorithm 1 written out by hand.

mod common;

use common::{
    Data, SHAPES, away_from_kinks, bits, default_step, distance, for_each_kind, forward, kinks, minibatch, network,
    relative, run, settings, softmax, transposed_product, unclamped, weighted,
};
use pcalm::{
    activation::Activation,
    infer::Stop,
    lagrangian::DualStep,
    loss::Loss,
    network::{Network, Placement},
    real::Real,
    rule::{Credit, RuleSettings},
};

const SAMPLES: usize = 3;

fn check_alpha_zero<R: Real>(network: &Network<f64>, data: &Data, loss: Loss, what: &str) {
    let (network, data) = (network.cast::<R>(), data.cast::<R>());
    let base = RuleSettings { alpha: 0.0, ..settings(7, 0.2) };
    let pc = run("pc", &network, &data, weighted(loss, &[0.7]), &base);
    for &credit in Credit::ALL {
        let alm = run("pc-alm", &network, &data, weighted(loss, &[0.7]), &RuleSettings { credit, ..base.clone() });
        assert!(alm.all_bits() == pc.all_bits(), "{what}, {} credit", credit.name());
    }
    let moved = pc.z(network.hidden() - 1).iter().any(|z| *z != R::zero());
    assert!(moved, "{what}: nothing was compared");
}

#[test]
fn without_a_dual_step_pc_alm_is_predictive_coding_bit_for_bit() {
    for &(widths, residual) in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let network = network(widths, residual, activation, placement, 6);
            let data = Data::new(&network, SAMPLES, loss, 6);
            check_alpha_zero::<f64>(&network, &data, loss, &format!("{what} f64"));
            check_alpha_zero::<f32>(&network, &data, loss, &format!("{what} f32"));
        });
    }
}

/// −∂ℓ/∂z_l of a linear network per hidden layer, row-major, with e by the losses' definition.
fn negative_adjoints(network: &Network<f64>, data: &Data, loss: Loss) -> Vec<Vec<f64>> {
    let (z, last) = (forward(network, data, loss), network.hidden());
    let readout = &network.dense()[last];
    let mut adjoints = vec![Vec::new(); last];
    for s in 0..data.samples {
        let top = &z[last - 1][s * readout.cols()..][..readout.cols()];
        let mut output = common::product(readout, top);
        if loss == Loss::CrossEntropy {
            output = softmax(&output);
        }
        let target = &data.y[s * output.len()..][..output.len()];
        let mut signal: Vec<f64> = output.iter().zip(target).map(|(f, y)| f - y).collect();
        for l in (0..last).rev() {
            let (edge, skip) = common::links(network)[l + 1];
            let mut below = transposed_product(edge, &signal);
            if skip {
                below.iter_mut().zip(&signal).for_each(|(b, s)| *b += s);
            }
            adjoints[l].extend(below.iter().map(|b| -b));
            signal = below;
        }
    }
    adjoints
}

/// Runs the rule in linear networks to its end and holds it against backpropagation.
fn check_kkt_point(rule: &str, rho: f64, change: impl Fn(RuleSettings) -> RuleSettings) {
    for &(widths, residual) in SHAPES {
        for (&placement, &loss) in Placement::ALL.iter().flat_map(|p| Loss::ALL.iter().map(move |l| (p, l))) {
            let network = network(widths, residual, Activation::Identity, placement, 2);
            let data = Data::new(&network, SAMPLES, loss, 2);
            let base = settings(1, default_step(&network, &data, loss));
            let backprop = run("bp", &network, &data, loss, &base);
            let done = run(rule, &network, &data, weighted(loss, &[rho]), &change(base));
            let what = format!("{rule} residual {residual} {} {}", placement.name(), loss.name());
            assert_eq!(done.report.stop, Stop::Converged, "{what}");
            for (l, wanted) in negative_adjoints(&network, &data, loss).iter().enumerate() {
                assert!(relative(&done.lambda(l), wanted) < 1e-8, "{what}: dual {}", l + 1);
                assert!(relative(&backprop.lambda(l), wanted) < 1e-13, "{what}: BP's dual {}", l + 1);
                assert!(distance(&done.z(l), &backprop.z(l)) < 1e-8, "{what}: activity {}", l + 1);
            }
            for (l, (found, wanted)) in done.gradient.edges.iter().zip(&backprop.gradient.edges).enumerate() {
                assert!(relative(found, wanted) < 1e-8, "{what}: gradient {}", l + 1);
            }
        }
    }
}

#[test]
fn pc_alm_converges_to_backpropagation_in_linear_networks() {
    for inner_steps in [1, 3] {
        let rho = if inner_steps == 1 { 1.0 } else { 0.8 };
        check_kkt_point("pc-alm", rho, |base| RuleSettings {
            budget: 100_000,
            eta: 0.8 * base.eta,
            inner_steps,
            tolerance: Some(1e-11),
            ..base
        });
    }
}

#[test]
fn the_method_of_multipliers_converges_to_backpropagation_in_linear_networks() {
    check_kkt_point("mm", 1.0, |base| RuleSettings {
        budget: 1000,
        tolerance: Some(1e-11),
        inner_tolerance: 1e-12,
        inner_limit: 100_000,
        ..base
    });
}

/// Moves each target to a fiftieth of its distance from the one that would give no error.
fn nearby_targets(network: &Network<f64>, data: &mut Data, loss: Loss) {
    let outputs = unclamped(network, data, loss);
    data.y.iter_mut().zip(outputs).for_each(|(y, f)| *y = f + 0.02 * (*y - f));
}

#[test]
fn pc_alm_converges_to_backpropagation_whatever_the_activation() {
    for &(widths, residual) in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            // A kink at the KKT point would leave no derivative to converge to.
            let (network, mut data) = away_from_kinks(0.02, |seed| {
                let network = network(widths, residual, activation, placement, seed);
                let mut data = Data::new(&network, SAMPLES, loss, seed);
                data.x.iter_mut().for_each(|x| *x *= 3.0);
                (network, data)
            });
            if !kinks(activation).is_empty() {
                // Nor may the way there cross one: the kinks could hold it in a cycle.
                nearby_targets(&network, &mut data, loss);
            }
            let base = RuleSettings { tolerance: Some(1e-11), ..settings(100_000, 0.1) };
            let backprop = run("bp", &network, &data, loss, &base);
            let done = run("pc-alm", &network, &data, loss, &base);
            assert_eq!(done.report.stop, Stop::Converged, "{what}");
            for (l, (found, wanted)) in done.gradient.edges.iter().zip(&backprop.gradient.edges).enumerate() {
                assert!(distance(found, wanted) < 1e-10, "{what}: gradient {}", l + 1);
            }
        });
    }
}

#[test]
fn the_first_step_of_predictive_coding_moves_only_the_last_hidden_layer() {
    for &(widths, residual) in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let network = network(widths, residual, activation, placement, 6);
            let data = Data::new(&network, SAMPLES, loss, 6);
            let start = forward(&network, &data, loss);
            let done = run("pc", &network, &data, loss, &settings(1, 0.3));
            let last = network.hidden() - 1;
            for (l, start) in start.iter().enumerate() {
                let moved = bits(&done.z(l)) != bits(start);
                assert_eq!(moved, l == last, "{what}: layer {}", l + 1);
            }
        });
    }
}

#[test]
fn pc_alm_visits_the_states_of_algorithm_1_bit_for_bit() {
    let (budget, eta, alpha) = (6, 0.2, 0.9);
    for &(widths, residual) in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let network = network(widths, residual, activation, placement, 8);
            let data = Data::new(&network, SAMPLES, loss, 8);
            let rho: Vec<f64> = (0..network.hidden()).map(|l| 0.6 + 0.2 * l as f64).collect();
            let settings = RuleSettings { alpha, ..settings(budget, eta) };
            let done = run("pc-alm", &network, &data, weighted(loss, &rho), &settings);

            let mut by_hand = minibatch(&network, &data, weighted(loss, &rho));
            by_hand
                .map(&network, |lagrangian, state| {
                    let mut c = state.activities().clone();
                    lagrangian.forward(state);
                    for _ in 1..budget {
                        lagrangian.credit(state, DualStep::Still);
                        lagrangian.descend(state, eta);
                        lagrangian.residuals(state, &mut c);
                        for (lambda, c) in state.duals_mut().layers.iter_mut().zip(&c.layers) {
                            lambda.data_mut().iter_mut().zip(c.data()).for_each(|(lambda, c)| *lambda += alpha * c);
                        }
                    }
                    lagrangian.credit(state, DualStep::Still);
                    lagrangian.descend(state, eta);
                    lagrangian.credit(state, DualStep::Still);
                })
                .unwrap();
            for l in 0..network.hidden() {
                assert_eq!(bits(&done.z(l)), bits(&by_hand.unload(l, |s| s.activities())), "{what}: z {}", l + 1);
                assert_eq!(bits(&done.lambda(l)), bits(&by_hand.unload(l, |s| s.duals())), "{what}: lambda {}", l + 1);
                assert_eq!(bits(&done.credit(l)), bits(&by_hand.unload(l, |s| s.credit())), "{what}: q {}", l + 1);
            }
        });
    }
}
