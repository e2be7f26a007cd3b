//! Target propagation and difference target propagation: golden numbers, and what they are in networks where something
//! else says so.

#![cfg(feature = "theory")]

mod common;

use common::{
    Data, SHAPES, biased, graphs, network, numbers, operators, relative, run,
    targets::{DTP, INVERTIBLE, SAMPLES, TP, backward, columns, facts, reachable, square, weights},
    unclamped,
};
use faer::Mat;
use nalgebra::{DMatrix, DVector};
use pcalm::{
    EnergyShape, Objective, Precision,
    activation::Activation,
    loss::Loss,
    network::{Dense, Link, Network, Placement},
    rule::{Decoder, RuleSettings, TargetPropagation, TargetTop},
    theory::LinearEquilibrium,
};
use serde_json::Value;
use std::sync::Arc;

const LOSS: Loss = Loss::SquaredError;

fn plain() -> RuleSettings {
    RuleSettings::default()
}

/// t = z̄ + λ of every hidden layer, row-major.
fn targets(rule: &str, network: &Network<f64>, data: &Data, settings: &RuleSettings) -> Vec<Vec<f64>> {
    let done = run(rule, network, data, LOSS, settings);
    let sum = |l: usize| done.z(l).iter().zip(done.lambda(l)).map(|(z, lambda)| z + lambda).collect();
    (0..network.hidden()).map(sum).collect()
}

fn kinds() -> impl Iterator<Item = (Activation, Placement)> {
    INVERTIBLE.into_iter().flat_map(|phi| Placement::ALL.iter().map(move |&placement| (phi, placement)))
}

fn flat(value: &Value) -> Vec<f64> {
    match value {
        Value::Array(items) => items.iter().flat_map(flat).collect(),
        number => vec![number.as_f64().unwrap()],
    }
}

fn matrix(value: &Value) -> Dense<f64> {
    let rows = value.as_array().unwrap();
    Dense::new(flat(value), rows.len(), rows[0].as_array().unwrap().len(), 1.0).unwrap()
}

#[test]
fn both_rules_have_the_golden_targets_credit_and_gradients() {
    let file: Value = serde_json::from_str(include_str!("golden/frm-tr.json")).unwrap();
    let mut records = [0, 0];
    for case in file["cases"].as_array().unwrap() {
        let links = case["weights"].as_array().unwrap().iter().enumerate().map(|(l, weight)| {
            let dense = matrix(weight);
            let skip = case["skips"][l].as_u64() == Some(1);
            Link::new(flat(weight), dense.rows(), dense.cols(), case["scales"][l].as_f64().unwrap(), skip).unwrap()
        });
        let phi = Activation::from_name(case["activation"].as_str().unwrap()).unwrap();
        let placement = Placement::from_name(case["placement"].as_str().unwrap()).unwrap();
        let network = Network::chain(links.collect(), phi, placement).unwrap();
        let loss = if case["loss"] == "squared" { LOSS } else { Loss::CrossEntropy };
        let data = Data { x: flat(&case["x"]), y: flat(&case["y"]), samples: case["x"].as_array().unwrap().len() };
        for record in case["records"].as_array().unwrap() {
            let (given, wanted) = (&record["settings"], &record["output"]);
            let (rule, tolerance) = match given["rule"].as_str().unwrap() {
                "tp" => (TP, 1e-9),
                "dtp" => (DTP, 1e-11),
                _ => continue,
            };
            records[usize::from(rule == DTP)] += 1;
            let backward = given["backward"].as_object().map(|all| {
                // Keys are layers 2 to L, of one digit.
                Arc::new(all.values().map(matrix).collect::<Vec<_>>())
            });
            let settings = RuleSettings {
                top: given["top"].as_str().map_or(TargetTop::Target, |top| TargetTop::from_name(top).unwrap()),
                beta: given["beta"].as_f64(),
                decoder: given["decoder"].as_str().map_or(Decoder::Linear, |g| Decoder::from_name(g).unwrap()),
                difference: given["difference"].as_bool().unwrap_or(true),
                backward,
                ..plain()
            };
            let done = run(rule, &network, &data, loss, &settings);
            let what = format!("{} {:?}", case["name"], record["tags"]);
            let check = |found: &[f64], wanted: &Value, part: &str| {
                let wanted = flat(wanted);
                let largest = wanted.iter().fold(0.0, |m: f64, w| m.max(w.abs()));
                let error = common::distance(found, &wanted);
                assert!(error <= tolerance * largest, "{what}, {part}: {error:e} of {largest:e}");
            };
            for l in 0..network.hidden() {
                let t: Vec<f64> = done.z(l).iter().zip(done.lambda(l)).map(|(z, lambda)| z + lambda).collect();
                check(&done.z(l), &wanted["z"][l], "z");
                check(&t, &wanted["targets"][l], "targets");
                check(&done.credit(l), &wanted["q"][l], "credit");
            }
            check(&done.credit(network.hidden()), &wanted["q_output"], "output credit");
            for (l, gradient) in done.gradient.edges.iter().enumerate() {
                check(gradient, &wanted["grads"][l], "gradient");
            }
        }
    }
    assert_eq!(records, [6, 32], "records of target propagation, with and without difference");
}

/// By how much three inverses in a row make rounding larger: weights of a condition of some tens, and 1/φ', which is
/// 100 for each leak.
fn gain(phi: Activation) -> f64 {
    if phi == Activation::LeakyRelu { 1e6 } else { 1e3 }
}

#[test]
fn square_networks_are_undone_down_to_the_input_that_makes_the_target() {
    for (phi, placement) in kinds() {
        for skips in [false, true] {
            for nearest in [false, true] {
                let network = square(5, 4, skips, (phi, placement), 2);
                let (data, other) = reachable(&network, 1);
                let settings = RuleSettings { nearest, ..plain() };
                let what = format!("{phi:?} {placement:?} skips {skips} nearest {nearest}");
                let wanted = common::forward(&network, &other, LOSS);
                for (l, t) in targets(TP, &network, &data, &settings).iter().enumerate() {
                    let error = relative(t, &wanted[l]);
                    assert!(error < 1e-14 * gain(phi), "{what}: {error:e} in layer {}", l + 1);
                }
                for facts in facts(TP, &network, &data, &settings).unwrap() {
                    let reconstruction = facts.reconstruction.unwrap();
                    assert!(
                        reconstruction < 1e-12,
                        "{what}: f(t) is {reconstruction:e} off above layer {}",
                        facts.layer
                    );
                    assert!(facts.rank == Some(5) && facts.conditioning.unwrap() > 1e-3, "{what} {facts:?}");
                    assert!(facts.distance > 0.01 && (facts.outside, facts.clipped) == (0, 0), "{what} {facts:?}");
                }
                let rule = TargetPropagation::new(&settings).unwrap();
                let mut minibatch = common::minibatch(&network, &data, LOSS);
                let x = minibatch.map(&network, |lagrangian, state| rule.input_target(lagrangian, state));
                let mut found = Vec::new();
                x.unwrap().remove(0).unwrap().unload(SAMPLES, &mut found);
                let error = relative(&found, &other.x);
                // One link more.
                assert!(error < 1e-12 * gain(phi), "{what}: {error:e} in the input");
            }
        }
    }
}

#[test]
fn where_the_output_is_the_target_no_layer_has_a_target_of_its_own() {
    for (phi, placement) in kinds() {
        let network = square(5, 4, true, (phi, placement), 3);
        let data = Data::new(&network, SAMPLES, LOSS, 1);
        let met = Data { y: unclamped(&network, &data, LOSS), ..data };
        let done = run(TP, &network, &met, LOSS, &plain());
        let largest = done.gradient.edges.concat().iter().fold(0.0, |m: f64, g| m.max(g.abs()));
        assert!(largest < 1e-12, "{phi:?} {placement:?}: gradient {largest:e}");
    }
    // Whatever the decoder and however wrong its weights; without the difference they make credit of nothing.
    for (phi, placement) in kinds() {
        let network = square(5, 4, false, (phi, placement), 3);
        let data = Data::new(&network, SAMPLES, LOSS, 1);
        let met = Data { y: unclamped(&network, &data, LOSS), ..data };
        let wrong = weights(&network)[1..].iter().map(|v| v.clone().try_inverse().unwrap() * 1.05).collect::<Vec<_>>();
        for &decoder in Decoder::ALL {
            let settings = RuleSettings { decoder, backward: backward(wrong.clone()), clip: Some(1e-6), ..plain() };
            let credit = |settings: &RuleSettings| run(DTP, &network, &met, LOSS, settings).gradient.edges.concat();
            assert!(credit(&settings).iter().all(|g| *g == 0.0), "{phi:?} {placement:?} {decoder:?}");
            let uncorrected = credit(&RuleSettings { difference: false, ..settings });
            assert!(uncorrected.iter().any(|g| g.abs() > 1e-2), "{phi:?} {placement:?} {decoder:?}");
        }
    }
}

#[test]
fn with_inverses_as_backward_weights_difference_target_propagation_is_target_propagation() {
    for (phi, placement) in kinds() {
        let network = square(4, 4, false, (phi, placement), 4);
        let (data, _) = reachable(&network, 1);
        let inverses = || backward(weights(&network)[1..].iter().map(|v| v.clone().try_inverse().unwrap()));
        let wanted = targets(TP, &network, &data, &plain());
        // The inverse decoder in any network; the linear one where the links are linear, with biases by the difference.
        let mut same = vec![(Decoder::Inverse, false)];
        if phi == Activation::Identity {
            same.extend([(Decoder::Linear, true), (Decoder::Phi, true), (Decoder::Inverse, true)]);
        }
        for (decoder, difference) in same {
            let settings = RuleSettings { decoder, difference, backward: inverses(), ..plain() };
            for (found, wanted) in targets(DTP, &network, &data, &settings).iter().zip(&wanted) {
                let error = relative(found, wanted);
                assert!(error < 1e-14 * gain(phi), "{phi:?} {placement:?} {decoder:?} {difference}: {error:e}");
            }
        }
    }
}

#[test]
fn with_the_transposed_weights_it_is_backpropagation_in_linear_networks_times_beta_from_a_gradient() {
    for &(widths, residual) in SHAPES {
        for &loss in Loss::ALL {
            let network = biased(network(widths, residual, Activation::Identity, Placement::Pre, 5), 1);
            let data = Data::new(&network, SAMPLES, loss, 5);
            let backprop = run("bp", &network, &data, loss, &plain());
            let given = backward(operators(&network)[1..].iter().map(|v| v.transpose()));
            for backward in [None, given] {
                let settings = RuleSettings { backward, ..plain() };
                let steep = RuleSettings { top: TargetTop::Gradient, beta: Some(0.3), ..settings.clone() };
                let mut cases =
                    vec![(steep, 0.3), (RuleSettings { top: TargetTop::Gradient, ..settings.clone() }, 0.1)];
                if loss == LOSS {
                    cases.extend([(settings.clone(), 1.0), (RuleSettings { beta: Some(0.5), ..settings }, 0.5)]);
                }
                for (settings, beta) in cases {
                    let done = run(DTP, &network, &data, loss, &settings);
                    for l in 0..network.hidden() {
                        let wanted: Vec<f64> = backprop.credit(l).iter().map(|q| beta * q).collect();
                        let error = relative(&done.credit(l), &wanted);
                        assert!(error < 1e-13, "{loss:?} β {beta}, layer {}: {error:e}", l + 1);
                    }
                    let readout = network.hidden();
                    assert_eq!(done.credit(readout), backprop.credit(readout));
                }
            }
        }
    }
}

#[test]
fn between_forward_pass_and_target_lies_the_equilibrium_of_one_hidden_layer() {
    let full = |n: usize, seed: u64| {
        let a = DMatrix::from_vec(n, n, numbers(n * n, seed));
        &a * a.transpose() + DMatrix::identity(n, n) * 0.5
    };
    let (first, last) = (full(4, 1), full(4, 2));
    let precision = |p: &DMatrix<f64>| Precision::Full(p.transpose().as_slice().to_vec());
    let both = [precision(&first), precision(&last)];
    let objective = Objective::weighted(LOSS, &[1.0], &both, EnergyShape::HalfSquare).unwrap();
    let network = square(4, 2, false, (Activation::Identity, Placement::Pre), 6);
    // The closed form of the equilibrium is for networks without biases.
    let bare =
        weights(&network).into_iter().map(|v| Link::new(v.transpose().as_slice().to_vec(), 4, 4, 1.0, false).unwrap());
    let network = Network::chain(bare.collect(), Activation::Identity, Placement::Pre).unwrap();
    let data = Data::new(&network, SAMPLES, LOSS, 6);
    let v = &weights(&network)[1];
    let a = first.try_inverse().unwrap() * v.transpose() * last * v;
    let forward = columns(&common::forward(&network, &data, LOSS)[0], 4);
    let t = columns(&targets(TP, &network, &data, &plain())[0], 4);
    let wanted = (DMatrix::identity(4, 4) + &a).try_inverse().unwrap() * (forward + &a * t);
    let faer = |values: &[f64]| Mat::from_fn(4, SAMPLES, |i, s| values[4 * s + i]);
    let (x, y) = (faer(&data.x), faer(&data.y));
    let found = &LinearEquilibrium::new(&network, &objective).unwrap().activities(x.as_ref(), y.as_ref())[0];
    let found = DMatrix::from_fn(4, SAMPLES, |i, s| found[(i, s)]);
    let error = (&found - &wanted).norm() / wanted.norm();
    assert!(error < 1e-12, "{error:e}");
}

#[test]
fn near_the_output_targets_are_gauss_newton_steps_to_first_order() {
    for &placement in Placement::ALL {
        let network = square(4, 4, false, (Activation::Tanh, placement), 7);
        let data = Data::new(&network, 1, LOSS, 7);
        let nodes = graphs::forward(&network, &data.x);
        let edges = network.edges();
        let jacobian = |node: usize| graphs::jacobian(&edges[node], &nodes[node]);
        let error = |beta: f64| {
            let found = targets(TP, &network, &data, &RuleSettings { beta: Some(beta), ..plain() });
            let mut step = (DVector::from_column_slice(&data.y) - &nodes[4]) * beta;
            let mut worst = 0.0f64;
            for node in (1..4).rev() {
                step = jacobian(node).lu().solve(&step).unwrap();
                let moved = DVector::from_column_slice(&found[node - 1]) - &nodes[node];
                worst = worst.max((moved - &step).norm() / step.norm());
            }
            worst
        };
        let [large, small] = [1e-3, 1e-4].map(error);
        let slope = (large / small).log10();
        assert!((slope - 1.0).abs() < 0.05, "{placement:?}: {large:e} then {small:e}, slope {slope}");
    }
}

#[test]
fn wide_layers_take_the_smallest_target_or_the_nearest_and_tall_ones_the_closest_they_can() {
    let linear = |widths: &[usize]| network(widths, false, Activation::Identity, Placement::Pre, 8);
    // Wide: fewer units above.
    let wide = linear(&[3, 6, 4, 2]);
    let data = Data::new(&wide, SAMPLES, LOSS, 8);
    let z = common::forward(&wide, &data, LOSS);
    let v = weights(&wide);
    let nearest = RuleSettings { nearest: true, ..plain() };
    for (settings, near) in [(plain(), false), (nearest.clone(), true)] {
        let t = targets(TP, &wide, &data, &settings);
        let above = [columns(&t[1], 4), columns(&data.y, 2)];
        for (l, width) in [(0, 6), (1, 4)] {
            let (t, z) = (columns(&t[l], width), columns(&z[l], width));
            let missed = (&v[l + 1] * &t - &above[l]).norm();
            assert!(missed < 1e-13, "layer {}: {missed:e}", l + 1);
            // What V does not see of it is 0, or is left as it was.
            let rest = if near { &t - z } else { t };
            let onto = v[l + 1].transpose() * (&v[l + 1] * v[l + 1].transpose()).try_inverse().unwrap() * &v[l + 1];
            let unseen = (&rest - onto * &rest).norm();
            assert!(unseen < 1e-13, "layer {} near {near}: {unseen:e}", l + 1);
        }
    }
    // The nearest is difference target propagation with V⁺.
    let pseudo = v[1..].iter().map(|v| v.transpose() * (v * v.transpose()).try_inverse().unwrap());
    let by_difference = RuleSettings { backward: backward(pseudo), ..plain() };
    let same = targets(DTP, &wide, &data, &by_difference);
    for (found, wanted) in same.iter().zip(targets(TP, &wide, &data, &nearest)) {
        assert!(relative(found, &wanted) < 1e-12);
    }
    // Tall: more units above, a target that nothing below makes; least squares.
    let tall = linear(&[3, 2, 4, 6]);
    let data = Data::new(&tall, SAMPLES, LOSS, 8);
    let (t, v) = (targets(TP, &tall, &data, &plain()), weights(&tall));
    let left = &v[2] * columns(&t[1], 4) - columns(&data.y, 6);
    let normal = (v[2].transpose() * &left).norm();
    assert!(left.norm() > 0.1 && normal < 1e-13, "{} {normal:e}", left.norm());
    let facts = facts(TP, &tall, &data, &plain()).unwrap();
    let wanted = left.norm() / (SAMPLES as f64).sqrt();
    assert!((facts[1].reconstruction.unwrap() - wanted).abs() < 1e-12, "{facts:?}");
    assert_eq!((facts[0].rank, facts[1].rank), (Some(2), Some(4)));
}

#[test]
fn a_singular_layer_has_the_rank_and_the_target_of_its_pseudo_inverse() {
    // Rank 1: (1, 2) and (2, 4).
    let links = [vec![1.0, 0.0, 0.0, 1.0], vec![1.0, 2.0, 2.0, 4.0]].map(|w| Link::new(w, 2, 2, 1.0, false).unwrap());
    let network = Network::chain(links.to_vec(), Activation::Identity, Placement::Post).unwrap();
    let data = Data { x: vec![0.3, -0.1], y: vec![5.0, 10.0], samples: 1 };
    // V⁺ = Vᵀ/25, so that t = (1, 2).
    let t = &targets(TP, &network, &data, &plain())[0];
    assert!(relative(t, &[1.0, 2.0]) < 1e-14, "{t:?}");
    let facts = facts(TP, &network, &data, &plain()).unwrap();
    assert!(facts[0].rank == Some(1) && facts[0].conditioning.unwrap() < 1e-15, "{facts:?}");
}

#[test]
fn single_precision_has_the_targets_of_double_to_its_rounding() {
    for (phi, placement) in kinds() {
        for skips in [false, true] {
            let network = square(5, 4, skips, (phi, placement), 9);
            let (data, _) = reachable(&network, 9);
            let rules = [(TP, plain()), (DTP, plain())];
            for (rule, settings) in rules {
                let exact = run(rule, &network, &data, LOSS, &settings);
                let rounded = run(rule, &network.cast::<f32>(), &data.cast::<f32>(), LOSS, &settings);
                let wide: Vec<f64> = rounded.gradient.edges.concat().into_iter().map(f64::from).collect();
                let error = relative(&wide, &exact.gradient.edges.concat());
                // Of numbers rounded to 6e-8.
                assert!(error < 6e-8 * gain(phi), "{rule} {phi:?} {placement:?} skips {skips}: {error:e}");
            }
        }
    }
}
