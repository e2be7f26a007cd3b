//! What an inference is about: the loss at the output, and how much every residual weighs (docs/maths.md §2–3).

use crate::{error::Error, loss::Loss, network::Network, real::Real};

/// The loss ℓ and the penalties ρ_l: all of the energy F = ℓ + ½ Σ ρ_l ‖c_l‖² that is not the network.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective<R> {
    loss: Loss,
    /// ρ of all hidden layers, or one each.
    penalties: Vec<R>,
}

/// With ρ = 1 on all layers.
impl<R: Real> From<Loss> for Objective<R> {
    fn from(loss: Loss) -> Self {
        Objective { loss, penalties: vec![R::one()] }
    }
}

impl<R: Real> Objective<R> {
    /// With one penalty ρ for all hidden layers, or one for each, input side first.
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
            None => Ok(Objective { loss, penalties: rounded }),
        }
    }

    /// ℓ.
    pub fn loss(&self) -> Loss {
        self.loss
    }

    /// ρ of the 0-based hidden layer `l`.
    pub fn penalty(&self, l: usize) -> R {
        if let [all] = self.penalties[..] { all } else { self.penalties[l] }
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
        Objective::new(self.loss, &wide)
    }

    /// Whether there is a penalty for each of the network's hidden layers.
    ///
    /// # Errors
    /// If there is not.
    pub fn fits(&self, network: &Network<R>) -> Result<(), Error> {
        let (given, hidden) = (self.penalties.len(), network.hidden());
        if given == 1 || given == hidden {
            return Ok(());
        }
        let problem = format!("{given} values for {hidden} hidden layers; give one, or one per hidden layer");
        Err(Error::setting("rho", problem))
    }
}
