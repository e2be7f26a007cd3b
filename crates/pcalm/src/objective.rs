//! What an inference is about: the loss at the output, and how much every residual weighs (docs/maths.md §2–3).

use crate::{dual_step::DualStep, error::Error, loss::Loss, network::Network, real::Real};

/// Whether an end of the network is held during inference: the input at x, the output at y by way of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is.
    #[default]
    Held,
    /// Nothing holds it.
    Free,
}

/// The loss ℓ, the penalties ρ_l, and which ends are held: all of the energy F = ℓ + ½ Σ ρ_l ‖c_l‖² that is not the
/// network.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective<R> {
    loss: Loss,
    /// ρ of all hidden layers, or one each.
    penalties: Vec<R>,
    input: End,
    output: End,
}

/// With ρ = 1 on all layers, and both ends held.
impl<R: Real> From<Loss> for Objective<R> {
    fn from(loss: Loss) -> Self {
        Objective { loss, penalties: vec![R::one()], input: End::Held, output: End::Held }
    }
}

impl<R: Real> Objective<R> {
    /// With one penalty ρ for all hidden layers, or one for each, input side first; both ends held.
    ///
    /// # Errors
    /// If a penalty is not a positive number, also when rounded to `R`, or there is none.
    pub fn new(loss: Loss, penalties: &[f64]) -> Result<Self, Error> {
        if penalties.is_empty() {
            return Err(Error::setting("rho", "no value; give one, or one per hidden layer"));
        }
        let rounded: Vec<R> = penalties.iter().map(|&rho| R::of(rho)).collect();
        let bad = rounded.iter().position(|rho| !(rho.is_finite() && *rho > R::zero()));
        match bad {
            Some(at) => Err(Error::setting("rho", format!("{} is not a positive number", penalties[at]))),
            None => Ok(Objective { penalties: rounded, ..loss.into() }),
        }
    }

    /// The same with these ends. A free output has no loss. A free input is the first hidden layer of a network with
    /// [`freed`](Network::freed) input: neither penalty nor dual holds it at x, from where it starts; penalties that
    /// are given one by one are those of the other layers.
    pub fn with_ends(self, input: End, output: End) -> Self {
        Objective { input, output, ..self }
    }

    /// Whether the input is held.
    pub fn input(&self) -> End {
        self.input
    }

    /// Whether the loss is part of the energy.
    pub fn output(&self) -> End {
        self.output
    }

    /// Whether nothing holds the 0-based hidden layer `l` at its prediction.
    pub fn is_free(&self, l: usize) -> bool {
        l == 0 && self.input == End::Free
    }

    /// ℓ.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// ρ of the 0-based hidden layer `l`.
    pub fn penalty(&self, l: usize) -> R {
        if self.is_free(l) {
            return R::zero();
        }
        let first = usize::from(self.input == End::Free);
        if let [all] = self.penalties[..] { all } else { self.penalties[l - first] }
    }

    /// The dual step of the 0-based hidden layer `l`: none where nothing holds it at its prediction.
    pub fn dual_step(&self, l: usize, step: DualStep<R>) -> R {
        if self.is_free(l) { R::zero() } else { step.at(self.penalty(l)) }
    }

    /// The penalties as given: one for all layers, or one each.
    pub fn penalties(&self) -> &[R] {
        &self.penalties
    }

    /// The largest penalty.
    pub fn largest_penalty(&self) -> f64 {
        self.penalties.iter().map(|rho| rho.wide()).fold(0.0, f64::max)
    }

    /// The smallest penalty.
    pub fn least_penalty(&self) -> f64 {
        self.penalties.iter().map(|rho| rho.wide()).fold(f64::INFINITY, f64::min)
    }

    /// Whether all layers have one ρ.
    pub fn is_uniform(&self) -> bool {
        self.penalties.iter().all(|rho| *rho == self.penalties[0])
    }

    /// The same in another number type.
    ///
    /// # Errors
    /// If a penalty is too small or too large for it.
    pub fn cast<S: Real>(&self) -> Result<Objective<S>, Error> {
        let wide: Vec<f64> = self.penalties.iter().map(|rho| rho.wide()).collect();
        Ok(Objective::new(self.loss, &wide)?.with_ends(self.input, self.output))
    }

    /// Whether there is a penalty for each of the network's hidden layers, and a first one to be free if one is.
    ///
    /// # Errors
    /// If there is not.
    pub fn fits(&self, network: &Network<R>) -> Result<(), Error> {
        let mut hidden = network.hidden();
        if self.input == End::Free {
            if !network.is_freed() {
                return Err(Error::Network("its input is held; `freed` makes it one whose input can be free".into()));
            }
            hidden -= 1;
        }
        let given = self.penalties.len();
        if given == 1 || given == hidden {
            return Ok(());
        }
        let problem = format!("{given} values for {hidden} hidden layers; give one, or one per hidden layer");
        Err(Error::setting("rho", problem))
    }
}
