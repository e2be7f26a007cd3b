//! Precisions and other energies: what must be the same bits, the same equilibrium, the same law.

#![cfg(feature = "theory")]

mod common;

use common::{Data, bits, distance, for_each_kind, network, numbers, objectives, precisions, relative, run, settings};
use nalgebra::DMatrix;
use pcalm::{
    Activation, Cpu, EnergyShape, Gradient, Loss, Network, Objective, Placement, Precision, RuleSettings,
    energy_shape::ENERGY_SHAPES,
    gradient::Alignment,
    minibatch::{Batch, Minibatch},
    network::Link,
    rule,
    theory::{automatic_step, preconditioned_step},
};

const WIDTHS: &[usize] = &[3, 5, 5, 4, 2];

fn weighted(loss: Loss, rho: &[f64], precisions: &[Precision]) -> Objective<f64> {
    Objective::weighted(loss, rho, precisions, EnergyShape::HalfSquare).unwrap()
}

fn scalars(values: &[f64]) -> Vec<Precision> {
    values.iter().map(|&p| Precision::Scalar(p)).collect()
}

#[test]
fn scalar_precisions_of_the_hidden_layers_are_penalties_bit_for_bit() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(WIDTHS, true, activation, placement, 4);
        let data = Data::new(&network, 5, loss, 4);
        let short = RuleSettings { inner_limit: 50, ..settings(6, 0.1) };
        for rule in ["pc", "pc-nesterov", "pc-alm", "mm"] {
            let by_rho = run(rule, &network, &data, weighted(loss, &[0.3, 0.7, 1.9], &[]), &short).all_bits();
            let by_precision = weighted(loss, &[1.0], &scalars(&[0.3, 0.7, 1.9, 1.0]));
            assert_eq!(run(rule, &network, &data, by_precision, &short).all_bits(), by_rho, "{rule} {what}");
        }
    });
}

#[test]
fn doubled_precisions_with_half_the_step_visit_the_same_states_with_doubled_credit() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(WIDTHS, true, activation, placement, 4);
        let data = Data::new(&network, 5, loss, 4);
        for kind in ["scalar", "diagonal", "full"] {
            let once = precisions(&network, loss, kind);
            let twice: Vec<Precision> = once
                .iter()
                .map(|p| match p {
                    Precision::Scalar(p) => Precision::Scalar(2.0 * p),
                    Precision::Diagonal(p) => Precision::Diagonal(p.iter().map(|p| 2.0 * p).collect()),
                    Precision::Full(p) => Precision::Full(p.iter().map(|p| 2.0 * p).collect()),
                })
                .collect();
            let one = run("pc", &network, &data, weighted(loss, &[1.0], &once), &settings(7, 0.125));
            let two = run("pc", &network, &data, weighted(loss, &[1.0], &twice), &settings(7, 0.0625));
            for l in 0..network.hidden() {
                assert_eq!(bits(&one.z(l)), bits(&two.z(l)), "z of {what} {kind}");
            }
            for (one, two) in one.gradient.edges.iter().zip(&two.gradient.edges) {
                assert_eq!(
                    bits(&one.iter().map(|g| 2.0 * g).collect::<Vec<_>>()),
                    bits(two),
                    "gradient of {what} {kind}"
                );
            }
        }
    });
}

#[test]
fn without_a_dual_step_pc_alm_is_pc_bit_for_bit_whatever_the_energy() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(WIDTHS, true, activation, placement, 4);
        let data = Data::new(&network, 5, loss, 4);
        for (name, objective) in objectives(&network, loss) {
            let still = RuleSettings { alpha: 0.0, ..settings(6, 0.1) };
            let pc = run("pc", &network, &data, objective.clone(), &still).all_bits();
            assert_eq!(run("pc-alm", &network, &data, objective, &still).all_bits(), pc, "{what} {name}");
        }
    });
}

#[test]
fn a_diagonal_written_out_as_a_matrix_is_the_same_precision() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(WIDTHS, true, activation, placement, 4);
        let data = Data::new(&network, 5, loss, 4);
        let diagonal = precisions(&network, loss, "diagonal");
        let full = diagonal.iter().map(|p| match p {
            Precision::Diagonal(p) => {
                let n = p.len();
                Precision::Full((0..n * n).map(|k| if k / n == k % n { p[k / n] } else { 0.0 }).collect())
            }
            other => other.clone(),
        });
        let full: Vec<Precision> = full.collect();
        for rule in ["pc", "pc-alm", "fixed-prediction"] {
            let [one, other] = [&diagonal, &full].map(|p| {
                run(rule, &network, &data, weighted(loss, &[1.0], p), &settings(8, 0.1)).gradient.edges.concat()
            });
            assert!(relative(&one, &other) < 1e-14, "{rule} {what}");
        }
    });
}

/// A random rotation.
fn rotation(n: usize, seed: u64) -> DMatrix<f64> {
    DMatrix::from_vec(n, n, numbers(n * n, seed)).qr().q()
}

#[test]
fn in_a_linear_network_precisions_turn_with_the_basis_of_a_layer() {
    let network = network(WIDTHS, false, Activation::Identity, Placement::Pre, 4);
    let data = Data::new(&network, 4, Loss::SquaredError, 4);
    let full = precisions(&network, Loss::SquaredError, "full");
    // z_2 → Q z_2: W_2 → Q W_2, W_3 → W_3 Qᵀ, Π_2 → Q Π_2 Qᵀ.
    let (layer, q) = (1, rotation(5, 9));
    let turned = common::links(&network).into_iter().enumerate().map(|(l, (dense, skip))| {
        let mut w = DMatrix::from_row_slice(dense.rows(), dense.cols(), dense.weight());
        w = if l == layer { &q * w } else { w };
        w = if l == layer + 1 { w * q.transpose() } else { w };
        Link::new(w.transpose().as_slice().to_vec(), dense.rows(), dense.cols(), dense.scale(), skip).unwrap()
    });
    let turned = Network::chain(turned.collect(), Activation::Identity, Placement::Pre).unwrap();
    let mut precisions = full.clone();
    if let Precision::Full(p) = &full[layer] {
        let p = &q * DMatrix::from_row_slice(5, 5, p) * q.transpose();
        precisions[layer] = Precision::Full((&p + p.transpose()).scale(0.5).as_slice().to_vec());
    }
    let straight = run("pc", &network, &data, weighted(Loss::SquaredError, &[1.0], &full), &settings(9, 0.05));
    let round = run("pc", &turned, &data, weighted(Loss::SquaredError, &[1.0], &precisions), &settings(9, 0.05));
    for l in 0..network.hidden() {
        let mut z = straight.z(l);
        if l == layer {
            for row in z.chunks_mut(5) {
                let moved = &q * nalgebra::DVector::from_column_slice(row);
                row.copy_from_slice(moved.as_slice());
            }
        }
        assert!(distance(&z, &round.z(l)) < 1e-13, "layer {}", l + 1);
    }
    assert!(relative(&straight.gradient.edges[0], &round.gradient.edges[0]) < 1e-13);
}

#[test]
fn pc_alm_converges_to_backpropagation_of_the_weighed_loss_with_any_precision() {
    for kind in ["scalar", "diagonal", "full"] {
        for placement in Placement::ALL {
            // Small weights: the Lagrangian is convex at the KKT point.
            let mut network = network(&[3, 4, 4, 2], false, Activation::Tanh, *placement, 4);
            network.weights_mut().into_iter().flatten().for_each(|w| *w *= 0.3);
            let data = Data::new(&network, 4, Loss::SquaredError, 4);
            let objective = weighted(Loss::SquaredError, &[1.0], &precisions(&network, Loss::SquaredError, kind));
            let long = RuleSettings { alpha: 0.3, ..settings(4000, 0.2) };
            let found = run("pc-alm", &network, &data, objective.clone(), &long).gradient.edges.concat();
            let wanted = run("bp", &network, &data, objective, &long).gradient.edges.concat();
            assert!(relative(&found, &wanted) < 1e-12, "{kind} {placement:?}: {:e}", relative(&found, &wanted));
        }
    }
}

#[test]
fn preconditioned_steps_end_at_the_same_equilibrium_and_need_no_small_rate() {
    let network = network(&[5, 5, 5, 5, 5], false, Activation::Identity, Placement::Pre, 2);
    let data = Data::new(&network, 3, Loss::SquaredError, 4);
    let objective = weighted(Loss::SquaredError, &[1.0], &scalars(&[1e3, 1e2, 10.0, 1.0]));
    let mut minibatch = common::minibatch(&network, &data, objective.clone());
    let plain = automatic_step(&mut minibatch, &network, 0.0).unwrap();
    let divided = preconditioned_step(&mut minibatch, &network, 0.0).unwrap();
    assert!(plain.lambda_max > 1e3 && divided.lambda_max < 10.0, "{plain:?} {divided:?}");
    let wanted = run("pc-equilibrium", &network, &data, objective.clone(), &settings(1, 1.0));
    let long = RuleSettings { precondition: true, ..settings(2000, divided.eta) };
    let found = run("pc", &network, &data, objective, &long);
    for l in 0..network.hidden() {
        assert!(distance(&found.z(l), &wanted.z(l)) < 1e-12, "layer {}", l + 1);
    }
}

#[test]
fn small_residuals_make_every_energy_of_curvature_one_the_half_square() {
    let network = network(WIDTHS, true, Activation::Tanh, Placement::Pre, 4);
    let base = Data::new(&network, 4, Loss::SquaredError, 4);
    let output = run("bp", &network, &base, Loss::SquaredError, &settings(1, 1.0)).minibatch.output();
    // Targets at a distance e of the outputs: the deviation falls as e².
    let deviation = |info: &pcalm::energy_shape::EnergyShapeInfo, e: f64| {
        let y = output.iter().zip(&base.y).map(|(o, y)| o + e * (y - o)).collect();
        let data = Data { x: base.x.clone(), y, samples: base.samples };
        let gradient = |shape| {
            let objective = Objective::weighted(Loss::SquaredError, &[1.0], &[], shape).unwrap();
            run("pc-equilibrium", &network, &data, objective, &settings(1, 1.0)).gradient.edges.concat()
        };
        relative(&gradient(info.at(0.7).unwrap()), &gradient(EnergyShape::HalfSquare))
    };
    for info in ENERGY_SHAPES.iter().filter(|info| info.at(0.7).unwrap().curvature_at_rest() == 1.0) {
        let [coarse, fine] = [0.01, 0.001].map(|e| deviation(info, e));
        // Huber's is the half square itself for residuals below its δ.
        let law = if ["half-square", "huber"].contains(&info.name) {
            fine == 0.0
        } else {
            (95.0..105.0).contains(&(coarse / fine))
        };
        assert!(law, "{}: {coarse:e} and {fine:e}", info.name);
    }
}

#[test]
fn a_shape_has_the_slope_and_curvature_of_its_value() {
    for info in ENERGY_SHAPES {
        let shape = info.at(0.6).unwrap();
        assert_eq!(EnergyShape::named(info.name, 0.6).unwrap(), shape);
        assert_eq!(shape.name(), info.name);
        for c in [-3.1, -0.59, -0.2, 0.0, 1e-9, 0.3, 0.61, 2.5, 40.0f64] {
            let slope = common::derivative(1e-3, |t| shape.value(c + t));
            let curvature = common::derivative(1e-3, |t| shape.slope(c + t));
            assert!((shape.slope(c) - slope).abs() < 1e-9 * slope.abs().max(1.0), "{} at {c}", info.name);
            assert!((shape.curvature(c) - curvature).abs() < 1e-8 * curvature.abs().max(1.0), "{} at {c}", info.name);
            assert!((shape.value(c) - shape.value(-c)).abs() < 1e-15 && shape.value(c) >= 0.0, "{} at {c}", info.name);
            assert!(
                (f64::from(shape.slope(c as f32)) - shape.slope(c)).abs() < 1e-6 * c.abs().max(1.0),
                "{}",
                info.name
            );
        }
        assert!(shape.slope(f64::NAN).is_nan(), "{} hides what is not a number", info.name);
    }
}

#[test]
fn the_fast_backend_agrees_with_the_reference_in_every_energy() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(&[4, 19, 19, 7, 3], true, activation, placement, 3);
        let data = Data::new(&network, 20, loss, 3);
        for ((name, wide), (_, narrow)) in objectives(&network, loss).into_iter().zip(objectives(&network.cast(), loss))
        {
            for rule in ["pc", "pc-alm", "fixed-prediction"] {
                let wanted = run(rule, &network, &data, wide.clone(), &settings(5, 0.1)).gradient.edges.concat();
                let (net, data) = (network.cast::<f32>(), data.cast::<f32>());
                let mut minibatch = Minibatch::new(Cpu::new(), narrow.clone());
                minibatch.load(&net, &Batch::new(&data.x, &data.y, data.samples).unwrap()).unwrap();
                let _ = minibatch.infer(&net, rule::build::<Cpu>(rule, &settings(5, 0.1)).unwrap().as_ref()).unwrap();
                let mut gradient = Gradient::zeros(&net);
                minibatch.weight_gradient(&net, &mut gradient).unwrap();
                let found: Vec<f64> = gradient.edges.concat().into_iter().map(f64::from).collect();
                assert!(relative(&found, &wanted) < 1e-4, "{rule} {what} {name}: {:e}", relative(&found, &wanted));
            }
        }
    });
}

#[test]
fn what_is_no_precision_is_refused_by_layer_and_reason() {
    let network = network(WIDTHS, false, Activation::Tanh, Placement::Pre, 1);
    let one = Precision::default;
    let at = |l: usize, p: Precision| {
        let mut all = vec![one(), one(), one(), one()];
        all[l] = p;
        all
    };
    let skewed = vec![1.0, 0.2, 0.3, 1.0];
    let cases = [
        (at(0, Precision::Scalar(0.0)), "layer 1 has 0"),
        (at(1, Precision::Scalar(f64::INFINITY)), "layer 2 has inf"),
        (at(2, Precision::Diagonal(vec![1.0, -1.0, 1.0, 1.0])), "layer 3 has -1"),
        (at(2, Precision::Diagonal(vec![1.0; 3])), "layer 3 is for 3 units, but the network has 4"),
        (at(3, Precision::Full(skewed)), "the output is not symmetric"),
        (at(3, Precision::Full(vec![1.0, 2.0, 2.0, 1.0])), "the output is not positive definite"),
        (at(3, Precision::Full(vec![1.0, f64::NAN, f64::NAN, 1.0])), "the output has NaN at [0, 1]"),
        (at(3, Precision::Full(vec![1.0; 3])), "3 numbers, which is no square"),
        (vec![one(), one()], "2 values for 4 edges"),
        (at(0, Precision::Diagonal(Vec::new())), "layer 1 is empty"),
    ];
    for (precisions, word) in cases {
        let made = Objective::weighted(Loss::SquaredError, &[1.0], &precisions, EnergyShape::HalfSquare);
        let error = made.and_then(|o: Objective<f64>| o.fits(&network)).unwrap_err().to_string();
        assert!(error.contains(word), "{error}");
    }
    let full = at(0, Precision::Full(DMatrix::<f64>::identity(5, 5).as_slice().to_vec()));
    let error =
        Objective::<f64>::weighted(Loss::SquaredError, &[1.0], &full, EnergyShape::Log).unwrap_err().to_string();
    assert!(error.contains("layer 1 is a full matrix"), "{error}");
    let output = at(3, Precision::Diagonal(vec![1.0; 2]));
    let error = Objective::<f64>::weighted(Loss::CrossEntropy, &[1.0], &output, EnergyShape::HalfSquare);
    assert!(error.unwrap_err().to_string().contains("cross-entropy"));
    for share in [0.0, 1.0, -0.1, f64::NAN] {
        let error = Objective::<f64>::with_loss_share(Loss::SquaredError, share).unwrap_err().to_string();
        assert!(error.contains("between 0 and 1"), "{error}");
    }
    assert!(EnergyShape::named("log|c|", 1.0).unwrap_err().to_string().contains("−∞"));
}

#[test]
fn the_share_of_the_loss_is_an_output_precision() {
    for placement in Placement::ALL {
        let network = network(WIDTHS, false, Activation::Tanh, *placement, 4);
        let data = Data::new(&network, 4, Loss::SquaredError, 4);
        for share in [0.2, 0.75] {
            let shared = Objective::with_loss_share(Loss::SquaredError, share).unwrap();
            let ratio = weighted(Loss::SquaredError, &[1.0], &scalars(&[1.0, 1.0, 1.0, share / (1.0 - share)]));
            let [one, other] = [shared, ratio].map(|o| run("pc-equilibrium", &network, &data, o, &settings(1, 1.0)));
            (0..network.hidden()).for_each(|l| assert!(distance(&one.z(l), &other.z(l)) < 1e-12));
            let whole = Alignment::new(&one.gradient, &other.gradient).whole;
            assert!((whole.cosine - 1.0).abs() < 1e-14 && (whole.norm_ratio - (1.0 - share)).abs() < 1e-12);
        }
    }
}
