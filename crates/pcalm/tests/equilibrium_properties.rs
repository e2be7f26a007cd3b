//! What holds at an equilibrium of predictive coding in any network ([FRM] §3).

mod common;

use common::{
    Data, away_from_kinks, bits, derivative, distance, for_each_kind, forward, minibatch, network, numbers, relative,
    run, settings, unclamped, weighted,
};
use pcalm::{
    activation::Activation,
    backend::Reference,
    infer::Stop,
    lagrangian::{DualStep, Energies, Lagrangian},
    loss::Loss,
    network::{Link, Network, Placement},
    rule::RuleSettings,
    state::State,
};

const WIDTHS: &[usize] = &[3, 4, 4, 3, 2];
const RHO: [f64; 3] = [1.0, 0.6, 1.4];
const SAMPLES: usize = 2;
const MARGIN: f64 = 0.02;
const ETA: f64 = 0.1;

fn case(activation: Activation, placement: Placement, loss: Loss) -> (Network<f64>, Data) {
    away_from_kinks(MARGIN, |seed| {
        let network = network(WIDTHS, true, activation, placement, seed);
        let mut data = Data::new(&network, SAMPLES, loss, seed);
        data.x.iter_mut().for_each(|x| *x *= 3.0);
        (network, data)
    })
}

#[test]
fn with_the_output_unclamped_the_forward_pass_is_the_equilibrium() {
    // [FRM] thm 3.1. Nothing moves at all where the target is the output to the bit.
    for_each_kind(|activation, placement, loss, what| {
        let (network, mut data) = case(activation, placement, loss);
        data.y = unclamped(&network, &data, loss);
        let done = run("pc", &network, &data, loss, &settings(50, ETA));
        for (l, start) in forward(&network, &data, loss).iter().enumerate() {
            assert!(distance(&done.z(l), start) < 1e-14, "{what}: layer {}", l + 1);
            if loss == Loss::SquaredError {
                assert_eq!(bits(&done.z(l)), bits(start), "{what}: layer {}", l + 1);
            }
        }
    });
}

#[test]
fn with_the_output_unclamped_disturbed_activities_return_to_the_forward_pass() {
    for_each_kind(|activation, placement, loss, what| {
        let (network, mut data) = case(activation, placement, loss);
        data.y = unclamped(&network, &data, loss);
        let mut minibatch = minibatch(&network, &data, loss);
        let settle = |lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>| {
            lagrangian.forward(state);
            for (l, z) in state.activities_mut().layers.iter_mut().enumerate() {
                let push = numbers(z.data().len(), 7 + l as u64);
                z.data_mut().iter_mut().zip(push).for_each(|(z, push)| *z += 0.1 * MARGIN * push);
            }
            for _ in 0..2_000 {
                lagrangian.credit(state, DualStep::Still);
                lagrangian.descend(state, 2.0 * ETA);
            }
        };
        minibatch.map(&network, settle).unwrap();
        for (l, start) in forward(&network, &data, loss).iter().enumerate() {
            let error = distance(&minibatch.unload(l, |s| s.activities()), start);
            assert!(error < 1e-10, "{what}: layer {} is {error:e} away", l + 1);
        }
    });
}

/// Runs PC to its equilibrium and calls `look` on the block's Lagrangian and state there.
fn at_equilibrium(look: impl Fn(&Lagrangian<Reference<f64>>, &mut State<Reference<f64>>, &str) + Sync) {
    for_each_kind(|activation, placement, loss, what| {
        let (network, mut data) = case(activation, placement, loss);
        // Close enough to the forward pass that no unit crosses a kink on the way.
        let outputs = unclamped(&network, &data, loss);
        data.y.iter_mut().zip(outputs).for_each(|(y, f)| *y = f + 0.02 * (*y - f));
        let settings = RuleSettings { tolerance: Some(1e-14), ..settings(100_000, ETA) };
        let mut done = run("pc", &network, &data, weighted(loss, &RHO), &settings);
        assert_eq!(done.report.stop, Stop::Converged, "{what}");
        done.minibatch.map(&network, |lagrangian, state| look(lagrangian, state, what)).unwrap();
    });
}

#[test]
fn at_an_equilibrium_the_loss_and_the_residual_energy_pull_equally_hard() {
    // [FRM] lemma 3.1: ∂ℓ/∂z_l = −∂Ẽ/∂z_l, each by differences of its own energy.
    at_equilibrium(|lagrangian, state, what| {
        let mut buffer = state.activities().clone();
        for l in 0..state.activities().layers.len() {
            let cols = state.activities().layers[l].cols();
            for at in (0..state.activities().layers[l].rows()).map(|i| i * cols) {
                let z = state.activities().layers[l].data()[at];
                let mut slope = |part: fn(&Energies) -> f64| {
                    derivative(2e-3, |t| {
                        state.activities_mut().layers[l].data_mut()[at] = z + t;
                        part(&lagrangian.energies(state, &mut buffer))
                    })
                };
                let (loss, residual) = (slope(|e| e.loss), slope(|e| e.residual));
                state.activities_mut().layers[l].data_mut()[at] = z;
                assert!((loss + residual).abs() < 1e-10, "{what}: layer {}: {loss} {residual}", l + 1);
            }
        }
    });
}

#[test]
fn at_an_equilibrium_the_weighted_errors_satisfy_the_adjoint_recursion() {
    at_equilibrium(|lagrangian, state, what| {
        let mut c = state.activities().clone();
        lagrangian.residuals(state, &mut c);
        lagrangian.adjoint(state);
        for (l, (c, adjoint)) in c.layers.iter().zip(&state.duals().layers).enumerate() {
            let credit: Vec<f64> = c.data().iter().map(|c| RHO[l] * c).collect();
            assert!(distance(&credit, adjoint.data()) < 1e-12, "{what}: layer {}", l + 1);
        }
    });
}

#[test]
fn the_scalar_network_has_its_closed_form_equilibrium_and_energy() {
    // [TR]'s toy network f = w2 w1 x.
    for seed in 0..20 {
        let [w1, w2, x, y] = numbers(4, seed).try_into().unwrap();
        let scalar = |w1: f64, w2: f64| {
            let edge = |w: f64| Link::new(vec![w], 1, 1, 1.0, false).unwrap();
            Network::chain(vec![edge(w1), edge(w2)], Activation::Identity, Placement::Pre).unwrap()
        };
        let network = scalar(w1, w2);
        let data = Data { x: vec![x], y: vec![y], samples: 1 };
        let settings = RuleSettings { tolerance: Some(1e-15), ..settings(100_000, 0.4) };
        let mut done = run("pc", &network, &data, Loss::SquaredError, &settings);
        let wanted = (w1 * x + w2 * y) / (1.0 + w2 * w2);
        assert!(distance(&done.z(0), &[wanted]) < 1e-14, "{:?} {wanted}", done.z(0));

        // F* = ℓ/(1 + w2²) = ½ rᵀ R⁻¹ r with r = y − w2 w1 x, R = 1 + w2².
        let energy = |w1: f64, w2: f64| 0.5 * (y - w2 * w1 * x).powi(2) / (1.0 + w2 * w2);
        let found = done.minibatch.energies(&network).unwrap().energy();
        assert!((found - energy(w1, w2)).abs() < 1e-14, "{found}");
        let ratio = found / done.report.score.loss * (1.0 + w2 * w2);
        assert!((ratio - 1.0).abs() < 1e-12, "F* is {ratio} of ℓ/(1 + w2²)");

        // Learning at the equilibrium descends F*.
        let slopes = [derivative(1e-3, |t| energy(w1 + t, w2)), derivative(1e-3, |t| energy(w1, w2 + t))];
        assert!(relative(&done.gradient.edges.concat(), &slopes) < 1e-8, "{slopes:?}");
    }
}
