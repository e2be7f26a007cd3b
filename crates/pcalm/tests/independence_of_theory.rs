//! That the theory's numbers do not depend on the number of threads, and come in an order of their own.

#![cfg(feature = "theory")]

mod common;

use common::{Data, bits, network, settings};
use faer::Mat;
use pcalm::{
    EnergyShape, Objective, Precision,
    activation::Activation,
    backend::Reference,
    lagrangian::Lagrangian,
    loss::Loss,
    network::{Network, Placement},
    rule::{self, RuleSettings},
    theory::{Eigenvalue, Iteration, LinearEquilibrium, Linearisation, Spectrum, Wave, dispersion, stability_map},
};

/// That `work` gives the same bits in pools of 1, 2 and 3 threads.
fn check_pools(what: &str, work: impl Fn() -> Vec<u64> + Sync) {
    let with_threads = |count: usize| {
        let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
        pool.install(&work)
    };
    let one = with_threads(1);
    for count in [2, 3] {
        assert!(with_threads(count) == one, "{what} on {count} threads");
    }
}

/// With this many hidden layers of 24 units: with 20 there is enough to share out of C's singular values and vectors,
/// with 9 of M's eigenvalues, for other shares to have other bits.
fn large(hidden: usize, activation: Activation) -> Network<f64> {
    let widths: Vec<usize> = [5].into_iter().chain(vec![24; hidden]).chain([4]).collect();
    network(&widths, true, activation, Placement::Pre, 1)
}

#[test]
fn theory_of_one_sample_has_the_same_bits_on_any_number_of_threads() {
    for (activation, loss) in [(Activation::Identity, Loss::SquaredError), (Activation::Tanh, Loss::CrossEntropy)] {
        let network = large(20, activation);
        let data = Data::new(&network, 1, loss, 1);
        let lin = Linearisation::at_forward_pass(&network, &loss.into(), &data.x, &data.y).unwrap();
        check_pools("spectrum", || {
            let spectrum = Spectrum::new(&lin).unwrap();
            let iteration = Iteration { linearisation: &lin, eta: 0.5 / spectrum.lambda_max, alpha: 0.7 };
            let stability = iteration.stability(&spectrum).unwrap();
            let radius = iteration.radius(&spectrum, None).unwrap();
            let numbers = [
                [spectrum.sigma_max, spectrum.sigma_min, spectrum.lambda_max, spectrum.lambda_min],
                [stability.value(), iteration.largest_alpha(&spectrum).unwrap().unwrap(), radius.at_most, 0.0],
            ];
            bits(&[numbers.concat(), spectrum.singular_values.unwrap()].concat())
        });
        let iteration = Iteration { linearisation: &lin, eta: 0.2, alpha: 0.7 };
        check_pools("dispersion", || {
            let (backend, batch) = (Reference::<f64>::new(), data.batch());
            let (block, mut state) = batch.block(&backend, &network).unwrap();
            let objective = loss.into();
            let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
            let rule = rule::build("pc-alm", &RuleSettings { alpha: 0.7, ..settings(20, 0.2) }).unwrap();
            let modes = dispersion(&iteration, &lagrangian, &mut state, rule.as_ref()).unwrap().unwrap();
            assert!(!modes.is_empty());
            bits(&modes.iter().flat_map(|m| [m.wavenumber, m.measured_damping, m.measured_phase]).collect::<Vec<_>>())
        });
        let network = large(9, activation);
        let data = Data::new(&network, 1, loss, 1);
        let lin = Linearisation::at_forward_pass(&network, &loss.into(), &data.x, &data.y).unwrap();
        check_pools("eigenvalues", || {
            let all = Iteration { linearisation: &lin, eta: 0.2, alpha: 0.7 }.eigenvalues(true).unwrap().unwrap();
            bits(&all.iter().flat_map(|e| [e.re, e.im]).collect::<Vec<f64>>())
        });
    }
}

#[test]
fn eigenvalues_come_by_modulus_then_real_then_imaginary_part() {
    let network = network(&[3, 4, 4, 2, 3], true, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 1, Loss::SquaredError, 1);
    let lin = Linearisation::at_forward_pass(&network, &Loss::SquaredError.into(), &data.x, &data.y).unwrap();
    let all = Iteration { linearisation: &lin, eta: 0.2, alpha: 0.7 }.eigenvalues(true).unwrap().unwrap();
    let key = |e: &Eigenvalue| (e.norm(), e.re, e.im);
    assert!(all.iter().any(|e| e.im > 0.0) && all.is_sorted_by(|a, b| key(a) >= key(b)), "{all:?}");
}

#[test]
fn equilibria_and_waves_have_the_same_bits_on_any_number_of_threads() {
    let wide = network(&[30, 96, 96, 96, 20], true, Activation::Identity, Placement::Pre, 1);
    let data = Data::new(&wide, 64, Loss::SquaredError, 1);
    let matrix = |values: &[f64]| Mat::from_fn(values.len() / 64, 64, |i, s| values[s * (values.len() / 64) + i]);
    let (x, y) = (matrix(&data.x), matrix(&data.y));
    let entries = |m: &Mat<f64>| (0..m.ncols()).flat_map(|s| m.col_as_slice(s).to_vec()).collect::<Vec<f64>>();
    check_pools("equilibrium", || {
        let precisions = [1.3, 1.3, 1.3, 0.8].map(Precision::Scalar);
        let objective = Objective::weighted(Loss::SquaredError, &[1.0], &precisions, EnergyShape::HalfSquare);
        let solved = LinearEquilibrium::new(&wide, &objective.unwrap()).unwrap();
        let mut found = solved.energies(x.as_ref(), y.as_ref()).unwrap();
        found.extend(entries(solved.rescaling()));
        found.extend(solved.activities(x.as_ref(), y.as_ref()).iter().flat_map(entries));
        bits(&found)
    });
    let deep = large(9, Activation::Tanh);
    let data = Data::new(&deep, 70, Loss::SquaredError, 1);
    check_pools("wave", || {
        let rule = rule::build("pc-alm", &settings(20, 0.2)).unwrap();
        let backend = Reference::<f64>::new();
        let wave = Wave::watch(&backend, &deep, &data.batch(), &Loss::SquaredError.into(), rule.as_ref()).unwrap();
        let layers = wave.moments.iter().flat_map(|m| &m.layers);
        bits(&layers.flat_map(|l| [l.credit, l.dual, l.residual, l.agreement.cosine]).collect::<Vec<f64>>())
    });
    check_pools("stability", || {
        let cells = stability_map(&[0.3, 1.1, 2.2], &[0.0, 0.8, 3.0]).unwrap();
        bits(&cells.iter().flat_map(|c| [c.predicted, c.simulated]).collect::<Vec<f64>>())
    });
}
