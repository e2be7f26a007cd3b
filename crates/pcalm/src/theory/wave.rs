//! Credit on its way from the readout to the input, seen at every step of inference (docs/maths.md §7
//! and §9; \[ALM\] app. D).
//!
//! Predicted, for long waves in residual networks: a front moves √(ηα) layers per step, damped by
//! ηρk²/2 per step at wavenumber k (see [`dispersion`](super::dispersion())); alignment to BP turns
//! upward at T* = L/√(ηα). With α = 0 credit only diffuses: its front advances as √t.

use super::follow::follow;
use crate::{
    backend::Host,
    error::Error,
    gradient::{Agreement, Alignment, Gradient},
    infer::infer,
    lagrangian::{DualStep, Lagrangian},
    minibatch::Batch,
    network::Network,
    objective::Objective,
    real::Real,
    rule::{Backprop, Rule},
    stack::Stack,
    state::State,
};

/// The share of its BP value at which a layer's credit counts as arrived.
pub const FRACTION: f64 = 0.5;

/// Credit of one layer after one step; norms over all samples of the batch.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct LayerCredit {
    /// ‖q_l‖.
    pub credit: f64,
    /// ‖λ_l‖.
    pub dual: f64,
    /// ρ_l‖c_l‖.
    pub residual: f64,
    /// The gradient of W_l beside BP's; in a network that is no chain, of the first weights into layer l.
    pub agreement: Agreement,
}

/// Everything after one step.
#[derive(Clone, Debug, PartialEq)]
pub struct Moment {
    /// Steps of inference done.
    pub step: usize,
    /// Hidden layers, input side first.
    pub layers: Vec<LayerCredit>,
    /// The whole weight gradient beside BP's.
    pub agreement: Agreement,
}

/// An inference watched step by step.
#[derive(Clone, Debug, PartialEq)]
pub struct Wave {
    /// BP's ‖q_l‖ = ‖λ_l‖.
    pub backprop: Vec<f64>,
    /// One entry per step, from 0.
    pub moments: Vec<Moment>,
}

impl Wave {
    /// Runs `rule` on all samples of `batch` as one block, looking at every step.
    ///
    /// # Errors
    /// If batch or penalties do not fit the network, or the activities diverged.
    pub fn watch<B: Host>(
        backend: &B,
        network: &Network<B::Real>,
        batch: &Batch<B::Real>,
        objective: &Objective<B::Real>,
        rule: &dyn Rule<B>,
    ) -> Result<Self, Error> {
        let (block, mut state) = batch.block(backend, network)?;
        let lagrangian = Lagrangian::new(backend, network, &block, objective)?;
        let mut look = WaveMeter::new(&lagrangian, &mut state);
        let mut moments = Vec::new();
        follow(rule, &lagrangian, &mut state, |step, state| moments.push(look.at(step, state)))?;
        Ok(Wave { backprop: look.backprop, moments })
    }

    /// When the front has passed each hidden layer, counted from the readout: entry d is the step at
    /// which d + 1 layers next to the readout all have [`FRACTION`] of their BP credit for the first
    /// time, interpolated between steps; ends at the first layer that never got there.
    pub fn arrivals(&self) -> Vec<f64> {
        let hidden = self.backprop.len();
        let mut times: Vec<f64> = Vec::new();
        for l in (0..hidden).rev() {
            let share = |m: &Moment| m.layers[l].credit / self.backprop[l];
            let Some(at) = self.moments.iter().position(|m| share(m) >= FRACTION) else { break };
            let time = match at.checked_sub(1) {
                None => 0.0,
                Some(before) => {
                    let (low, high) = (share(&self.moments[before]), share(&self.moments[at]));
                    before as f64 + (FRACTION - low) / (high - low)
                }
            };
            times.push(times.last().map_or(time, |last| time.max(*last)));
        }
        times
    }

    /// Layers per step of the front: the slope of a straight line through the arrivals, the first
    /// and last fifth of the layers left out, where the ends of the network are felt. `None` if the
    /// front passed fewer than four fifths.
    pub fn front_speed(&self) -> Option<f64> {
        let (hidden, times) = (self.backprop.len(), self.arrivals());
        let range = hidden / 5..hidden - hidden / 5;
        if times.len() < range.end || range.len() < 3 {
            return None;
        }
        let points: Vec<(f64, f64)> = range.map(|d| (d as f64, times[d])).collect();
        Some(1.0 / slope(&points))
    }

    /// How far credit has spread after each step: the distance from the last hidden layer, in layers,
    /// at which a layer's credit, as a share of BP's, is half of that layer's; `None` where it is
    /// above half everywhere.
    pub fn half_widths(&self) -> Vec<Option<f64>> {
        self.moments.iter().map(|m| self.half_width(m)).collect()
    }

    fn half_width(&self, moment: &Moment) -> Option<f64> {
        let shares: Vec<f64> =
            moment.layers.iter().zip(&self.backprop).rev().map(|(layer, bp)| layer.credit / bp).collect();
        let half = 0.5 * shares[0];
        let at = shares.iter().position(|s| *s < half)?;
        Some((at - 1) as f64 + (shares[at - 1] - half) / (shares[at - 1] - shares[at]))
    }

    /// p of the law half-width ∝ stepsᵖ that fits best (in logarithms) while the half-width is
    /// between two layers and half of the network: 1 is a wave, ½ diffusion. `None` if fewer than four
    /// steps are in that range.
    pub fn spreading_exponent(&self) -> Option<f64> {
        let range = 2.0..=0.5 * self.backprop.len() as f64;
        let widths = self.half_widths().into_iter().zip(&self.moments);
        let points: Vec<(f64, f64)> = widths
            .filter_map(|(width, m)| width.filter(|w| range.contains(w)).map(|w| ((m.step as f64).ln(), w.ln())))
            .collect();
        (points.len() >= 4).then(|| slope(&points))
    }

    /// The step at which the alignment to BP rises fastest. `None` without at least three steps.
    pub fn inflection(&self) -> Option<f64> {
        let cosines: Vec<f64> = self.moments.iter().map(|m| m.agreement.cosine).collect();
        let rises: Vec<f64> = cosines.windows(3).map(|w| 0.5 * (w[2] - w[0])).collect();
        let top = (0..rises.len()).filter(|&i| rises[i].is_finite()).max_by(|&i, &j| rises[i].total_cmp(&rises[j]))?;
        Some((top + 1) as f64)
    }
}

/// Slope of the least-squares line through points (x, y).
fn slope(points: &[(f64, f64)]) -> f64 {
    let n = points.len() as f64;
    let (mx, my) = points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + x / n, b + y / n));
    let (xy, xx) = points.iter().fold((0.0, 0.0), |(a, b), (x, y)| (a + (x - mx) * (y - my), b + (x - mx) * (x - mx)));
    xy / xx
}

/// What looking at a state takes: BP's results to compare with, and buffers.
struct WaveMeter<'s, 'a, B: Host> {
    lagrangian: &'s Lagrangian<'a, B>,
    backprop: Vec<f64>,
    wanted: Gradient<B::Real>,
    found: Gradient<B::Real>,
    /// The first dense edge into each hidden layer, among the dense ones.
    edge_into: Vec<Option<usize>>,
    copy: State<B>,
    residuals: Stack<B::Real>,
}

impl<'s, 'a, B: Host> WaveMeter<'s, 'a, B> {
    fn new(lagrangian: &'s Lagrangian<'a, B>, state: &mut State<B>) -> Self {
        let network = lagrangian.problem().network;
        // A forward pass that overflows shows in what follows.
        let _ = infer(&Backprop, lagrangian, state, &mut ());
        let dense = network.dense_edges().iter().map(|&edge| network.edges()[edge].to);
        let edge_into = (1..=network.hidden()).map(|node| dense.clone().position(|to| to == node)).collect();
        let mut look = WaveMeter {
            lagrangian,
            edge_into,
            backprop: norms(&state.duals, lagrangian.samples()),
            wanted: Gradient::zeros(network),
            found: Gradient::zeros(network),
            residuals: state.activities.clone(),
            copy: state.clone(),
        };
        lagrangian.weight_gradient(&look.copy, &mut look.wanted);
        look
    }

    fn at(&mut self, step: usize, state: &State<B>) -> Moment {
        self.copy.activities.copy_from(&state.activities);
        self.copy.duals.copy_from(&state.duals);
        self.copy.front = 0;
        self.lagrangian.residuals(&mut self.copy, &mut self.residuals);
        self.lagrangian.credit(&mut self.copy, DualStep::Still);
        self.lagrangian.weight_gradient(&self.copy, &mut self.found);
        let samples = self.lagrangian.samples();
        let alignment = Alignment::new(&self.found, &self.wanted);
        let credit = norms(&self.copy.credit, samples);
        let dual = norms(&self.copy.duals, samples);
        // E'(c) = q − λ, where no ρ says what it is.
        let rho = |l: usize| self.lagrangian.problem().objective.penalty(l)?.rho();
        let mut residual = norms(&self.residuals, samples);
        self.residuals.copy_from(&self.copy.duals);
        let one = B::Real::of(1.0);
        self.lagrangian.combine(one, &self.copy.credit, -one, &mut self.residuals);
        let force = norms(&self.residuals, samples);
        residual.iter_mut().enumerate().for_each(|(l, c)| *c = rho(l).map_or(force[l], |rho| rho.wide() * *c));
        let layers = (0..dual.len()).map(|l| LayerCredit {
            credit: credit[l],
            dual: dual[l],
            residual: residual[l],
            agreement: self.edge_into[l].map_or(Agreement::NONE, |edge| alignment.layers[edge]),
        });
        Moment { step, layers: layers.collect(), agreement: alignment.whole }
    }
}

fn norms<R: Real>(stack: &Stack<R>, samples: usize) -> Vec<f64> {
    stack.layers.iter().map(|m| m.norm_squared(samples).sqrt()).collect()
}
