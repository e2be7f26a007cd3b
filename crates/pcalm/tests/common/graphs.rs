//! Networks that are no chain, and plain linear algebra on them.
#![allow(dead_code)]

use super::numbers;
use nalgebra::{DMatrix, DVector};
use pcalm::{
    activation::Activation,
    backend::Reference,
    lagrangian::Lagrangian,
    network::{Dense, Edge, Map, Network, Placement},
    stack::Stack,
    state::State,
};

pub const SAMPLES: usize = 3;
pub const STEP: f64 = 1e-3;

pub fn dense(
    from: usize,
    to: usize,
    (cols, rows): (usize, usize),
    phi: (Activation, Placement),
    bias: bool,
) -> Edge<f64> {
    let seed = (100 * from + to) as u64;
    let weight = numbers(rows * cols, seed);
    let mut dense = Dense::new(weight, rows, cols, 1.2 / (cols as f64).sqrt()).unwrap().activated(phi.0, phi.1);
    if bias {
        dense = dense.biased(&numbers(rows, 7 + seed)).unwrap();
    }
    Edge { from, to, map: Map::Dense(dense) }
}

pub fn skip(from: usize, to: usize) -> Edge<f64> {
    Edge { from, to, map: Map::Skip }
}

/// Five hidden nodes of widths 4, 4, 4, 3, 4, with a skip beside a dense edge, skips over one and over two nodes, dense
/// edges from the input past the first node, past a node, and twice between the same two; edges with and without bias.
pub fn network(phi: Activation, placement: Placement) -> Network<f64> {
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
pub fn networks() -> impl Iterator<Item = (Network<f64>, String)> {
    let smooth = [Activation::Tanh, Activation::Gelu, Activation::Sigmoid, Activation::Identity];
    smooth.into_iter().flat_map(|phi| {
        Placement::ALL.iter().map(move |&placement| (network(phi, placement), format!("{phi:?} {placement:?}")))
    })
}

/// Any z and λ for all samples; the padding stays at its forward pass, where it has no credit.
pub fn at_random_state(lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) {
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
pub fn predict(edge: &Edge<f64>, z: &DVector<f64>) -> DVector<f64> {
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
pub fn jacobian(edge: &Edge<f64>, z: &DVector<f64>) -> DMatrix<f64> {
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
pub fn forward(network: &Network<f64>, x: &[f64]) -> Vec<DVector<f64>> {
    let mut nodes = vec![DVector::from_column_slice(x)];
    for node in 1..=network.depth() {
        nodes.push(network.entering(node).map(|(_, edge)| predict(edge, &nodes[edge.from])).sum());
    }
    nodes
}
