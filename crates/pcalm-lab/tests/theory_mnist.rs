//! The spectrum on MNIST at initialisation, against published numbers. Skips without the data.

#![cfg(feature = "theory")]

use pcalm::{
    Catalogue,
    minibatch::Minibatch,
    theory::{Linearisation, Spectrum, curvature},
};
use pcalm_lab::{
    batches::Gathered,
    dataset,
    experiment::{Experiment, Plan},
};

const SEEDS: u64 = 5;
const SAMPLES: usize = 64;

/// Means over seeds of λ_max over a batch, as a training measures it, and of κ of a typical sample.
fn measure(data: &dataset::Dataset, depth: usize) -> (f64, f64) {
    let (mut lambda, mut condition) = (0.0, 0.0);
    for seed in 0..SEEDS {
        let experiment = Experiment { depth, seed, ..Experiment::default() };
        let plan = Plan::new(&experiment, data, &Catalogue::default()).unwrap();
        let file = plan.network::<f64>(&experiment, data).unwrap();
        let mut batch = Gathered::default();
        batch.gather(&data.train, 0..SAMPLES);
        let mut minibatch = Minibatch::new(pcalm::backend::Reference::<f64>::new(), file.loss);
        minibatch.load(&file.network, &batch.batch().unwrap()).unwrap();
        let over_batch = curvature(&mut minibatch, &file.network, 1e-5, 1000).unwrap().lambda_max;
        let (x, y) = batch.first();
        let linearisation = Linearisation::at_forward_pass(&file.network, &file.loss.into(), x, y).unwrap();
        let spectrum = Spectrum::new(&linearisation).unwrap();
        println!(
            "L {depth} seed {seed}: batch {over_batch:.4}, sample {:.4} κ {:.4e}",
            spectrum.lambda_max,
            spectrum.condition()
        );
        lambda += over_batch / SEEDS as f64;
        condition += spectrum.condition() / SEEDS as f64;
    }
    (lambda, condition)
}

#[test]
fn curvature_and_condition_on_mnist_are_the_published_ones() {
    let Some(folder) = std::env::var_os("PCALM_DATA_DIR") else {
        eprintln!("skipped: PCALM_DATA_DIR is not set");
        return;
    };
    let Ok(data) = dataset::load("mnist", Some(folder.as_ref())) else {
        eprintln!("skipped: no MNIST in PCALM_DATA_DIR");
        return;
    };
    // Width 32, relu, residual, mean-field: λ_max within 5 %, κ within 20 % (its sd is 10 %).
    for (depth, lambda, condition) in [(32, 4.364, 4.3e3), (128, 4.141, 6.1e4)] {
        let (found_lambda, found_condition) = measure(&data, depth);
        assert!((found_lambda / lambda - 1.0).abs() < 0.05, "L = {depth}: λ_max {found_lambda}, published {lambda}");
        let error = (found_condition / condition - 1.0).abs();
        assert!(error < 0.20, "L = {depth}: κ {found_condition:.4e}, published {condition:e}");
    }
}
