//! The backend every other one is held to: plain loops, one equation at a time.

mod edge;
mod product;

use super::{Backend, Problem};
use crate::{
    network::{Network, Placement},
    real::Real,
    stack::{Matrix, Stack},
    state::{Block, State},
};
use std::marker::PhantomData;

/// Portable sweeps in `f32` or `f64`, written for the reader.
#[derive(Clone, Copy, Debug, Default)]
pub struct Reference<R>(PhantomData<R>);

impl<R> Reference<R> {
    /// The reference backend.
    pub fn new() -> Self {
        Reference(PhantomData)
    }
}

impl<R: Real> Backend for Reference<R> {
    type Real = R;

    fn block_samples(&self, _network: &Network<R>) -> usize {
        32
    }

    fn drive(&self, network: &Network<R>, block: &mut Block<R>, state: &mut State<R>) {
        let first = &network.edges()[0];
        product::forward(first, &block.input, &mut block.drive);
        state.work.count(first.rows(), first.cols(), block.samples);
        if network.placement() == Placement::Post {
            let phi = network.activation();
            phi.map_slope(block.drive.data(), block.drive_slopes.data_mut());
            for u in block.drive.data_mut() {
                *u = phi.value(*u);
            }
        }
        if first.skip() {
            edge::add(&block.input, &mut block.drive);
        }
    }

    fn forward(&self, problem: &Problem<R>, state: &mut State<R>) {
        let State { activities, credit, slopes, output, scratch, work, .. } = state;
        drive_slopes(problem, slopes);
        activities.layers[0].copy_from(&problem.block.drive);
        for l in 1..problem.network.hidden() {
            let (before, after) = activities.layers.split_at_mut(l);
            edge::predict(problem, l, &before[l - 1], &mut after[0], slopes, scratch);
        }
        readout(problem, activities, slopes, output, scratch, credit.layers.last_mut());
        count_edges(problem, work);
    }

    fn residuals(&self, problem: &Problem<R>, state: &mut State<R>, residuals: &mut Stack<R>) {
        let State { activities, credit, slopes, output, scratch, work, .. } = state;
        residual_layers(problem, activities, slopes, scratch, &mut residuals.layers);
        readout(problem, activities, slopes, output, scratch, credit.layers.last_mut());
        count_edges(problem, work);
    }

    fn credit_sweep(&self, problem: &Problem<R>, state: &mut State<R>, dual_step: &[R]) {
        let State { activities, duals, credit, slopes, output, scratch, work } = state;
        let hidden = &mut credit.layers[..problem.network.hidden()];
        residual_layers(problem, activities, slopes, scratch, hidden);
        for (l, c) in hidden.iter_mut().enumerate() {
            let (alpha, rho) = (dual_step[l], problem.rho[l]);
            for (c, lambda) in c.data_mut().iter_mut().zip(duals.layers[l].data_mut()) {
                *lambda += alpha * *c;
                *c = *lambda + rho * *c;
            }
        }
        readout(problem, activities, slopes, output, scratch, credit.layers.last_mut());
        count_edges(problem, work);
    }

    fn activity_sweep(&self, problem: &Problem<R>, state: &mut State<R>, eta: R) {
        let State { activities, credit, slopes, scratch, work, .. } = state;
        let [signal, pulled] = scratch;
        for (l, z) in activities.layers.iter_mut().enumerate() {
            edge::pull_back(problem, l + 1, &credit.layers[l + 1], slopes, signal, pulled);
            let q = credit.layers[l].data();
            for ((z, &q), &pulled) in z.data_mut().iter_mut().zip(q).zip(pulled.data()) {
                *z -= eta * (q - pulled);
            }
        }
        count_edges(problem, work);
    }

    fn activity_gradient(&self, problem: &Problem<R>, state: &mut State<R>, gradient: &mut Stack<R>) {
        let State { credit, slopes, scratch, work, .. } = state;
        let [signal, pulled] = scratch;
        for (l, g) in gradient.layers.iter_mut().enumerate() {
            edge::pull_back(problem, l + 1, &credit.layers[l + 1], slopes, signal, pulled);
            let q = credit.layers[l].data();
            for ((g, &q), &pulled) in g.data_mut().iter_mut().zip(q).zip(pulled.data()) {
                *g = q - pulled;
            }
        }
        count_edges(problem, work);
    }

    fn adjoint_sweep(&self, problem: &Problem<R>, state: &mut State<R>) {
        let State { duals, credit, slopes, scratch, work, .. } = state;
        let [signal, pulled] = scratch;
        for l in (0..problem.network.hidden()).rev() {
            edge::pull_back(problem, l + 1, &credit.layers[l + 1], slopes, signal, pulled);
            let size = credit.layers[l].data().len();
            credit.layers[l].data_mut().copy_from_slice(&pulled.data()[..size]);
            duals.layers[l].copy_from(&credit.layers[l]);
        }
        count_edges(problem, work);
    }

    fn push_forward(&self, problem: &Problem<R>, state: &mut State<R>, direction: &Stack<R>, product: &mut Stack<R>) {
        for (l, out) in product.layers.iter_mut().enumerate() {
            match l.checked_sub(1) {
                None => out.clear(),
                Some(below) => {
                    let v = &direction.layers[below];
                    edge::push_forward(problem, l, v, &state.slopes, &mut state.scratch[0], out);
                }
            }
            if let Some(v) = direction.layers.get(l) {
                for (out, &v) in out.data_mut().iter_mut().zip(v.data()) {
                    *out = v - *out;
                }
            }
        }
        count_edges(problem, &mut state.work);
    }

    fn weight_gradient(&self, problem: &Problem<R>, state: &State<R>, edge: usize, weight: R, gradient: &mut [R]) {
        let network = problem.network;
        let phi = network.activation();
        let mut signal = state.credit.layers[edge].clone();
        if network.placement() == Placement::Post && edge < network.hidden() {
            edge::gate(&state.slopes.layers[edge], &mut signal);
        }
        let mut rates;
        let rates = match edge.checked_sub(1) {
            None => &problem.block.input,
            Some(below) if network.placement() == Placement::Post => &state.activities.layers[below],
            Some(below) => {
                rates = state.activities.layers[below].clone();
                phi.map_value(state.activities.layers[below].data(), rates.data_mut());
                &rates
            }
        };
        product::outer(-weight * network.edges()[edge].scale(), &signal, rates, gradient);
    }
}

/// In `post` placement the first edge's slopes are constant; the sweeps fill in the others.
fn drive_slopes<R: Real>(problem: &Problem<R>, slopes: &mut Stack<R>) {
    if problem.network.placement() == Placement::Post {
        slopes.layers[0].copy_from(&problem.block.drive_slopes);
    }
}

/// c = z − f(z) of every hidden layer, and the slopes at z.
fn residual_layers<R: Real>(
    problem: &Problem<R>,
    activities: &Stack<R>,
    slopes: &mut Stack<R>,
    scratch: &mut [Matrix<R>; 2],
    residuals: &mut [Matrix<R>],
) {
    drive_slopes(problem, slopes);
    for (l, c) in residuals.iter_mut().enumerate() {
        match l.checked_sub(1) {
            None => c.copy_from(&problem.block.drive),
            Some(below) => edge::predict(problem, l, &activities.layers[below], c, slopes, scratch),
        }
        for (c, &z) in c.data_mut().iter_mut().zip(activities.layers[l].data()) {
            *c = z - *c;
        }
    }
}

/// The output and its credit −e at the current activities.
fn readout<R: Real>(
    problem: &Problem<R>,
    activities: &Stack<R>,
    slopes: &mut Stack<R>,
    output: &mut Matrix<R>,
    scratch: &mut [Matrix<R>; 2],
    credit: Option<&mut Matrix<R>>,
) {
    let last = problem.network.hidden();
    edge::predict(problem, last, &activities.layers[last - 1], output, slopes, scratch);
    if let Some(credit) = credit {
        problem.loss.output_credit(output, &problem.block.target, problem.block.samples, credit);
    }
}

/// Counts one product on every edge but the first, whose input is constant.
fn count_edges<R: Real>(problem: &Problem<R>, work: &mut crate::state::Work) {
    for edge in &problem.network.edges()[1..] {
        work.count(edge.rows(), edge.cols(), problem.block.samples);
    }
}
