//! The automatic η: 1/λ_max(H), unless the dual step needs a smaller one.

#![cfg(feature = "theory")]

mod common;

use common::{Data, minibatch, network, run, settings, weighted};
use pcalm::{
    activation::Activation,
    error::StabilityBound,
    infer::Stop,
    loss::Loss,
    network::Placement,
    parametrization::{Architecture, Parametrization},
    rule::RuleSettings,
    theory::{
        Accuracy, Iteration, Linearisation, Operator, SHARE, Spectrum, automatic_step, constraint_curvature,
        largest_eigenvalue,
    },
};

/// The exact bound η λ_max(2H + αCᵀC) < 4 by the dense route, at the automatic η.
#[test]
fn the_automatic_step_keeps_its_share_of_the_exact_bound_at_any_penalty_and_dual_step() {
    for (rho, alpha) in [(0.2, 2.4), (1.0, 1.0), (1.0, 4.0), (3.0, 0.5), (0.05, 1.0)] {
        let network = network(&[5, 8, 8, 8, 8, 3], true, Activation::Identity, Placement::Pre, 3);
        let data = Data::new(&network, 1, Loss::SquaredError, 2);
        let objective = weighted(Loss::SquaredError, &[rho]);
        let linearisation = Linearisation::at_forward_pass(&network, &objective, &data.x, &data.y).unwrap();
        let spectrum = Spectrum::new(&linearisation).unwrap();
        let eta = automatic_step(&mut minibatch(&network, &data, objective.clone()), &network, alpha).unwrap().eta;
        let bound = Iteration { linearisation: &linearisation, eta, alpha }.stability(&spectrum).unwrap().value();
        let (share, plain) = (bound / StabilityBound::LIMIT, eta * spectrum.lambda_max);
        assert!(share < SHARE * 1.001 && plain < 1.001, "ρ {rho} α {alpha}: {share} of the bound, ηλ = {plain}");
        // The smaller of the two, and no smaller than that.
        assert!(share > SHARE * 0.999 || plain > 0.999, "ρ {rho} α {alpha}: {share} of the bound, ηλ = {plain}");
        let long = RuleSettings { alpha, ..settings(2000, eta) };
        assert_eq!(run("pc-alm", &network, &data, objective, &long).report.stop, Stop::Budget, "ρ {rho} α {alpha}");
    }
}

#[test]
fn up_to_the_smallest_penalty_the_dual_step_changes_no_bit_of_the_automatic_step() {
    let network = network(&[5, 8, 8, 8, 3], true, Activation::Tanh, Placement::Pre, 3);
    let data = Data::new(&network, 40, Loss::CrossEntropy, 2);
    let fresh = || minibatch(&network, &data, weighted(Loss::CrossEntropy, &[1.0, 2.0, 1.5]));
    let accuracy = Accuracy { tolerance: 1e-5, limit: 500 };
    let energy = largest_eigenvalue(&mut fresh(), &network, Operator::ENERGY, accuracy).unwrap();
    for alpha in [0.0, 0.5, 1.0] {
        let found = automatic_step(&mut fresh(), &network, alpha).unwrap();
        assert_eq!((found.lambda_max, found.eta), (energy, 1.0 / energy), "α {alpha}");
    }
    let large = automatic_step(&mut fresh(), &network, 20.0).unwrap();
    assert!(large.lambda_max == energy && large.eta < 1.0 / energy, "{large:?}");
}

#[test]
fn the_curvature_behind_the_stability_warning_is_right_to_two_digits() {
    for (width, depth) in [(32, 32), (8, 64), (64, 16)] {
        let mut widths = vec![width; depth + 1];
        (widths[0], widths[depth]) = (20, 10);
        let shape = Architecture::residual(widths, Activation::Tanh);
        let network = shape.draw::<f64>(Parametrization::MeanField, 1.0, 1).unwrap();
        let data = Data::new(&network, 1, Loss::SquaredError, 2);
        let objective = Loss::SquaredError.into();
        let linearisation = Linearisation::at_forward_pass(&network, &objective, &data.x, &data.y).unwrap();
        let exact = Spectrum::new(&linearisation).unwrap().sigma_max.powi(2);
        let found = constraint_curvature(&mut minibatch(&network, &data, objective), &network).unwrap();
        assert!((0.98..1.000001).contains(&(found / exact)), "{width} × {depth}: {found} for {exact}");
    }
}
