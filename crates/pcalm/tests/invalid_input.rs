//! Batches and settings outside their range are refused by name, before anything runs.

mod common;

use common::{Data, iterative_rules, network, numbers};
use pcalm::{
    Error,
    activation::Activation,
    backend::Reference,
    gradient::Gradient,
    loss::Loss,
    minibatch::{Batch, Minibatch},
    network::{Link, Network, Placement},
    objective::Objective,
    optimizer::{OPTIMIZERS, Optimizer, Settings},
    rule::{self, Backprop, RuleSettings},
    theory::curvature,
    train::Trainer,
};

fn setting_of<T>(result: Result<T, Error>) -> &'static str {
    match result {
        Err(Error::Setting { name, .. }) => name,
        Err(other) => panic!("expected an invalid setting, got {other}"),
        Ok(_) => panic!("expected an invalid setting, got none"),
    }
}

#[test]
fn a_number_that_is_not_finite_is_named_by_sample_and_feature() {
    for bad in [f64::NAN, f64::INFINITY, f64::NEG_INFINITY] {
        let (mut x, y) = (numbers(12, 1), numbers(8, 2));
        x[7] = bad;
        let message = Batch::new(&x, &y, 4).unwrap_err().to_string();
        assert!(message.contains("`x` of sample 2, feature 1,"), "{message}");
        let (x, mut y) = (numbers(12, 1), numbers(8, 2));
        y[7] = bad;
        let error = Batch::new(&x, &y, 4).unwrap_err();
        assert!(matches!(&error, Error::Batch(what) if what.contains("`y` of sample 3, feature 1,")), "{error}");
    }
}

#[test]
fn a_minibatch_without_samples_is_refused_whatever_is_asked_of_it() {
    let network = network(&[3, 4, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
    let mut empty = Minibatch::new(Reference::<f64>::new(), Loss::SquaredError);
    let mut gradient = Gradient::zeros(&network);
    let refused = [
        empty.infer(&network, &Backprop).map(drop),
        empty.evaluate(&network).map(drop),
        empty.energies(&network).map(drop),
        empty.weight_gradient(&network, &mut gradient).map(drop),
        curvature(&mut empty, &network, 1e-3, 10).map(drop),
    ];
    for refused in refused {
        let message = refused.unwrap_err().to_string();
        assert!(message.contains("no samples"), "{message}");
    }
}

#[test]
fn a_network_of_another_shape_than_the_samples_were_loaded_for_is_refused() {
    let of = |widths: &[usize]| network(widths, false, Activation::Tanh, Placement::Pre, 1);
    let (loaded, other) = (of(&[3, 4, 4, 2]), of(&[3, 5, 4, 2]));
    let data = Data::new(&loaded, 2, Loss::SquaredError, 1);
    let mut minibatch = common::minibatch(&loaded, &data, Loss::SquaredError);
    assert!(matches!(minibatch.infer(&other, &Backprop), Err(Error::Batch(_))));
    minibatch.infer(&loaded, &Backprop).unwrap();
    let mut gradient = Gradient::zeros(&loaded);
    assert!(matches!(minibatch.weight_gradient(&other, &mut gradient), Err(Error::Batch(_))));
    let mut wrong = Gradient::zeros(&other);
    assert!(matches!(minibatch.weight_gradient(&loaded, &mut wrong), Err(Error::Network(_))));
}

#[test]
fn a_trainer_takes_no_optimizer_made_for_another_network() {
    let of = |widths: &[usize]| network(widths, false, Activation::Tanh, Placement::Pre, 1);
    // One of fewer weights, of more, of another depth; all would train a part.
    for widths in [&[3, 4, 3, 2][..], &[3, 4, 5, 2], &[3, 4, 2]] {
        let mine = of(&[3, 4, 4, 2]);
        for info in OPTIMIZERS {
            let settings = Settings { method: info.method, ..Settings::default() };
            let optimizer = Optimizer::new(settings, &of(widths)).unwrap();
            let minibatch = Minibatch::new(Reference::new(), Loss::SquaredError);
            let made = Trainer::new(mine.clone(), Box::new(Backprop), optimizer, minibatch);
            assert_eq!(made.is_err(), info.moments > 0, "{} {widths:?}", info.name);
        }
    }
}

#[test]
fn a_rate_that_is_no_number_of_at_least_0_changes_no_weight() {
    let network = network(&[3, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 2, Loss::SquaredError, 1);
    for bad in [f64::NAN, f64::INFINITY, -1e-3] {
        for info in OPTIMIZERS {
            let settings = Settings { method: info.method, ..Settings::default() };
            let optimizer = Optimizer::new(settings, &network).unwrap();
            let minibatch = Minibatch::new(Reference::new(), Loss::SquaredError);
            let mut trainer = Trainer::new(network.clone(), Box::new(Backprop), optimizer.clone(), minibatch).unwrap();
            assert_eq!(setting_of(trainer.step(&data.batch(), bad)), "learning-rate");
            assert_eq!((trainer.network(), trainer.optimizer()), (&network, &optimizer), "{} {bad}", info.name);
        }
    }
}

#[test]
fn a_batch_without_whole_rows_is_refused() {
    let numbers = numbers(12, 1);
    for (x, y, samples) in [(12, 12, 0), (12, 11, 4), (11, 12, 4), (0, 12, 4), (12, 0, 4)] {
        let batch = Batch::new(&numbers[..x], &numbers[..y], samples);
        assert!(matches!(batch, Err(Error::Batch(_))), "{x} {y} {samples}");
    }
}

#[test]
fn a_batch_of_other_widths_than_the_networks_is_refused_with_both() {
    let narrow = network(&[3, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
    let mut minibatch = Minibatch::new(Reference::new(), Loss::SquaredError);
    for (d, o) in [(4, 2), (3, 3), (2, 3)] {
        let wide = network(&[d, 4, o], false, Activation::Tanh, Placement::Pre, 1);
        let data = Data::new(&wide, 2, Loss::SquaredError, 1);
        let message = minibatch.load(&narrow, &data.batch()).unwrap_err().to_string();
        assert!(message.contains(&format!("x has {d} and y {o}")), "{message}");
        assert!(message.contains("3 inputs to 2 outputs"), "{message}");
    }
}

#[test]
fn a_rules_settings_outside_their_range_are_refused_by_name() {
    let base = RuleSettings::default();
    let iterative = iterative_rules();
    let refused = |rule: &str, settings: RuleSettings| setting_of(rule::build::<Reference<f64>>(rule, &settings));
    for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
        assert_eq!(refused("first-step", RuleSettings { eta: bad, ..base.clone() }), "eta");
    }
    // Which ends by itself: it has neither budget nor tolerance.
    for &rule in iterative.iter().filter(|rule| **rule != "first-step") {
        assert_eq!(refused(rule, RuleSettings { budget: 0, ..base.clone() }), "budget", "{rule}");
        for bad in [0.0, -0.1, f64::NAN, f64::INFINITY] {
            assert_eq!(refused(rule, RuleSettings { eta: bad, ..base.clone() }), "eta", "{rule}");
            assert_eq!(refused(rule, RuleSettings { tolerance: Some(bad), ..base.clone() }), "tolerance", "{rule}");
        }
    }
    for bad in [-1e-9, f64::NAN, f64::INFINITY] {
        assert_eq!(refused("pc-alm", RuleSettings { alpha: bad, ..base.clone() }), "alpha");
        assert_eq!(refused("mm", RuleSettings { inner_tolerance: bad, ..base.clone() }), "inner-tolerance");
    }
    assert_eq!(refused("pc-alm", RuleSettings { inner_steps: 0, ..base.clone() }), "inner-steps");
    assert_eq!(refused("hebb", base), "rule");
}

#[test]
fn penalties_must_be_positive_and_one_or_one_per_layer() {
    let refused = |rho: &[f64]| setting_of(Objective::<f32>::new(Loss::SquaredError, rho));
    // The last is 0 in single precision.
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY, 1e-60] {
        assert_eq!(refused(&[bad]), "rho");
        assert_eq!(refused(&[1.0, bad]), "rho");
    }
    assert_eq!(refused(&[]), "rho");
    let each = Objective::<f32>::new(Loss::SquaredError, &[0.5, 1.0, 2.0]).unwrap();
    assert_eq!([0, 1, 2].map(|l| each.penalty(l).unwrap().rho()), [0.5, 1.0, 2.0].map(Some));
    let all = Objective::<f32>::new(Loss::SquaredError, &[0.5]).unwrap();
    assert_eq!([0, 1, 2].map(|l| all.penalty(l).unwrap().rho()), [Some(0.5); 3]);

    let network = network(&[3, 4, 4, 2], false, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 2, Loss::SquaredError, 1);
    let mut minibatch = common::minibatch(&network, &data, common::weighted(Loss::SquaredError, &[1.0; 3]));
    assert_eq!(setting_of(minibatch.infer(&network, &Backprop)), "rho");
    let optimizer = Optimizer::new(Settings::default(), &network).unwrap();
    assert_eq!(setting_of(Trainer::new(network, Box::new(Backprop), optimizer, minibatch)), "rho");
}

#[test]
fn edges_and_networks_that_do_not_fit_are_refused() {
    let edge = |rows: usize, cols: usize, skip| Link::new(vec![0.5; rows * cols], rows, cols, 1.0, skip).unwrap();
    let refused = |edges: Vec<Link<f64>>, named: &str| {
        let message = Network::chain(edges, Activation::Tanh, Placement::Pre).unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    };
    refused(vec![edge(2, 3, false)], "1 weight matrices");
    refused(vec![edge(2, 3, false), edge(1, 3, false)], "w.1 has 2 outputs but w.2 takes 3");
    refused(vec![edge(3, 3, false), edge(3, 3, true)], "readout");
    refused(vec![edge(3, 2, true), edge(1, 3, false)], "edge 1 has a skip but maps 2 to 3");
    for (weights, rows, cols, scale) in
        [(vec![], 0, 2, 1.0), (vec![0.0; 5], 2, 3, 1.0), (vec![f64::NAN], 1, 1, 1.0), (vec![0.0], 1, 1, f64::INFINITY)]
    {
        assert!(matches!(Link::new(weights, rows, cols, scale, false), Err(Error::Network(_))));
    }
}
