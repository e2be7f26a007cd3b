//! Networks whose edges join more than neighbours, against calculus, a hand-written backpropagation, dense linear
//! algebra and the fast backend.

mod common;

use common::{
    Data, derivative,
    graphs::{SAMPLES, STEP, at_random_state, dense, forward, jacobian, network, networks, skip},
    minibatch, numbers, relative, run, settings,
};
use nalgebra::{DMatrix, DVector};
use pcalm::{
    Error,
    activation::Activation,
    backend::{Cpu, Reference},
    gradient::Gradient,
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Minibatch,
    network::{Edge, Map, Network, Placement, file::NetworkFile},
    rule::RuleSettings,
    tensor_file::TensorFile,
    theory::{LinearEquilibrium, Linearisation, automatic_step, curvature},
};

#[test]
fn backpropagation_is_the_hand_written_one_and_the_derivative_of_the_loss() {
    for (network, what) in networks() {
        for &loss in Loss::ALL {
            let data = Data::new(&network, SAMPLES, loss, 3);
            let done = run("bp", &network, &data, loss, &settings(1, 1.0));
            if loss == Loss::SquaredError {
                for s in 0..SAMPLES {
                    let nodes = forward(&network, &data.x[s * 3..][..3]);
                    let mut adjoints: Vec<DVector<f64>> = nodes.iter().map(|z| DVector::zeros(z.len())).collect();
                    adjoints[6] = DVector::from_column_slice(&data.y[s * 2..][..2]) - &nodes[6];
                    for edge in network.edges().iter().rev() {
                        let pulled = jacobian(edge, &nodes[edge.from]).transpose() * &adjoints[edge.to];
                        adjoints[edge.from] += pulled;
                    }
                    for l in 0..5 {
                        let wanted = adjoints[l + 1].as_slice();
                        let found = &done.credit(l)[s * wanted.len()..][..wanted.len()];
                        assert!(relative(found, wanted) < 1e-13, "{what}: credit of layer {}", l + 1);
                    }
                }
            }
            for (e, found) in done.gradient.edges.iter().enumerate() {
                let slope = |i: usize| {
                    derivative(STEP, |t| {
                        let mut moved = network.clone();
                        moved.weights_mut()[e][i] += t;
                        minibatch(&moved, &data, loss).evaluate(&moved).unwrap().mean_loss()
                    })
                };
                let wanted: Vec<f64> = (0..found.len()).map(slope).collect();
                assert!(relative(found, &wanted) < 1e-8, "{what}: gradient of dense edge {e}");
            }
        }
    }
}

#[test]
fn activity_and_weight_gradients_are_derivatives_of_the_augmented_lagrangian() {
    for (network, what) in networks() {
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 4);
        let rho = [0.7, 1.0, 1.3, 0.9, 1.1];
        let at = |network: &Network<f64>| {
            let mut minibatch = minibatch(network, &data, common::weighted(Loss::SquaredError, &rho));
            minibatch.map(network, at_random_state).unwrap();
            minibatch
        };
        let mut minibatch = at(&network);
        minibatch
            .map(&network, |lagrangian, state| {
                lagrangian.credit(state, DualStep::Still);
                let mut gradient = state.activities().clone();
                lagrangian.activity_gradient(state, &mut gradient);
                let mut buffer = gradient.clone();
                for l in 0..network.hidden() {
                    for i in 0..gradient.layers[l].rows() {
                        let place = i * gradient.layers[l].cols();
                        let z = state.activities().layers[l].data()[place];
                        let wanted = derivative(STEP, |t| {
                            state.activities_mut().layers[l].data_mut()[place] = z + t;
                            lagrangian.energies(state, &mut buffer).lagrangian()
                        });
                        state.activities_mut().layers[l].data_mut()[place] = z;
                        let found = gradient.layers[l].at(i, 0);
                        assert!((found - wanted).abs() < 1e-8, "{what}: z_{} {i}: {found} {wanted}", l + 1);
                    }
                }
                lagrangian.credit(state, DualStep::Still);
            })
            .unwrap();
        let mut found = Gradient::zeros(&network);
        minibatch.weight_gradient(&network, &mut found).unwrap();
        for (e, found) in found.edges.iter().enumerate() {
            let slope = |i: usize| {
                derivative(STEP, |t| {
                    let mut moved = network.clone();
                    moved.weights_mut()[e][i] += t;
                    at(&moved).energies(&moved).unwrap().lagrangian() / SAMPLES as f64
                })
            };
            let wanted: Vec<f64> = (0..found.len()).map(slope).collect();
            assert!(relative(found, &wanted) < 1e-8, "{what}: gradient of dense edge {e}");
        }
    }
}

#[test]
fn pc_alm_converges_to_backpropagation_in_linear_networks() {
    for &placement in Placement::ALL {
        let mut network = network(Activation::Identity, placement);
        // The one edge with an activation of its own; its weights are the same numbers.
        let edges = network.edges().iter().cloned().map(|mut edge| {
            if let Map::Dense(dense) = &mut edge.map {
                *dense = dense.clone().activated(Activation::Identity, placement);
            }
            edge
        });
        network = Network::new(edges.collect()).unwrap();
        assert!(network.is_linear() && network.as_chain().is_none());
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 5);
        let mut loaded = minibatch(&network, &data, Loss::SquaredError);
        let eta = automatic_step(&mut loaded, &network, 1.0).unwrap().eta;
        let long = RuleSettings { tolerance: Some(1e-13), ..settings(1_000_000, eta) };
        let alm = run("pc-alm", &network, &data, Loss::SquaredError, &long);
        let bp = run("bp", &network, &data, Loss::SquaredError, &settings(1, 1.0));
        assert_eq!(alm.report.stop.name(), "converged");
        assert!(relative(&alm.gradient.edges.concat(), &bp.gradient.edges.concat()) < 1e-10, "{placement:?}");
    }
}

#[test]
fn the_linearisation_is_the_dense_one_and_its_curvature_is_what_power_iteration_finds() {
    for (network, what) in networks() {
        let data = Data::new(&network, 1, Loss::SquaredError, 6);
        let nodes = forward(&network, &data.x);
        let starts = [0, 4, 8, 12, 15, 19];
        let mut c = DMatrix::<f64>::identity(19, 19);
        let mut readout = DMatrix::<f64>::zeros(2, 19);
        for edge in network.edges().iter().filter(|edge| edge.from > 0) {
            let j = jacobian(edge, &nodes[edge.from]);
            let across = starts[edge.from - 1];
            let (into, row, sign) =
                if edge.to == 6 { (&mut readout, 0, 1.0) } else { (&mut c, starts[edge.to - 1], -1.0) };
            let mut corner = into.view_mut((row, across), (j.nrows(), j.ncols()));
            corner += j * sign;
        }
        let objective = Loss::SquaredError.into();
        let found = Linearisation::at_forward_pass(&network, &objective, &data.x, &data.y).unwrap();
        let h = c.transpose() * &c + readout.transpose() * &readout;
        let same = |found: faer::Mat<f64>, wanted: &DMatrix<f64>, name: &str| {
            let found = DMatrix::from_fn(found.nrows(), found.ncols(), |i, j| found[(i, j)]);
            assert!((found - wanted).amax() < 1e-12, "{what}: {name}");
        };
        same(found.dense_constraint(), &c, "C");
        same(found.dense_loss_curvature(), &(readout.transpose() * &readout), "S");
        let v = numbers(19, 8);
        let column = DVector::from_column_slice(&v);
        type Apply<'a> = (&'a str, Box<dyn Fn(&mut [f64]) + 'a>, DVector<f64>);
        let inverse = |m: &DMatrix<f64>| m.clone().try_inverse().unwrap() * &column;
        let checks: [Apply; 6] = [
            ("C v", Box::new(|out| found.constraint(&v, out)), &c * &column),
            ("Cᵀ v", Box::new(|out| found.constraint_transposed(&v, out)), c.transpose() * &column),
            ("H v", Box::new(|out| found.hessian(&v, out)), &h * &column),
            ("C⁻¹ v", Box::new(|out| found.solve_constraint(out)), inverse(&c)),
            ("C⁻ᵀ v", Box::new(|out| found.solve_constraint_transposed(out)), inverse(&c.transpose())),
            ("H⁻¹ v", Box::new(|out| found.hessian_inverse().unwrap().apply(out)), inverse(&h)),
        ];
        for (name, apply, wanted) in checks {
            let mut out = v.clone();
            apply(&mut out);
            assert!(relative(&out, wanted.as_slice()) < 1e-10, "{what}: {name}");
        }
        // At the forward pass the Hessian has φ'' of the edges into the output besides.
        let q = DVector::from_column_slice(&data.y) - &nodes[6];
        let mut exact = h;
        for (_, edge) in network.entering(6) {
            let (Map::Dense(dense), z) = (&edge.map, &nodes[edge.from]) else { continue };
            let back = DMatrix::from_row_slice(dense.rows(), dense.cols(), dense.weight()).transpose() * &q;
            for i in (0..z.len()).filter(|_| dense.placement() == Placement::Pre) {
                let at = starts[edge.from - 1] + i;
                exact[(at, at)] -= dense.scale() * dense.activation().curvature(z[i]) * back[i];
            }
        }
        let largest = exact.symmetric_eigenvalues().max();
        let mut loaded = minibatch(&network, &data, Loss::SquaredError);
        let measured = curvature(&mut loaded, &network, 1e-12, 100_000).unwrap();
        assert!((measured.lambda_max - largest).abs() < 1e-6 * largest, "{what}: {} {largest}", measured.lambda_max);
        let sigma = (c.transpose() * &c).symmetric_eigenvalues().max();
        assert!((measured.sigma_squared - sigma).abs() < 1e-6 * sigma, "{what}: {} {sigma}", measured.sigma_squared);
    }
}

#[test]
fn the_fast_backend_agrees_with_the_reference() {
    for (network, what) in networks() {
        let data = Data::new(&network, 40, Loss::SquaredError, 7);
        let (rounded, single) = (network.cast::<f32>(), data.cast::<f32>());
        for rule in ["bp", "pc", "pc-alm"] {
            let wanted = run(rule, &network, &data, Loss::SquaredError, &settings(9, 0.1));
            let mut minibatch = Minibatch::new(Cpu::new(), Loss::SquaredError);
            minibatch.load(&rounded, &single.batch()).unwrap();
            let built = pcalm::rule::build::<Cpu>(rule, &settings(9, 0.1)).unwrap();
            let report = minibatch.infer(&rounded, built.as_ref()).unwrap();
            // Two products on each of the seven dense edges that do not leave the input, and one pass at the start.
            assert_eq!(report.work.sample_products, wanted.report.work.sample_products, "{what} {rule}");
            let mut gradient = Gradient::zeros(&rounded);
            minibatch.weight_gradient(&rounded, &mut gradient).unwrap();
            let found: Vec<f64> = gradient.edges.concat().iter().map(|&g| f64::from(g)).collect();
            assert!(relative(&found, &wanted.gradient.edges.concat()) < 1e-5, "{what} {rule}");
        }
    }
}

#[test]
fn a_network_file_keeps_edges_biases_and_activations() {
    for (network, what) in networks() {
        let file = NetworkFile { network, loss: Loss::CrossEntropy };
        let bytes = file.to_bytes().unwrap();
        let read = TensorFile::from_bytes(&bytes).unwrap();
        assert_eq!(NetworkFile::<f64>::from_tensors(&read).unwrap(), file, "{what}");
        // A file that has lost a bias or an edge is refused.
        for (key, from, to) in [("biases", "1", "0"), ("edges", "5-6 dense", "5-6 skip"), ("edges", "0-1 ", "0>1 ")] {
            let mut changed = TensorFile::<f64>::from_bytes(&bytes).unwrap();
            let entry = changed.metadata.get_mut(key).unwrap();
            *entry = entry.replacen(from, to, 1);
            assert!(matches!(NetworkFile::<f64>::from_tensors(&changed), Err(Error::File(_))), "{what}: {key} {to}");
        }
    }
}

#[test]
fn edges_that_make_no_network_are_refused_by_name() {
    let bare = (Activation::Identity, Placement::Pre);
    let map = |from, to, shape| dense(from, to, shape, bare, false);
    let refused = |edges: Vec<Edge<f64>>, named: &str| {
        let message = Network::new(edges).unwrap_err().to_string();
        assert!(message.contains(named), "{message}");
    };
    refused(vec![], "at least 2");
    refused(vec![map(0, 1, (2, 2))], "at least 2");
    refused(vec![map(0, 1, (2, 2)), map(1, 1, (2, 2)), map(1, 2, (2, 2))], "lead onward");
    refused(vec![map(0, 1, (2, 2)), map(1, 3, (2, 2))], "no edge enters node 2");
    refused(vec![map(0, 1, (2, 2)), map(0, 2, (2, 2))], "no edge leaves node 1");
    refused(vec![map(0, 1, (2, 3)), map(1, 2, (2, 2))], "node 1 has 3 units for one edge and 2 for another");
    refused(vec![map(0, 1, (2, 3)), map(1, 2, (3, 2)), skip(1, 2)], "a skip needs equal widths");
    refused(vec![skip(0, 1), skip(1, 2)], "how wide");
    let bent = dense(1, 2, (2, 2), (Activation::Tanh, Placement::Post), false);
    refused(vec![map(0, 1, (2, 2)), bent], "a readout is linear");
    refused(vec![map(0, usize::MAX, (2, 2))], "no edge enters node 1");
}

#[test]
fn a_chain_put_together_edge_by_edge_is_a_chain() {
    let chain = common::network(&[3, 4, 4, 2], true, Activation::Tanh, Placement::Pre, 1);
    let mut edges = chain.edges().to_vec();
    edges.reverse();
    let same = Network::new(edges).unwrap();
    assert_eq!(same, chain);
    let seen = same.as_chain().unwrap();
    assert!(seen.is_residual() && seen.activation() == Activation::Tanh && seen.depth() == 3);
    // One edge more, and it is none.
    let more = chain.edges().iter().cloned().chain([skip(1, 2)]).collect();
    assert!(Network::<f64>::new(more).unwrap().as_chain().is_none());
}

#[test]
fn biases_shift_the_linear_equilibrium_to_where_inference_ends() {
    for residual in [false, true] {
        let bare = common::network(&[3, 4, 4, 2], residual, Activation::Identity, Placement::Pre, 1);
        let network = common::biased(bare, 3);
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 2);
        let equilibrium = LinearEquilibrium::new(&network, &Loss::SquaredError.into()).unwrap();
        let backend = Reference::<f64>::new();
        let (block, mut state) = data.batch().block(&backend, &network).unwrap();
        let objective = Loss::SquaredError.into();
        let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
        equilibrium.place(&lagrangian, &mut state);
        let mut minibatch = minibatch(&network, &data, Loss::SquaredError);
        let eta = automatic_step(&mut minibatch, &network, 0.0).unwrap().eta;
        let long = RuleSettings { tolerance: Some(1e-14), ..settings(1_000_000, eta) };
        let pc = run("pc", &network, &data, Loss::SquaredError, &long);
        for l in 0..network.hidden() {
            let mut z = Vec::new();
            state.activities().layers[l].unload(SAMPLES, &mut z);
            assert!(relative(&z, &pc.z(l)) < 1e-11, "z_{}", l + 1);
        }
        let mut pc = pc;
        let energy = pc.minibatch.energies(&network).unwrap().energy();
        let closed: f64 = equilibrium.energies_of(&block).unwrap().iter().sum();
        assert!((energy - closed).abs() < 1e-11 * closed, "{energy} {closed}");
    }
}

#[test]
fn a_minibatch_made_for_one_set_of_edges_is_not_used_for_another() {
    let network = network(Activation::Tanh, Placement::Pre);
    let data = Data::new(&network, SAMPLES, Loss::SquaredError, 1);
    let mut loaded = minibatch(&network, &data, Loss::SquaredError);
    let fewer: Vec<Edge<f64>> = network.edges().iter().filter(|e| (e.from, e.to) != (0, 3)).cloned().collect();
    let other = Network::new(fewer).unwrap();
    assert_eq!(other.widths(), network.widths());
    assert!(matches!(loaded.evaluate(&other), Err(Error::Batch(_))));
    loaded.load(&other, &data.batch()).unwrap();
    loaded.evaluate(&other).unwrap();
}
