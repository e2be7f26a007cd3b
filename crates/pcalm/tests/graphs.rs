//! Networks whose edges join more than neighbours, against calculus, a hand-written backpropagation, dense linear
//! algebra and the fast backend.

mod common;

use common::{Data, derivative, minibatch, numbers, relative, run, settings};
use nalgebra::{DMatrix, DVector};
use pcalm::{
    Error,
    activation::Activation,
    backend::{Cpu, Reference},
    gradient::Gradient,
    infer::{Step, Stop},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::Minibatch,
    network::{Dense, Edge, Map, Network, Placement, file::NetworkFile},
    objective::{End, Objective},
    rule::{Rule, RuleSettings},
    stack::Stack,
    state::State,
    tensor_file::TensorFile,
    theory::{Equilibrium, Linearisation, Precision, automatic_step, curvature},
};

const SAMPLES: usize = 3;
const STEP: f64 = 1e-3;

fn dense(from: usize, to: usize, (cols, rows): (usize, usize), phi: (Activation, Placement), bias: bool) -> Edge<f64> {
    let seed = (100 * from + to) as u64;
    let weight = numbers(rows * cols, seed);
    let mut dense = Dense::new(weight, rows, cols, 1.2 / (cols as f64).sqrt()).unwrap().activated(phi.0, phi.1);
    if bias {
        dense = dense.biased(&numbers(rows, 7 + seed)).unwrap();
    }
    Edge { from, to, map: Map::Dense(dense) }
}

fn skip(from: usize, to: usize) -> Edge<f64> {
    Edge { from, to, map: Map::Skip }
}

/// Five hidden nodes of widths 4, 4, 4, 3, 4, with a skip beside a dense edge, skips over one and over two nodes, dense
/// edges from the input past the first node, past a node, and twice between the same two; edges with and without bias.
fn network(phi: Activation, placement: Placement) -> Network<f64> {
    let (bent, bare) = ((phi, placement), (Activation::Identity, placement));
    let input = if placement == Placement::Pre { bare } else { bent };
    let readout = if placement == Placement::Pre { bent } else { bare };
    Network::new(vec![
        dense(5, 6, (4, 2), readout, true),
        dense(0, 1, (3, 4), input, true),
        skip(1, 2),
        dense(1, 2, (4, 4), bent, false),
        dense(2, 3, (4, 4), bent, true),
        skip(1, 3),
        dense(0, 3, (3, 4), bent, false),
        dense(3, 4, (4, 3), bent, true),
        dense(2, 4, (4, 3), bent, false),
        dense(4, 5, (3, 4), bent, true),
        dense(4, 5, (3, 4), (Activation::Silu, placement), false),
        skip(2, 5),
        skip(3, 5),
        dense(3, 6, (4, 2), readout, false),
    ])
    .unwrap()
}

/// Every activation that is smooth, so that differences say what slopes are, in both placements.
fn networks() -> impl Iterator<Item = (Network<f64>, String)> {
    let smooth = [Activation::Tanh, Activation::Gelu, Activation::Sigmoid, Activation::Identity];
    smooth.into_iter().flat_map(|phi| {
        Placement::ALL.iter().map(move |&placement| (network(phi, placement), format!("{phi:?} {placement:?}")))
    })
}

/// Any z and λ for all samples; the padding stays at its forward pass, where it has no credit.
fn at_random_state(lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) {
    lagrangian.forward(state);
    let scatter = |stack: &mut Stack<f64>, seed: u64| {
        for (l, layer) in stack.layers.iter_mut().enumerate() {
            let (values, cols) = (numbers(SAMPLES * layer.rows(), seed + l as u64), layer.cols());
            for (row, values) in layer.data_mut().chunks_mut(cols).zip(values.chunks(SAMPLES)) {
                row[..SAMPLES].copy_from_slice(values);
            }
        }
    };
    scatter(state.activities_mut(), 900);
    scatter(state.duals_mut(), 950);
}

/// φ and φ' of one dense edge, and a W, as closures over plain vectors.
fn predict(edge: &Edge<f64>, z: &DVector<f64>) -> DVector<f64> {
    let Map::Dense(dense) = &edge.map else { return z.clone() };
    let w = DMatrix::from_row_slice(dense.rows(), dense.cols(), dense.weight()) * dense.scale();
    let b = dense.bias().map_or(DVector::zeros(dense.rows()), DVector::from_column_slice);
    let phi = |v: DVector<f64>| v.map(|v| dense.activation().value(v));
    match dense.placement() {
        Placement::Pre => w * phi(z.clone()) + b,
        Placement::Post => phi(w * z + b),
    }
}

/// The Jacobian of one edge at what it reads.
fn jacobian(edge: &Edge<f64>, z: &DVector<f64>) -> DMatrix<f64> {
    let Map::Dense(dense) = &edge.map else { return DMatrix::identity(z.len(), z.len()) };
    let w = DMatrix::from_row_slice(dense.rows(), dense.cols(), dense.weight()) * dense.scale();
    let b = dense.bias().map_or(DVector::zeros(dense.rows()), DVector::from_column_slice);
    let slopes = |v: DVector<f64>| DMatrix::from_diagonal(&v.map(|v| dense.activation().slope(v)));
    match dense.placement() {
        Placement::Pre => &w * slopes(z.clone()),
        Placement::Post => slopes(&w * z + b) * &w,
    }
}

/// All nodes of the forward pass of one sample.
fn forward(network: &Network<f64>, x: &[f64]) -> Vec<DVector<f64>> {
    let mut nodes = vec![DVector::from_column_slice(x)];
    for node in 1..=network.depth() {
        nodes.push(network.entering(node).map(|(_, edge)| predict(edge, &nodes[edge.from])).sum());
    }
    nodes
}

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
                        moved.dense_mut()[e].parameters_mut()[i] += t;
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
                    moved.dense_mut()[e].parameters_mut()[i] += t;
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
        let one = Precision::Scalar(1.0);
        let equilibrium = Equilibrium::new(&network, &[one.clone(), one.clone()], &one).unwrap();
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

/// Inference by PC to its end, from the forward pass moved by random numbers.
struct Settle {
    eta: f64,
}

impl Rule<Reference<f64>> for Settle {
    fn name(&self) -> &str {
        "settle"
    }
    fn init(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) {
        at_random_state(lagrangian, state);
        state.duals_mut().clear();
    }
    fn step(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>, _: Step) {
        lagrangian.cycle(state, DualStep::Still, self.eta);
    }
    fn terminate(&self, _: &Lagrangian<Reference<f64>>, _: &mut State<Reference<f64>>, cycles: usize) -> Option<Stop> {
        (cycles >= 20_000).then_some(Stop::Budget)
    }
}

#[test]
fn with_a_free_output_inference_ends_at_the_forward_pass() {
    // [FRM] thm 3.1.
    for (network, what) in networks() {
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 3);
        let objective = Objective::from(Loss::SquaredError).with_ends(End::Held, End::Free);
        let mut loaded = minibatch(&network, &data, objective.clone());
        let eta = automatic_step(&mut loaded, &network, 0.0).unwrap().eta;
        let mut done = common::run_rule(&Settle { eta }, &network, &data, objective);
        assert!(done.minibatch.energies(&network).unwrap().energy() < 1e-20, "{what}: an energy is left");
        for s in 0..SAMPLES {
            let nodes = forward(&network, &data.x[s * 3..][..3]);
            for l in 0..5 {
                let wanted = nodes[l + 1].as_slice();
                let z = done.z(l);
                assert!(relative(&z[s * wanted.len()..][..wanted.len()], wanted) < 1e-9, "{what}: z_{}", l + 1);
            }
        }
    }
}

#[test]
fn a_free_input_moves_to_what_explains_the_target() {
    // [FRM] thm 3.3: in an invertible linear network every residual vanishes, and the activities are the target pulled
    // back through the inverses.
    let chain = common::network(&[3, 3, 3, 3], false, Activation::Identity, Placement::Pre, 4);
    let network = chain.freed();
    let data = Data::new(&chain, SAMPLES, Loss::SquaredError, 3);
    let objective = common::weighted::<f64>(Loss::SquaredError, &[1.0, 1.0]).with_ends(End::Free, End::Held);
    let mut loaded = minibatch(&network, &data, objective.clone());
    let eta = automatic_step(&mut loaded, &network, 0.0).unwrap().eta;
    let rule = RuleSettings { tolerance: Some(1e-12), ..settings(2_000_000, eta) };
    let done = run("pc", &network, &data, objective, &rule);
    assert_eq!(done.report.stop.name(), "converged");
    let operators = common::operators(&chain);
    for s in 0..SAMPLES {
        let mut wanted = DVector::from_column_slice(&data.y[s * 3..][..3]);
        for l in (0..3).rev() {
            wanted = operators[l].clone().try_inverse().unwrap() * wanted;
            let found = &done.z(l)[s * 3..][..3];
            assert!(relative(found, wanted.as_slice()) < 1e-6, "z_{l}: {found:?} {wanted}");
        }
        // The first of them began at x, and has left it.
        assert!(relative(&done.z(0)[s * 3..][..3], &data.x[s * 3..][..3]) > 0.1);
    }
    // A network whose input is held is refused.
    let objective = Objective::from(Loss::SquaredError).with_ends(End::Free, End::Held);
    let error = objective.fits(&chain).unwrap_err().to_string();
    assert!(error.contains("its input is held"), "{error}");
}

#[test]
fn a_free_input_has_the_gradient_of_the_energy_that_does_not_hold_it() {
    for placement in [Placement::Pre, Placement::Post] {
        let network = common::network(&[3, 4, 4, 2], true, Activation::Tanh, placement, 4).freed();
        let data = Data::new(&network, SAMPLES, Loss::SquaredError, 3);
        let objective = common::weighted(Loss::SquaredError, &[0.7, 1.3]).with_ends(End::Free, End::Held);
        let mut minibatch = minibatch(&network, &data, objective);
        let look = |lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>| {
            at_random_state(lagrangian, state);
            state.duals_mut().layers[0].clear();
            lagrangian.credit(state, DualStep::Along(1.0));
            assert_eq!(state.duals().layers[0].max_abs(), 0.0, "a dual of the free input moves");
            let mut gradient = state.activities().clone();
            lagrangian.activity_gradient(state, &mut gradient);
            let mut buffer = gradient.clone();
            for i in 0..3 {
                let place = i * gradient.layers[0].cols();
                let z = state.activities().layers[0].data()[place];
                let wanted = derivative(STEP, |t| {
                    state.activities_mut().layers[0].data_mut()[place] = z + t;
                    lagrangian.energies(state, &mut buffer).lagrangian()
                });
                state.activities_mut().layers[0].data_mut()[place] = z;
                assert!((gradient.layers[0].at(i, 0) - wanted).abs() < 1e-8, "{placement:?} {i}");
            }
        };
        minibatch.map(&network, look).unwrap();
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
