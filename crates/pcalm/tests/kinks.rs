//! Equilibria where φ has kinks: the minimum lies on them, and is found there.

#![cfg(feature = "theory")]

mod common;

use common::{Data, network, numbers, run, settings};
use pcalm::{
    Activation, Loss, Network, Placement, backend::Reference, infer::Stop, lagrangian::Lagrangian, real::Real,
};

const KINKED: [Activation; 3] = [Activation::Relu, Activation::LeakyRelu, Activation::HardTanh];

fn energy(network: &Network<f64>, data: &Data, z: &[Vec<f64>]) -> f64 {
    let backend = Reference::<f64>::new();
    let (block, mut state) = data.batch().block(&backend, network).unwrap();
    let objective = Loss::SquaredError.into();
    let lagrangian = Lagrangian::new(&backend, network, &block, &objective).unwrap();
    for (layer, z) in state.activities_mut().layers.iter_mut().zip(z) {
        layer.load(z);
    }
    let mut buffer = state.activities().clone();
    lagrangian.energies(&mut state, &mut buffer).energy()
}

/// One sample of a network that is wide enough for kinks to matter.
fn case(activation: Activation, placement: Placement, seed: u64) -> (Network<f64>, Data) {
    let network = network(&[8, 16, 16, 4], false, activation, placement, seed);
    let mut data = Data::new(&network, 1, Loss::SquaredError, seed);
    data.x.iter_mut().for_each(|x| *x *= 2.0);
    data.y.iter_mut().for_each(|y| *y *= 2.0);
    (network, data)
}

#[test]
fn no_direction_leads_down_from_an_equilibrium_on_kinks() {
    let mut kinked = 0;
    for activation in KINKED {
        for &placement in Placement::ALL {
            for seed in 1..=12 {
                let (network, data) = case(activation, placement, seed);
                let what = format!("{} {} {seed}", activation.name(), placement.name());
                let found = run("pc-equilibrium", &network, &data, Loss::SquaredError, &settings(1, 1.0));
                match found.report.stop {
                    Stop::AtKinks { units } => kinked += usize::from(units > 0),
                    ref stop => assert_eq!(*stop, Stop::Converged, "{what}"),
                }
                let z: Vec<Vec<f64>> = (0..network.hidden()).map(|l| found.z(l)).collect();
                let least = energy(&network, &data, &z);
                assert!(least <= energy_of_forward_pass(&network, &data), "{what}");
                for direction in 0..200 {
                    for size in [1e-3, 1e-5] {
                        let moved: Vec<Vec<f64>> = z
                            .iter()
                            .enumerate()
                            .map(|(l, z)| {
                                let d = numbers(z.len(), 1000 * direction + l as u64);
                                z.iter().zip(d).map(|(z, d)| z + size * d).collect()
                            })
                            .collect();
                        let there = energy(&network, &data, &moved);
                        assert!(there >= least - 1e-13, "{what}: F falls by {:e} at {size}", least - there);
                    }
                }
            }
        }
    }
    // More than half of such samples have their minimum on kinks.
    assert!(kinked > 36, "{kinked} of 72");
}

fn energy_of_forward_pass(network: &Network<f64>, data: &Data) -> f64 {
    run("bp", network, data, Loss::SquaredError, &settings(1, 1.0)).minibatch.evaluate(network).unwrap().mean_loss()
}

/// Plain inference with a small step comes as close as its step allows, in the same basin; where it does not, another
/// minimum is no higher than what Newton's steps found by more than that.
#[test]
fn long_inference_with_small_steps_ends_at_the_same_energy() {
    let mut close = 0;
    for activation in KINKED {
        for &placement in Placement::ALL {
            for seed in 1..=4 {
                let (network, data) = case(activation, placement, seed);
                let solved = run("pc-equilibrium", &network, &data, Loss::SquaredError, &settings(1, 1.0));
                let walked = run("pc", &network, &data, Loss::SquaredError, &settings(60_000, 1e-3));
                let energies = [&solved, &walked].map(|found| {
                    let z: Vec<Vec<f64>> = (0..network.hidden()).map(|l| found.z(l)).collect();
                    energy(&network, &data, &z)
                });
                close += usize::from((energies[0] / energies[1] - 1.0).abs() < 1e-3);
            }
        }
    }
    assert!(close >= 20, "{close} of 24");
}

#[test]
fn single_precision_has_the_equilibrium_to_its_own_rounding() {
    for activation in [Activation::Relu, Activation::Tanh, Activation::Identity] {
        for &placement in Placement::ALL {
            let network = network(&[8, 16, 16, 4], false, activation, placement, 3);
            let data = Data::new(&network, 5, Loss::SquaredError, 3);
            let wide = run("pc-equilibrium", &network, &data, Loss::SquaredError, &settings(1, 1.0));
            let narrow =
                run("pc-equilibrium", &network.cast::<f32>(), &data.cast(), Loss::SquaredError, &settings(1, 1.0));
            for l in 0..network.hidden() {
                let found: Vec<f64> = narrow.z(l).into_iter().map(Real::wide).collect();
                let what = format!("{} {} layer {}", activation.name(), placement.name(), l + 1);
                assert!(
                    common::distance(&found, &wide.z(l)) < 1e-4,
                    "{what}: {:e}",
                    common::distance(&found, &wide.z(l))
                );
            }
        }
    }
}
