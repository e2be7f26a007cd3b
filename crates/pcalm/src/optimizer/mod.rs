//! Optimizers: from weight gradient to weight change.

mod schedule;

pub use schedule::Schedule;

use crate::{
    error::Error,
    gradient::{Gradient, shaped_like},
    network::Network,
    real::Real,
};
use rayon::prelude::*;

/// The update rule.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Method {
    /// w ← w − r g.
    Sgd,
    /// v ← μ v + g; w ← w − r v.
    Momentum,
    /// v ← μ v + g; w ← w − r (g + μ v).
    Nesterov,
    /// Adam with bias correction (Kingma & Ba 2015, alg. 1).
    Adam,
    /// Adam with decoupled weight decay (Loshchilov & Hutter 2019, alg. 2).
    AdamW,
}

/// One row of the list of optimizers.
#[derive(Clone, Copy, Debug)]
pub struct MethodInfo {
    /// The method.
    pub method: Method,
    /// The name used in files and flags.
    pub name: &'static str,
    /// The update, in one line.
    pub summary: &'static str,
    /// Buffers per weight.
    pub moments: usize,
    /// Whether the step's size is independent of the gradient's (its learning-rate rule differs).
    pub adaptive: bool,
}

/// Every optimizer, in the order lists and tests walk them.
pub const OPTIMIZERS: &[MethodInfo] = &[
    MethodInfo { method: Method::Sgd, name: "sgd", summary: "w ← w − r g", moments: 0, adaptive: false },
    MethodInfo {
        method: Method::Momentum,
        name: "momentum",
        summary: "heavy ball: v ← μ v + g, w ← w − r v",
        moments: 1,
        adaptive: false,
    },
    MethodInfo {
        method: Method::Nesterov,
        name: "nesterov",
        summary: "v ← μ v + g, w ← w − r (g + μ v)",
        moments: 1,
        adaptive: false,
    },
    MethodInfo { method: Method::Adam, name: "adam", summary: "Adam, bias-corrected", moments: 2, adaptive: true },
    MethodInfo {
        method: Method::AdamW,
        name: "adamw",
        summary: "Adam with decoupled weight decay",
        moments: 2,
        adaptive: true,
    },
];

impl Method {
    /// This method's row of [`OPTIMIZERS`].
    pub fn info(self) -> &'static MethodInfo {
        match self {
            Method::Sgd => &OPTIMIZERS[0],
            Method::Momentum => &OPTIMIZERS[1],
            Method::Nesterov => &OPTIMIZERS[2],
            Method::Adam => &OPTIMIZERS[3],
            Method::AdamW => &OPTIMIZERS[4],
        }
    }
}

/// An optimizer's settings.
///
/// | field | symbol | default | range | what it is |
/// | --- | --- | --- | --- | --- |
/// | `method` | | Adam | [`OPTIMIZERS`] | the update rule |
/// | `momentum` | μ | 0.9 | \[0, 1) | of momentum and Nesterov |
/// | `beta1` | β₁ | 0.9 | \[0, 1) | Adam's decay of the mean gradient |
/// | `beta2` | β₂ | 0.999 | \[0, 1) | Adam's decay of the mean square |
/// | `epsilon` | ε | 10⁻⁸ | > 0 in the number type | added to the root of the mean square |
/// | `weight_decay` | | 0 | ≥ 0 | of weights and biases alike |
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Settings {
    /// The update rule.
    pub method: Method,
    /// Momentum μ of [`Method::Momentum`] and [`Method::Nesterov`].
    pub momentum: f64,
    /// Adam's decay of the first moment.
    pub beta1: f64,
    /// Adam's decay of the second moment.
    pub beta2: f64,
    /// Adam's ε, added to the root of the second moment.
    pub epsilon: f64,
    /// Weight decay: decoupled for AdamW, added to the gradient for the others.
    pub weight_decay: f64,
}

impl Default for Settings {
    fn default() -> Self {
        Settings { method: Method::Adam, momentum: 0.9, beta1: 0.9, beta2: 0.999, epsilon: 1e-8, weight_decay: 0.0 }
    }
}

/// An optimizer with its moments.
#[derive(Clone, Debug, PartialEq)]
pub struct Optimizer<R> {
    settings: Settings,
    /// Per moment, per dense edge.
    moments: Vec<Vec<Vec<R>>>,
    updates: u64,
}

impl<R: Real> Optimizer<R> {
    /// Moments at zero, shaped for `network`.
    ///
    /// # Errors
    /// If a setting is outside its range.
    pub fn new(settings: Settings, network: &Network<R>) -> Result<Self, Error> {
        for (name, value) in [("momentum", settings.momentum), ("beta1", settings.beta1), ("beta2", settings.beta2)] {
            if !(0.0..1.0).contains(&value) {
                return Err(Error::setting(name, format!("{value} does not lie in [0, 1)")));
            }
        }
        if !(settings.weight_decay.is_finite() && settings.weight_decay >= 0.0) {
            return Err(Error::setting(
                "weight-decay",
                format!("{} is not a number of at least 0", settings.weight_decay),
            ));
        }
        // In the number type at hand, where a tiny one may be 0: a weight without gradient would become 0/0.
        let epsilon = R::of(settings.epsilon);
        if !(epsilon.is_finite() && epsilon > R::zero()) {
            let bits = 8 * R::BYTES;
            return Err(Error::setting(
                "epsilon",
                format!("{} is not a positive number in {bits} bits; it must be > 0", settings.epsilon),
            ));
        }
        let zeros = || Gradient::zeros(network).edges;
        let moments = (0..settings.method.info().moments).map(|_| zeros()).collect();
        Ok(Optimizer { settings, moments, updates: 0 })
    }

    /// The settings it was made with.
    pub fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Updates done.
    pub fn updates(&self) -> u64 {
        self.updates
    }

    /// The moments: per moment, per dense edge, shaped like its parameters.
    pub fn moments(&self) -> &[Vec<Vec<R>>] {
        &self.moments
    }

    /// Bytes of the moments.
    pub fn bytes(&self) -> usize {
        self.moments.iter().flatten().map(|m| size_of_val(m.as_slice())).sum()
    }

    /// Puts back moments and update count saved from an optimizer of the same shape.
    ///
    /// # Errors
    /// If their shapes differ, or a number is not finite.
    pub fn restore(&mut self, moments: Vec<Vec<Vec<R>>>, updates: u64) -> Result<(), Error> {
        let shape =
            |m: &[Vec<Vec<R>>]| -> Vec<Vec<usize>> { m.iter().map(|e| e.iter().map(Vec::len).collect()).collect() };
        if shape(&moments) != shape(&self.moments) {
            return Err(Error::File("the optimizer's moments do not fit the network and optimizer chosen".into()));
        }
        if !moments.iter().flatten().flatten().all(|m| m.is_finite()) {
            return Err(Error::File("the optimizer's moments hold numbers that are not finite".into()));
        }
        self.moments = moments;
        self.updates = updates;
        Ok(())
    }

    /// Whether it was made for weights of this shape; without moments, it is for any.
    ///
    /// # Errors
    /// If it was not.
    pub fn fits(&self, network: &Network<R>) -> Result<(), Error> {
        self.moments.iter().try_for_each(|m| shaped_like(m, network, "the optimizer"))
    }

    /// Changes the weights by one step of size `rate` along `gradient`: the one place where a
    /// network is written to.
    ///
    /// # Errors
    /// If optimizer or gradient were made for another network, or the rate is not a number of at least 0;
    /// nothing is changed then.
    pub fn update(&mut self, network: &mut Network<R>, gradient: &Gradient<R>, rate: f64) -> Result<(), Error> {
        self.fits(network)?;
        gradient.fits(network)?;
        if !(rate.is_finite() && rate >= 0.0) {
            return Err(Error::setting("learning-rate", format!("{rate} is not a number of at least 0")));
        }
        self.updates += 1;
        let s = self.settings;
        let t = self.updates as f64;
        let (rate, decay) = (R::of(rate), R::of(s.weight_decay));
        let (mu, beta1, beta2, epsilon) = (R::of(s.momentum), R::of(s.beta1), R::of(s.beta2), R::of(s.epsilon));
        let (unbias1, unbias2) = (R::of(1.0 / (1.0 - s.beta1.powf(t))), R::of(1.0 / (1.0 - s.beta2.powf(t))));
        let (mut first, mut second) = (Vec::new(), Vec::new());
        for (i, moment) in self.moments.iter_mut().enumerate() {
            let target = if i == 0 { &mut first } else { &mut second };
            target.extend(moment.iter_mut().map(Vec::as_mut_slice));
        }
        let mut weights = network.weights_mut();
        first.resize_with(weights.len(), Default::default);
        second.resize_with(weights.len(), Default::default);
        let edges = weights.par_iter_mut().zip(&gradient.edges).zip(first).zip(second);
        edges.for_each(|(((w, g), v), u)| {
            let decayed = |g: R, w: R| g + decay * w;
            match s.method {
                Method::Sgd => {
                    for (w, &g) in w.iter_mut().zip(g) {
                        *w -= rate * decayed(g, *w);
                    }
                }
                Method::Momentum => {
                    for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
                        *v = mu * *v + decayed(g, *w);
                        *w -= rate * *v;
                    }
                }
                Method::Nesterov => {
                    for ((w, &g), v) in w.iter_mut().zip(g).zip(v) {
                        let g = decayed(g, *w);
                        *v = mu * *v + g;
                        *w -= rate * (g + mu * *v);
                    }
                }
                Method::Adam | Method::AdamW => {
                    let (coupled, decoupled) =
                        if s.method == Method::Adam { (decay, R::zero()) } else { (R::zero(), decay) };
                    for (((w, &g), m), v) in w.iter_mut().zip(g).zip(v).zip(u) {
                        let g = g + coupled * *w;
                        *m = beta1 * *m + (R::one() - beta1) * g;
                        *v = beta2 * *v + (R::one() - beta2) * g * g;
                        let step = *m * unbias1 / ((*v * unbias2).sqrt() + epsilon);
                        *w -= rate * (step + decoupled * *w);
                    }
                }
            }
        });
        Ok(())
    }
}
