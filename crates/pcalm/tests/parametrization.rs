//! Scales, learning rates and draws against the table of docs/maths.md §2.

mod common;

use common::{bits, relative};
use pcalm::{
    Error,
    activation::Activation,
    network::{Network, Placement},
    parametrization::{Architecture, PARAMETRIZATIONS, Parametrization},
    real::Real,
};
use std::collections::BTreeSet;

const D: usize = 7;
const N: usize = 12;
const O: usize = 3;
/// Depth L.
const L: usize = 5;
const WIDTHS: [usize; L + 1] = [D, N, N, N, N, O];

fn architecture(residual: bool) -> Architecture {
    Architecture {
        widths: WIDTHS.to_vec(),
        residual,
        activation: Activation::Tanh,
        placement: Placement::Pre,
        bias: false,
    }
}

fn scales(parametrization: Parametrization, residual: bool, gamma0: f64) -> Vec<f64> {
    let network: Network<f64> = architecture(residual).draw(parametrization, gamma0, 1).unwrap();
    network.dense().iter().map(|e| e.scale()).collect()
}

/// a_1, hidden a_l and a_L of the table.
fn table(first: f64, hidden: f64, last: f64) -> Vec<f64> {
    [vec![first], vec![hidden; L - 2], vec![last]].concat()
}

#[test]
fn scales_are_those_of_the_table() {
    let (d, n, l) = (D as f64, N as f64, L as f64);
    for gamma0 in [0.25, 1.0, 3.0] {
        let check = |parametrization, residual, wanted: Vec<f64>| {
            let found = scales(parametrization, residual, gamma0);
            assert!(relative(&found, &wanted) < 1e-15, "{parametrization:?} {residual}: {found:?} {wanted:?}");
        };
        let (chain, skips) = (1.0 / n.sqrt(), 1.0 / (n * l).sqrt());
        check(Parametrization::MeanField, false, table(1.0 / d.sqrt(), chain, 1.0 / (gamma0 * n)));
        check(Parametrization::MeanField, true, table(1.0 / d.sqrt(), skips, 1.0 / (gamma0 * n)));
        check(Parametrization::Ntp, false, table(1.0 / d.sqrt(), chain, 1.0 / n.sqrt()));
        check(Parametrization::Ntp, true, table(1.0 / d.sqrt(), skips, 1.0 / n.sqrt()));
        for standard in [Parametrization::Standard, Parametrization::StandardUniform] {
            check(standard, false, vec![1.0; L]);
            check(standard, true, vec![1.0; L]);
        }
    }
}

#[test]
fn learning_rates_are_those_of_the_table() {
    let (n, l) = (N as f64, L as f64);
    let close = |found: f64, wanted: f64| assert!((found / wanted - 1.0).abs() < 1e-15, "{found} {wanted}");
    for residual in [false, true] {
        for (eta0, gamma0) in [(1e-3, 1.0), (0.02, 0.5), (0.1, 4.0)] {
            let rate = |p: Parametrization, adaptive| p.learning_rate(&architecture(residual), eta0, gamma0, adaptive);
            close(rate(Parametrization::MeanField, true), eta0 * gamma0 * gamma0 * (n / l).sqrt());
            close(rate(Parametrization::MeanField, false), eta0 * gamma0 * gamma0 * n);
            for plain in [Parametrization::Ntp, Parametrization::Standard, Parametrization::StandardUniform] {
                assert_eq!([rate(plain, true), rate(plain, false)], [eta0; 2]);
            }
        }
    }
}

#[test]
fn the_path_runs_from_standard_equivalent_to_mean_field_in_log_space() {
    let gamma0 = 0.5;
    for residual in [false, true] {
        let at = |s: f64| scales(Parametrization::Path { s }, residual, gamma0);
        let (d, n) = (D as f64, N as f64);
        let start = table(1.0 / d.sqrt(), 1.0 / n.sqrt(), 1.0 / n.sqrt());
        let end = scales(Parametrization::MeanField, residual, gamma0);
        assert!(relative(&at(0.0), &start) < 1e-15);
        assert!(relative(&at(1.0), &end) < 1e-15);
        let between: Vec<f64> = start.iter().zip(&end).map(|(a, b)| (0.7 * a.ln() + 0.3 * b.ln()).exp()).collect();
        assert!(relative(&at(0.3), &between) < 1e-14);

        for adaptive in [true, false] {
            let rate = |p: Parametrization| p.learning_rate(&architecture(residual), 2e-3, gamma0, adaptive);
            let (from, to) = (2e-3f64, rate(Parametrization::MeanField));
            for (s, wanted) in [(0.0, from), (1.0, to), (0.5, (from * to).sqrt())] {
                assert!((rate(Parametrization::Path { s }) / wanted - 1.0).abs() < 1e-14);
            }
        }
    }
}

#[test]
fn the_paths_start_computes_what_the_standard_parametrization_does() {
    // Weights of variance 1/n and scale 1, or of variance 1 and scale 1/√n: the same products.
    let draw = |p| architecture(false).draw::<f64>(p, 1.0, 4).unwrap();
    let effective = |network: &Network<f64>| -> Vec<f64> {
        network.dense().iter().flat_map(|e| e.weight().iter().map(|w| e.scale() * w).collect::<Vec<_>>()).collect()
    };
    let (standard, path) = (draw(Parametrization::Standard), draw(Parametrization::Path { s: 0.0 }));
    assert!(relative(&effective(&path), &effective(&standard)) < 1e-14);
}

#[test]
fn skips_stand_between_hidden_layers_of_equal_width_alone() {
    let skips = |widths: &[usize], residual| -> Vec<bool> {
        let shape = Architecture { widths: widths.to_vec(), ..architecture(residual) };
        let network: Network<f32> = shape.draw(Parametrization::MeanField, 1.0, 1).unwrap();
        common::links(&network).iter().map(|link| link.1).collect()
    };
    assert_eq!(skips(&[4, 4, 4, 4, 4], true), [false, true, true, false]);
    assert_eq!(skips(&[4, 4, 5, 5, 5], true), [false, false, true, false]);
    assert_eq!(skips(&[4, 4, 4, 4, 4], false), [false; 4]);
}

/// Mean and variance of the weights of an edge with 200 × 150 entries.
fn moments(parametrization: Parametrization) -> (f64, f64, f64) {
    let shape = Architecture { widths: vec![150, 200, 2], ..architecture(false) };
    let network: Network<f64> = shape.draw(parametrization, 1.0, 6).unwrap();
    let weights = network.dense()[0].weight();
    let mean = |f: fn(f64) -> f64| weights.iter().map(|&w| f(w)).sum::<f64>() / weights.len() as f64;
    (mean(|w| w), mean(|w| w * w), mean(|w| w.powi(4)))
}

#[test]
fn entries_have_the_variance_and_shape_of_the_table() {
    let count: f64 = 200.0 * 150.0;
    for (parametrization, variance, kurtosis) in [
        (Parametrization::MeanField, 1.0, 3.0),
        (Parametrization::Ntp, 1.0, 3.0),
        (Parametrization::Path { s: 0.5 }, 1.0, 3.0),
        (Parametrization::Standard, 1.0 / 150.0, 3.0),
        (Parametrization::StandardUniform, 1.0 / 450.0, 1.8),
    ] {
        let (mean, square, fourth) = moments(parametrization);
        // Five standard errors: √(σ²/n), σ²√((κ−1)/n), and σ⁴√(96/n) at most.
        let (z1, z2) =
            (mean / (variance / count).sqrt(), (square / variance - 1.0) / ((kurtosis - 1.0) / count).sqrt());
        let z4 = (fourth / (variance * variance) - kurtosis) / (96.0 / count).sqrt();
        assert!(z1.abs() < 5.0 && z2.abs() < 5.0 && z4.abs() < 5.0, "{parametrization:?}: {z1} {z2} {z4}");
    }
}

#[test]
fn uniform_entries_stay_within_one_over_the_root_of_the_fan_in() {
    let network: Network<f64> = architecture(false).draw(Parametrization::StandardUniform, 1.0, 2).unwrap();
    for edge in network.dense() {
        let bound = 1.0 / (edge.cols() as f64).sqrt();
        assert!(edge.weight().iter().all(|w| w.abs() <= bound));
        assert!(edge.weight().iter().any(|w| w.abs() > 0.8 * bound));
    }
}

fn drawn<R: Real>(parametrization: Parametrization, seed: u64) -> Vec<u64> {
    let network: Network<R> = architecture(true).draw(parametrization, 0.7, seed).unwrap();
    network.dense().iter().flat_map(|e| [bits(e.weight()), bits(&[e.scale()])].concat()).collect()
}

#[test]
fn a_seed_decides_every_bit_and_singles_are_the_doubles_rounded() {
    for info in PARAMETRIZATIONS {
        let parametrization = (info.at)(0.6);
        assert_eq!(drawn::<f64>(parametrization, 5), drawn::<f64>(parametrization, 5), "{}", info.name);
        assert_eq!(drawn::<f32>(parametrization, 5), drawn::<f32>(parametrization, 5), "{}", info.name);
        let wide: Network<f64> = architecture(true).draw(parametrization, 0.7, 5).unwrap();
        let narrow: Network<f32> = architecture(true).draw(parametrization, 0.7, 5).unwrap();
        assert_eq!(narrow, wide.cast(), "{}", info.name);
    }
}

#[test]
fn different_seeds_and_different_layers_have_different_weights() {
    let seen: BTreeSet<u64> = (0..20).map(|seed| drawn::<f64>(Parametrization::MeanField, seed)[0]).collect();
    assert_eq!(seen.len(), 20);
    let network: Network<f64> = architecture(false).draw(Parametrization::MeanField, 1.0, 1).unwrap();
    let first: BTreeSet<u64> = network.dense()[1..4].iter().map(|e| e.weight()[0].to_bits()).collect();
    assert_eq!(first.len(), 3);
}

#[test]
fn shapes_and_settings_outside_their_range_are_refused_by_name() {
    let refused = |shape: &Architecture, parametrization, gamma0, wanted: &str| {
        let drawn = shape.draw::<f64>(parametrization, gamma0, 1);
        assert!(matches!(&drawn, Err(Error::Setting { name, .. }) if *name == wanted), "{wanted}: {drawn:?}");
    };
    let shape = |widths: &[usize]| Architecture { widths: widths.to_vec(), ..architecture(false) };
    for bad in [0.0, -1.0, f64::NAN, f64::INFINITY] {
        refused(&architecture(true), Parametrization::MeanField, bad, "gamma0");
    }
    for s in [-0.1, 1.1, f64::NAN] {
        refused(&architecture(true), Parametrization::Path { s }, 1.0, "path-position");
    }
    for widths in [&[][..], &[3], &[3, 2]] {
        refused(&shape(widths), Parametrization::Ntp, 1.0, "depth");
    }
    refused(&shape(&[3, 0, 2]), Parametrization::Standard, 1.0, "width");
}
