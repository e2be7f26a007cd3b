//! Optimizers against their papers' formulas, worked one weight at a time, and schedules.

mod common;

use common::{distance, network, numbers};
use pcalm::{
    Error,
    activation::Activation,
    gradient::Gradient,
    network::{Network, Placement},
    optimizer::{Method, OPTIMIZERS, Optimizer, Schedule, Settings},
};

const RATES: [f64; 3] = [0.1, 0.05, 0.2];

fn small() -> Network<f64> {
    network(&[2, 3, 1], false, Activation::Tanh, Placement::Pre, 1)
}

fn weights(network: &Network<f64>) -> Vec<f64> {
    network.dense().iter().flat_map(|e| e.weight().to_vec()).collect()
}

/// Three updates with different gradients and rates, weight by weight: `by_hand` maps a weight
/// and its three gradients to the weight after.
fn check(settings: Settings, by_hand: impl Fn(f64, [f64; 3]) -> f64) {
    let mut network = small();
    let start = weights(&network);
    let gradients: Vec<Vec<f64>> = (0..3).map(|t| numbers(start.len(), 50 + t)).collect();
    let mut optimizer = Optimizer::new(settings, &network).unwrap();
    for (gradient, rate) in gradients.iter().zip(RATES) {
        let (first, second) = gradient.split_at(6);
        optimizer.update(&mut network, &Gradient { edges: vec![first.to_vec(), second.to_vec()] }, rate).unwrap();
    }
    let wanted: Vec<f64> =
        start.iter().enumerate().map(|(i, &w)| by_hand(w, [0, 1, 2].map(|t| gradients[t][i]))).collect();
    assert!(distance(&weights(&network), &wanted) < 1e-14, "{settings:?}");
    assert_eq!(optimizer.updates(), 3);
}

fn settings(method: Method, weight_decay: f64) -> Settings {
    Settings { method, momentum: 0.8, beta1: 0.7, beta2: 0.95, epsilon: 1e-3, weight_decay }
}

#[test]
fn sgd_steps_down_the_gradient_with_decay_added_to_it() {
    for decay in [0.0, 0.3] {
        check(settings(Method::Sgd, decay), |w, [g1, g2, g3]| {
            let w = w - 0.1 * (g1 + decay * w);
            let w = w - 0.05 * (g2 + decay * w);
            w - 0.2 * (g3 + decay * w)
        });
    }
}

#[test]
fn momentum_is_the_heavy_ball() {
    for decay in [0.0, 0.3] {
        check(settings(Method::Momentum, decay), |w, [g1, g2, g3]| {
            let v1 = g1 + decay * w;
            let w1 = w - 0.1 * v1;
            let v2 = 0.8 * v1 + g2 + decay * w1;
            let w2 = w1 - 0.05 * v2;
            let v3 = 0.8 * v2 + g3 + decay * w2;
            w2 - 0.2 * v3
        });
    }
}

#[test]
fn nesterov_looks_one_momentum_step_ahead() {
    for decay in [0.0, 0.3] {
        check(settings(Method::Nesterov, decay), |w, [g1, g2, g3]| {
            let d1 = g1 + decay * w;
            let v1 = d1;
            let w1 = w - 0.1 * (d1 + 0.8 * v1);
            let d2 = g2 + decay * w1;
            let v2 = 0.8 * v1 + d2;
            let w2 = w1 - 0.05 * (d2 + 0.8 * v2);
            let d3 = g3 + decay * w2;
            let v3 = 0.8 * v2 + d3;
            w2 - 0.2 * (d3 + 0.8 * v3)
        });
    }
}

/// Kingma & Ba 2015, alg. 1, with L2 decay in the gradient (`coupled`), and Loshchilov & Hutter
/// 2019, alg. 2, with decay on the weights alone (`decoupled`).
fn adam(w: f64, gradients: [f64; 3], coupled: f64, decoupled: f64) -> f64 {
    let (beta1, beta2) = (0.7f64, 0.95f64);
    let (mut w, mut m, mut v) = (w, 0.0, 0.0);
    for (t, (g, rate)) in (1..).zip(gradients.into_iter().zip(RATES)) {
        let g = g + coupled * w;
        m = beta1 * m + (1.0 - beta1) * g;
        v = beta2 * v + (1.0 - beta2) * g * g;
        let (m_hat, v_hat) = (m / (1.0 - beta1.powi(t)), v / (1.0 - beta2.powi(t)));
        w -= rate * m_hat / (v_hat.sqrt() + 1e-3) + rate * decoupled * w;
    }
    w
}

#[test]
fn adam_corrects_the_bias_of_its_moments_and_takes_decay_into_the_gradient() {
    for decay in [0.0, 0.3] {
        check(settings(Method::Adam, decay), |w, g| adam(w, g, decay, 0.0));
    }
}

#[test]
fn adamw_decays_the_weights_apart_from_the_gradient() {
    for decay in [0.0, 0.3] {
        check(settings(Method::AdamW, decay), |w, g| adam(w, g, 0.0, decay));
    }
}

#[test]
fn adams_first_step_is_the_rate_whatever_the_gradients_size() {
    for size in [1e-3, 1.0, 1e3] {
        let mut network = small();
        let start = weights(&network);
        let exact = Settings { epsilon: f64::MIN_POSITIVE, ..Settings::default() };
        let gradient = Gradient { edges: vec![vec![size; 6], vec![-size; 3]] };
        Optimizer::new(exact, &network).unwrap().update(&mut network, &gradient, 0.01).unwrap();
        let step: Vec<f64> = weights(&network).iter().zip(&start).map(|(after, before)| after - before).collect();
        let wanted = [[-0.01; 6].as_slice(), &[0.01; 3]].concat();
        assert!(distance(&step, &wanted) < 1e-14, "{step:?}");
    }
}

#[test]
fn every_method_is_listed_under_itself_with_the_moments_it_keeps() {
    for info in OPTIMIZERS {
        assert_eq!(info.method.info().name, info.name);
        let optimizer = Optimizer::new(settings(info.method, 0.0), &small()).unwrap();
        assert_eq!(optimizer.moments().len(), info.moments, "{}", info.name);
    }
}

#[test]
fn an_invalid_setting_is_refused_by_name() {
    let base = Settings::default();
    let cases = [-0.1, 1.0, f64::NAN].into_iter().flat_map(|bad| {
        [
            ("momentum", Settings { momentum: bad, ..base }),
            ("beta1", Settings { beta1: bad, ..base }),
            ("beta2", Settings { beta2: bad, ..base }),
        ]
    });
    let others = [-1e-9, f64::INFINITY, f64::NAN].into_iter().flat_map(|bad| {
        [("epsilon", Settings { epsilon: bad, ..base }), ("weight-decay", Settings { weight_decay: bad, ..base })]
    });
    for (name, settings) in cases.chain(others) {
        let refused = Optimizer::new(settings, &small());
        assert!(matches!(refused, Err(Error::Setting { name: found, .. }) if found == name), "{name}: {refused:?}");
    }
}

#[test]
fn an_epsilon_of_zero_is_refused_in_the_number_type_at_hand() {
    let with = |epsilon| Settings { epsilon, ..Settings::default() };
    let message = Optimizer::new(with(0.0), &small()).unwrap_err().to_string();
    assert!(message.contains("epsilon") && message.contains("must be > 0"), "{message}");
    // 1e-50 is 0 in 32 bits.
    Optimizer::new(with(1e-50), &small()).unwrap();
    let narrow = Optimizer::new(with(1e-50), &small().cast::<f32>());
    assert!(matches!(narrow, Err(Error::Setting { name: "epsilon", .. })), "{narrow:?}");
}

#[test]
fn moments_of_another_shape_are_not_restored() {
    let mut optimizer = Optimizer::new(settings(Method::Momentum, 0.0), &small()).unwrap();
    let before = optimizer.clone();
    for wrong in [vec![], vec![vec![vec![0.0; 6]]], vec![vec![vec![0.0; 3], vec![0.0; 6]]]] {
        assert!(matches!(optimizer.restore(wrong, 5), Err(Error::File(_))));
        assert_eq!(optimizer, before);
    }
    for bad in [f64::NAN, f64::INFINITY] {
        let error = optimizer.restore(vec![vec![vec![1.0; 6], vec![2.0, bad, 2.0]]], 5).unwrap_err();
        assert!(error.to_string().contains("not finite"), "{error}");
    }
    optimizer.restore(vec![vec![vec![1.0; 6], vec![2.0; 3]]], 5).unwrap();
    assert_eq!((optimizer.updates(), optimizer.moments()[0][1][0]), (5, 2.0));
}

#[test]
fn schedules_warm_up_linearly_and_the_cosine_ends_at_zero() {
    let near = |found: f64, wanted: f64| assert!((found - wanted).abs() < 1e-15, "{found} {wanted}");
    for &schedule in Schedule::ALL {
        for (step, wanted) in [(0, 0.25), (1, 0.5), (2, 0.75), (3, 1.0), (4, 1.0)] {
            near(schedule.factor(step, 12, 4), wanted);
        }
        near(schedule.factor(0, 12, 0), 1.0);
    }
    near(Schedule::Constant.factor(11, 12, 4), 1.0);
    for (step, wanted) in [(6, 0.5 + 0.125f64.sqrt()), (8, 0.5), (10, 0.5 - 0.125f64.sqrt()), (12, 0.0), (20, 0.0)] {
        near(Schedule::Cosine.factor(step, 12, 4), wanted);
    }
}
