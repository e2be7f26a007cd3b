//! What target rules refuse, of a network as such and of samples, and what they clip.

#![cfg(feature = "theory")]

mod common;

use common::{
    Data, graphs, network, run,
    targets::{DTP, SAMPLES, TP, backward, facts, reachable, square, weights},
};
use pcalm::{
    Error,
    activation::{ACTIVATIONS, Activation},
    backend::Reference,
    lagrangian::Lagrangian,
    loss::Loss,
    network::{Dense, Link, Network, Placement},
    objective::{End, Objective},
    rule::{self, Decoder, RuleSettings, TargetTop, target_facts},
};
use std::sync::Arc;

const LOSS: Loss = Loss::SquaredError;

fn plain() -> RuleSettings {
    RuleSettings::default()
}

/// What a rule says of a network and an objective.
fn said(rule: &str, network: &Network<f64>, objective: impl Into<Objective<f64>>, settings: &RuleSettings) -> String {
    let built = rule::build::<Reference<f64>>(rule, settings).unwrap();
    built.fits(network, &objective.into()).err().map_or_else(String::new, |error| error.to_string())
}

/// What it says of the samples.
fn refused(rule: &str, network: &Network<f64>, data: &Data, settings: &RuleSettings) -> String {
    let built = rule::build::<Reference<f64>>(rule, settings).unwrap();
    let mut minibatch = common::minibatch(network, data, LOSS);
    match minibatch.infer(network, built.as_ref()) {
        Err(Error::Refused(refusal)) => refusal.to_string(),
        other => panic!("expected a refusal, got {other:?}"),
    }
}

fn has(message: &str, parts: &[&str]) {
    assert!(parts.iter().all(|part| message.contains(part)), "{message}\nhas not all of {parts:?}");
}

#[test]
fn activations_without_an_inverse_are_refused_by_layer_where_one_is_needed() {
    for phi in [Activation::Relu, Activation::HardTanh, Activation::Gelu, Activation::Silu] {
        for (placement, layer) in [(Placement::Pre, "layer 1"), (Placement::Post, "layer 2")] {
            let deep = network(&[3, 4, 4, 2], false, phi, placement, 1);
            has(&said(TP, &deep, LOSS, &plain()), &[layer, phi.name(), "leaky-relu", DTP]);
            assert_eq!(said(DTP, &deep, LOSS, &plain()), "", "needs none");
            let inverse = RuleSettings { decoder: Decoder::Inverse, ..plain() };
            has(&said(DTP, &deep, LOSS, &inverse), &["decoder", layer, phi.name(), "linear"]);
        }
        // Of one hidden layer, nothing behind the readout has an activation in `post`; a skip is solved for without φ⁻¹.
        let shallow = network(&[3, 4, 2], false, phi, Placement::Post, 1);
        assert_eq!(said(TP, &shallow, LOSS, &plain()), "");
        let skips = network(&[3, 4, 4, 2], true, phi, Placement::Post, 1);
        assert_eq!(said(TP, &skips, LOSS, &plain()), "");
        let data = Data::new(&shallow, SAMPLES, LOSS, 1);
        let done = run(TP, &shallow, &data, LOSS, &plain());
        assert!(done.gradient.edges.concat().iter().all(|g| g.is_finite()));
    }
    for &phi in ACTIVATIONS {
        assert_eq!(phi.range().is_some(), phi.inverse(0.5).is_some());
        for v in [-0.99, -0.3, 0.2, 0.97] {
            if let Some(x) = phi.inverse(v) {
                assert!((phi.value(x) - v).abs() < 1e-15, "{}", phi.name());
            }
        }
    }
}

#[test]
fn losses_ends_and_networks_that_have_no_targets_are_refused() {
    let chain = network(&[3, 4, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
    has(&said(TP, &chain, Loss::CrossEntropy, &plain()), &["loss", "squared error", DTP, "gradient"]);
    has(&said(DTP, &chain, Loss::CrossEntropy, &plain()), &["loss", "gradient"]);
    let gradient = RuleSettings { top: TargetTop::Gradient, ..plain() };
    assert_eq!(said(DTP, &chain, Loss::CrossEntropy, &gradient), "");
    for rule in [TP, DTP] {
        let free = Objective::from(LOSS).with_ends(End::Held, End::Free);
        has(&said(rule, &chain, free, &plain()), &[rule, "output"]);
        has(&said(rule, &graphs::network(Activation::Tanh, Placement::Pre), LOSS, &plain()), &["chain"]);
        has(&said(rule, &chain.freed(), LOSS, &plain()), &["chain"]);
    }
    let residual = network(&[3, 4, 4, 2], true, Activation::Tanh, Placement::Pre, 1);
    let inverse = RuleSettings { decoder: Decoder::Inverse, ..plain() };
    has(&said(DTP, &residual, LOSS, &inverse), &["decoder", "layer 2", "skip"]);
}

#[test]
fn settings_outside_their_range_are_refused_by_name() {
    let refused = |rule: &str, settings: RuleSettings, parts: &[&str]| {
        let error = rule::build::<Reference<f64>>(rule, &settings).err().unwrap();
        has(&error.to_string(), parts);
    };
    for rule in [TP, DTP] {
        for bad in [0.0, -0.1, 0.5, f64::NAN] {
            refused(rule, RuleSettings { clip: Some(bad), ..plain() }, &["`clip`", "0.001"]);
        }
        for bad in [0.0, -1.0, f64::INFINITY, f64::NAN] {
            refused(rule, RuleSettings { beta: Some(bad), ..plain() }, &["`beta`"]);
        }
    }
    let dense = |rows: usize, cols: usize| Dense::new(vec![0.5; rows * cols], rows, cols, 1.0).unwrap();
    let biased = dense(4, 4).biased(&[0.0; 4]).unwrap();
    let bent = dense(4, 2).activated(Activation::Tanh, Placement::Post);
    let with = |all: Vec<Dense<f64>>| RuleSettings { backward: Some(Arc::new(all)), ..plain() };
    refused(DTP, with(vec![biased, dense(4, 2)]), &["`backward`", "b.2", "bias"]);
    refused(DTP, with(vec![dense(4, 4), bent]), &["`backward`", "b.3"]);
    let chain = network(&[3, 4, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
    has(&said(DTP, &chain, LOSS, &with(vec![dense(4, 4)])), &["`backward`", "1 matrices", "2 links"]);
    has(&said(DTP, &chain, LOSS, &with(vec![dense(4, 4), dense(2, 4)])), &["b.3 is [2, 4]", "[4, 2]"]);
    assert_eq!(said(DTP, &chain, LOSS, &with(vec![dense(4, 4), dense(4, 2)])), "");
}

#[test]
fn targets_out_of_range_are_refused_with_layer_count_and_worst_value_unless_clipped() {
    // V = 1, so that y itself is what the tanh of layer 2 is asked to undo: on the way to t_2 in `pre`, to t_1 in `post`.
    let link = || Link::new(vec![1.0], 1, 1, 1.0, false).unwrap();
    for (placement, found) in [(Placement::Pre, 2), (Placement::Post, 1)] {
        let network = Network::chain(vec![link(), link(), link()], Activation::Tanh, placement).unwrap();
        let data = Data { x: vec![0.1; 3], y: vec![0.5, -1.75, 1.0], samples: 3 };
        let message = refused(TP, &network, &data, &plain());
        has(&message, &[TP, "layer 2", "2 of 3 units", "(-1, 1)", "tanh", "-1.75", "--clip"]);
        let clipped = RuleSettings { clip: Some(0.25), ..plain() };
        let all = facts(TP, &network, &data, &clipped).unwrap();
        let counts: Vec<_> = all.iter().map(|facts| (facts.outside, facts.clipped)).collect();
        assert_eq!(counts[found - 1], (2, 2), "{counts:?}");
        let done = run(TP, &network, &data, LOSS, &clipped);
        assert!(done.gradient.edges.concat().iter().all(|g| g.is_finite()));
    }
}

#[test]
fn a_clipped_sigmoid_stays_between_delta_and_one_less_delta() {
    let link = || Link::new(vec![1.0], 1, 1, 1.0, false).unwrap();
    let network = Network::chain(vec![link(), link()], Activation::Sigmoid, Placement::Pre).unwrap();
    let data = Data { x: vec![0.1; 3], y: vec![-3.0, 0.5, 7.0], samples: 3 };
    let done = run(TP, &network, &data, LOSS, &RuleSettings { clip: Some(0.1), ..plain() });
    let t: Vec<f64> = done.z(0).iter().zip(done.lambda(0)).map(|(z, lambda)| z + lambda).collect();
    let logit = (0.9f64 / 0.1).ln();
    assert!(common::distance(&t, &[-logit, 0.0, logit]) < 1e-14, "{t:?}");
}

#[test]
fn a_skip_that_cannot_be_undone_is_refused_with_what_would_be_sure() {
    let link = |w: f64, skip: bool| Link::new(vec![w], 1, 1, 1.0, skip).unwrap();
    let links = vec![link(1.0, false), link(-3.0, true), link(1.0, false)];
    let network = Network::chain(links, Activation::LeakyRelu, Placement::Pre).unwrap();
    // z − 3 φ(z) with a leak of 1 % is −2z above 0 and 0.97 z below: never above 0.
    let data = Data { x: vec![0.5, 0.5], y: vec![1.0, -1.0], samples: 2 };
    let message = refused(TP, &network, &data, &plain());
    has(&message, &[TP, "layer 1", "1 of 2 samples", "target of layer 2", "σ_max(V) is 3.000", DTP]);
}

#[test]
fn a_target_that_overflows_is_a_refusal_of_its_layer() {
    let link = |w: f64| Link::new(vec![w], 1, 1, 1.0, false).unwrap();
    let network =
        Network::chain(vec![link(1.0), link(1e-30), link(1e-30)], Activation::Identity, Placement::Pre).unwrap();
    let data = Data { x: vec![1.0], y: vec![1.0], samples: 1 };
    let built = rule::build::<Reference<f32>>(TP, &plain()).unwrap();
    let mut minibatch = common::minibatch(&network.cast::<f32>(), &data.cast::<f32>(), LOSS);
    match minibatch.infer(&network.cast(), built.as_ref()) {
        Err(Error::Refused(refusal)) => {
            assert_eq!(refusal.layer, Some(1));
            has(&refusal.to_string(), &["overflows", "singular"]);
        }
        other => panic!("expected a refusal, got {other:?}"),
    }
}

#[test]
fn what_has_no_targets_has_no_facts_of_them() {
    let network = square(3, 3, false, (Activation::Tanh, Placement::Pre), 1);
    let (data, _) = reachable(&network, 1);
    let message = facts("pc", &network, &data, &plain()).unwrap_err().to_string();
    has(&message, &["`rule`", "pc", TP, DTP]);
    // Nor one whose first target is a gradient's any for the output.
    let settings = RuleSettings { top: TargetTop::Gradient, ..plain() };
    let all = facts(DTP, &network, &data, &settings).unwrap();
    assert_eq!(all.len(), 2);
    assert!(all[1].reconstruction.is_none() && all[0].reconstruction.is_some());
    assert!(all.iter().all(|facts| facts.rank.is_none() && facts.samples == SAMPLES));
    // A rule that is run without being asked whether it fits refuses all the same.
    let objective = Objective::from(Loss::CrossEntropy);
    let backend = Reference::<f64>::new();
    let (block, mut state) = data.batch().block(&backend, &network).unwrap();
    let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
    let stop = pcalm::infer::infer(rule::build(TP, &plain()).unwrap().as_ref(), &lagrangian, &mut state, &mut ()).stop;
    assert_eq!(stop.name(), "refused");
    assert!(target_facts(TP, &plain(), &lagrangian, &mut state).is_err());
}

#[test]
fn facts_of_blocks_add_up_to_those_of_all_samples() {
    let network = square(3, 3, false, (Activation::Tanh, Placement::Pre), 1);
    let whole = Data::new(&network, 6, LOSS, 3);
    let settings = RuleSettings { clip: Some(0.01), backward: backward(weights(&network)[1..].to_vec()), ..plain() };
    let part = |from: usize, to: usize| Data {
        x: whole.x[3 * from..3 * to].to_vec(),
        y: whole.y[3 * from..3 * to].to_vec(),
        samples: to - from,
    };
    for rule in [TP, DTP] {
        let mut sum = facts(rule, &network, &part(0, 2), &settings).unwrap();
        let rest = facts(rule, &network, &part(2, 6), &settings).unwrap();
        sum.iter_mut().zip(rest).for_each(|(sum, rest)| *sum += rest);
        for (sum, whole) in sum.iter().zip(facts(rule, &network, &whole, &settings).unwrap()) {
            assert!((sum.distance - whole.distance).abs() < 1e-14);
            assert!((sum.reconstruction.unwrap() - whole.reconstruction.unwrap()).abs() < 1e-14);
            assert_eq!((sum.outside, sum.clipped, sum.samples), (whole.outside, whole.clipped, 6));
        }
    }
}
