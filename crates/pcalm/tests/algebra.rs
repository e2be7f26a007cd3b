//! The sweeps against calculus: gradients are derivatives, pull-backs are transposes.

mod common;

use common::{
    Data, SHAPES, away_from_kinks, biased, derivative, distance_from_kinks, for_each_kind, inputs_of_phi, minibatch,
    network, numbers, objectives, precisions, relative, run, settings,
};
use pcalm::{
    EnergyShape,
    activation::Activation,
    backend::Reference,
    gradient::Gradient,
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    network::{Network, Placement},
    objective::Objective,
    stack::{Matrix, Stack},
    state::State,
};

const STEP: f64 = 2e-3;
/// A step moves what φ sees by a few times its size at most.
const MARGIN: f64 = 10.0 * STEP;
const TOLERANCE: f64 = 1e-8;
const SAMPLES: usize = 3;

/// With biases, unless it is linear.
fn case(shape: (&[usize], bool), kind: (Activation, Placement, Loss), seed: u64) -> (Network<f64>, Data) {
    let mut network = network(shape.0, shape.1, kind.0, kind.1, seed);
    if kind.0 != Activation::Identity {
        network = biased(network, seed);
    }
    let mut data = Data::new(&network, SAMPLES, kind.2, seed);
    // Far enough out for the hard tanh to saturate here and there.
    data.x.iter_mut().for_each(|x| *x *= 3.0);
    (network, data)
}

fn random_stack(widths: &[usize], size: f64, seed: u64) -> Stack<f64> {
    let mut stack = Stack::zeros(widths, SAMPLES);
    for (l, layer) in stack.layers.iter_mut().enumerate() {
        let values = numbers(SAMPLES * layer.rows(), 100 * seed + l as u64);
        layer.load(&values.iter().map(|v| size * v).collect::<Vec<_>>());
    }
    stack
}

/// Puts the samples of `from` into `to`, whose padding columns stay at the forward pass.
fn place(to: &mut Stack<f64>, from: &Stack<f64>) {
    for (to, from) in to.layers.iter_mut().zip(&from.layers) {
        let cols = to.cols();
        for (to, from) in to.data_mut().chunks_mut(cols).zip(from.data().chunks(cols)) {
            to[..SAMPLES].copy_from_slice(&from[..SAMPLES]);
        }
    }
}

fn unload(stack: &Stack<f64>) -> Vec<Vec<f64>> {
    let rows = |layer: &Matrix<f64>| {
        let mut values = Vec::new();
        layer.unload(SAMPLES, &mut values);
        values
    };
    stack.layers.iter().map(rows).collect()
}

fn inner(a: &Stack<f64>, b: &Stack<f64>) -> f64 {
    unload(a).concat().iter().zip(unload(b).concat()).map(|(a, b)| a * b).sum()
}

/// The closest seed's activities around which no kink is near, for this network and inputs.
fn activities_away_from_kinks(network: &Network<f64>, data: &Data) -> Stack<f64> {
    let hidden = &network.widths()[..network.hidden()];
    let clear = |z: &Stack<f64>| {
        let inputs = inputs_of_phi(network, &data.x, &unload(z));
        distance_from_kinks(network.as_chain().unwrap().activation(), &inputs) > MARGIN
    };
    (1..1000).map(|seed| random_stack(hidden, 1.5, seed)).find(clear).expect("a kink near every seed's activities")
}

/// All objectives on the first shape, the first of them on the others.
fn some_objectives(
    network: &Network<f64>,
    (data, z): (&Data, &Stack<f64>),
    loss: Loss,
    shape: (&[usize], bool),
) -> Vec<(String, Objective<f64>)> {
    let mut all = objectives(network, loss);
    all.truncate(if shape == SHAPES[0] { all.len() } else { 1 });
    // Where |c| is δ, h'' of `huber` jumps: differences want a δ that no residual is near.
    let mut residuals = z.clone();
    let look = |lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>| {
        lagrangian.forward(state);
        place(state.activities_mut(), z);
        let mut c = z.clone();
        lagrangian.residuals(state, &mut c);
        c
    };
    residuals.copy_from(&minibatch(network, data, loss).map(network, look).unwrap()[0]);
    let near = |delta: f64| unload(&residuals).concat().iter().any(|c| (c.abs() - delta).abs() < MARGIN);
    let delta = (0..1000).map(|i| 0.7 + 0.003 * f64::from(i)).find(|d| !near(*d)).unwrap();
    for (_, objective) in all.iter_mut().filter(|(name, _)| name == "huber") {
        let precisions = precisions(network, loss, "diagonal");
        *objective = Objective::weighted(loss, &[1.0], &precisions, EnergyShape::Huber(delta)).unwrap();
    }
    all
}

/// Every shape and kind at random activities: calls `body` with the block's Lagrangian and a state
/// that holds activities away from kinks and random duals.
fn at_random_states(
    body: impl Fn(&Lagrangian<Reference<f64>>, &mut State<Reference<f64>>, &Network<f64>, &str) + Sync,
) {
    for &shape in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let (network, data) = case(shape, (activation, placement, loss), 5);
            let z = activities_away_from_kinks(&network, &data);
            for (objective, made) in some_objectives(&network, (&data, &z), loss, shape) {
                let mut minibatch = minibatch(&network, &data, made);
                let look = |lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>| {
                    lagrangian.forward(state);
                    place(state.activities_mut(), &z);
                    state.duals_mut().copy_from(&random_stack(&network.widths()[..network.hidden()], 1.0, 31));
                    body(lagrangian, state, &network, &format!("{what} {objective}"));
                };
                minibatch.map(&network, look).unwrap();
            }
        });
    }
}

#[test]
fn backpropagation_is_the_derivative_of_the_mean_loss() {
    for &shape in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let (network, data) = away_from_kinks(MARGIN, |seed| case(shape, (activation, placement, loss), seed));
            let found = run("bp", &network, &data, loss, &settings(1, 1.0)).gradient;
            for (l, part) in found.edges.iter().enumerate() {
                let wanted: Vec<f64> = (0..part.len())
                    .map(|i| {
                        derivative(STEP, |t| {
                            let mut moved = network.clone();
                            moved.weights_mut()[l][i] += t;
                            let mut minibatch = minibatch(&moved, &data, loss);
                            minibatch.evaluate(&moved).unwrap().mean_loss()
                        })
                    })
                    .collect();
                // Behind units that are all off, nothing depends on the weights.
                let error = if wanted.iter().any(|w| *w != 0.0) {
                    relative(part, &wanted)
                } else {
                    common::distance(part, &wanted)
                };
                assert!(error < TOLERANCE, "{what}, W_{}: relative error {error:e}", l + 1);
            }
            assert!(found.edges.iter().flatten().any(|g| *g != 0.0), "{what}: nothing was compared");
        });
    }
}

#[test]
fn the_activity_gradient_is_the_derivative_of_the_augmented_lagrangian() {
    at_random_states(|lagrangian, state, _, what| {
        let mut gradient = state.activities().clone();
        lagrangian.credit(state, DualStep::Still);
        lagrangian.activity_gradient(state, &mut gradient);
        let mut buffer = state.activities().clone();
        for (l, found) in unload(&gradient).iter().enumerate() {
            let (rows, cols) = (state.activities().layers[l].rows(), state.activities().layers[l].cols());
            let mut wanted = Vec::new();
            for at in (0..SAMPLES).flat_map(|s| (0..rows).map(move |i| i * cols + s)) {
                let z = state.activities().layers[l].data()[at];
                wanted.push(derivative(STEP, |t| {
                    state.activities_mut().layers[l].data_mut()[at] = z + t;
                    lagrangian.energies(state, &mut buffer).lagrangian()
                }));
                state.activities_mut().layers[l].data_mut()[at] = z;
            }
            let error = relative(found, &wanted);
            assert!(error < TOLERANCE, "{what}, z_{}: relative error {error:e}", l + 1);
        }
    });
}

#[test]
fn the_weight_gradient_is_the_derivative_of_the_augmented_lagrangian_at_any_state() {
    for &shape in SHAPES {
        for_each_kind(|activation, placement, loss, what| {
            let (network, data) = case(shape, (activation, placement, loss), 5);
            let z = activities_away_from_kinks(&network, &data);
            let duals = random_stack(&network.widths()[..network.hidden()], 1.0, 31);
            for (objective, made) in some_objectives(&network, (&data, &z), loss, shape) {
                let at_state = |network: &Network<f64>| {
                    let mut minibatch = minibatch(network, &data, made.clone());
                    let set = |lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>| {
                        lagrangian.forward(state);
                        place(state.activities_mut(), &z);
                        state.duals_mut().copy_from(&duals);
                        lagrangian.credit(state, DualStep::Still);
                    };
                    minibatch.map(network, set).unwrap();
                    minibatch
                };
                let mut found = Gradient::zeros(&network);
                at_state(&network).weight_gradient(&network, &mut found).unwrap();
                for (l, found) in found.edges.iter().enumerate() {
                    let mut moved = network.clone();
                    let wanted: Vec<f64> = (0..found.len())
                        .map(|i| {
                            let w = network.dense()[l].parameters()[i];
                            let slope = derivative(STEP, |t| {
                                moved.weights_mut()[l][i] = w + t;
                                at_state(&moved).energies(&moved).unwrap().lagrangian() / SAMPLES as f64
                            });
                            moved.weights_mut()[l][i] = w;
                            slope
                        })
                        .collect();
                    let error = relative(found, &wanted);
                    assert!(error < TOLERANCE, "{what} {objective}, W_{}: relative error {error:e}", l + 1);
                }
            }
        });
    }
}

#[test]
fn the_constraint_operator_is_the_derivative_of_residuals_and_output() {
    at_random_states(|lagrangian, state, network, what| {
        let z = state.activities().clone();
        let v = random_stack(&network.widths()[..network.hidden()], 0.5, 41);
        let mut residuals = z.clone();
        let mut found = Stack::zeros(network.widths(), SAMPLES);
        lagrangian.residuals(state, &mut residuals);
        lagrangian.push_forward(state, &v, &mut found);
        for (l, found) in unload(&found).iter().enumerate() {
            for (at, &found) in found.iter().enumerate() {
                let wanted = derivative(STEP, |t| {
                    for (to, (z, v)) in state.activities_mut().layers.iter_mut().zip(z.layers.iter().zip(&v.layers)) {
                        let moved = z.data().iter().zip(v.data()).map(|(z, v)| z + t * v);
                        to.data_mut().iter_mut().zip(moved).for_each(|(to, moved)| *to = moved);
                    }
                    lagrangian.residuals(state, &mut residuals);
                    let layer = residuals.layers.get(l).unwrap_or(state.output());
                    layer.at(at % layer.rows(), at / layer.rows())
                });
                assert!((found - wanted).abs() < TOLERANCE, "{what}, layer {}: {found} {wanted}", l + 1);
            }
        }
    });
}

#[test]
fn the_pull_back_is_the_transpose_of_the_push_forward_edge_by_edge() {
    at_random_states(|lagrangian, state, network, what| {
        lagrangian.credit(state, DualStep::Still);
        let mut pulled = state.activities().clone();
        let mut pushed = Stack::zeros(network.widths(), SAMPLES);
        for below in 0..network.hidden() {
            // Only one edge joins a credit on one layer to a direction on the layer below.
            let above = below + 1;
            let keep = |mut stack: Stack<f64>, kept: usize| {
                let others = stack.layers.iter_mut().enumerate().filter(|(l, _)| *l != kept);
                others.for_each(|(_, layer)| layer.clear());
                stack
            };
            let q = keep(random_stack(network.widths(), 1.0, 51), above);
            let v = keep(random_stack(&network.widths()[..network.hidden()], 1.0, 61), below);
            state.credit_mut().copy_from(&q);
            lagrangian.activity_gradient(state, &mut pulled);
            lagrangian.push_forward(state, &v, &mut pushed);
            // Hidden edges are pushed forward as −J v, the readout as +J v.
            let sign = if above == network.hidden() { -1.0 } else { 1.0 };
            let (left, right) = (inner(&pulled, &v), sign * inner(&q, &pushed));
            let scale = inner(&v, &v).sqrt() * inner(&q, &q).sqrt();
            assert!((left - right).abs() < 1e-14 * scale, "{what}, edge {}: {left} {right}", above + 1);
            assert!(left != 0.0, "{what}, edge {}: nothing was compared", above + 1);
        }
    });
}
