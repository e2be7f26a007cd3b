//! What an inference is about: the loss at the output, and how much every residual weighs (docs/maths.md §2–3).

use crate::{
    energy_shape::EnergyShape,
    error::Error,
    loss::Loss,
    network::Network,
    penalty::Penalty,
    precision::{Precision, Weighting},
    real::Real,
    stack::Matrix,
};

/// Whether an end of the network is held during inference: the input at x, the output at y by way of the loss.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum End {
    /// It is.
    #[default]
    Held,
    /// Nothing holds it.
    Free,
}

/// The loss ℓ, what residuals cost, and which ends are held: all of the energy F = ℓ_Π + Σ E_l(c_l) that is not the
/// network. E_l(c) = ½ρ_l cᵀΠ_l c, or another [shape](EnergyShape); ℓ_Π = ½eᵀΠ_L e with the squared error, π_L ℓ with any
/// loss.
#[derive(Clone, Debug, PartialEq)]
pub struct Objective<R> {
    loss: Loss,
    /// E of all hidden layers, or one each.
    penalties: Vec<Penalty<R>>,
    /// Whether these came with precisions, one per edge.
    per_edge: bool,
    /// Π_L.
    readout: Weighting<R>,
    input: End,
    output: End,
}

/// With E = ½‖c‖² on all layers, Π_L = I, and both ends held.
impl<R: Real> From<Loss> for Objective<R> {
    fn from(loss: Loss) -> Self {
        let one = || Weighting::Scalar(R::one());
        let penalties = vec![Penalty::Quadratic(one())];
        Objective { loss, penalties, per_edge: false, readout: one(), input: End::Held, output: End::Held }
    }
}

impl<R: Real> Objective<R> {
    /// With one penalty ρ for all hidden layers, or one for each, input side first; both ends held.
    ///
    /// # Errors
    /// If a penalty is not a positive number, also when rounded to `R`, or there is none.
    pub fn new(loss: Loss, penalties: &[f64]) -> Result<Self, Error> {
        Objective::weighted(loss, penalties, &[], EnergyShape::HalfSquare)
    }

    /// With E_l(c) = ρ_l Σ p_i h(c_i), and precisions: none, one for every edge, or one for each, of which the last is
    /// that of the loss; both ends held.
    ///
    /// # Errors
    /// If a penalty is not a positive number, a precision is not symmetric and positive definite, one of the loss is
    /// more than a number and the loss not the squared error, or one is full with another h than the half square. The
    /// message names the layer.
    pub fn weighted(
        loss: Loss,
        penalties: &[f64],
        precisions: &[Precision],
        shape: EnergyShape,
    ) -> Result<Self, Error> {
        if penalties.is_empty() {
            return Err(Error::setting("rho", "no value; give one, or one per hidden layer"));
        }
        let positive = |rho: f64| R::of(rho).is_finite() && R::of(rho) > R::zero();
        if let Some(rho) = penalties.iter().find(|&&rho| !positive(rho)) {
            return Err(Error::setting("rho", format!("{rho} is not a positive number")));
        }
        let one = Precision::default();
        let (hidden, last) = match precisions {
            [] => (&[][..], &one),
            [all] => (precisions, all),
            [hidden @ .., last] => (hidden, last),
        };
        if hidden.len() > 1 && penalties.len() > 1 && hidden.len() != penalties.len() {
            let problem = format!("{} values beside precisions of {} hidden layers", penalties.len(), hidden.len());
            return Err(Error::setting("rho", problem));
        }
        let count = hidden.len().max(penalties.len());
        let of = |values: usize, l: usize| if values == 1 { 0 } else { l };
        let penalties = (0..count).map(|l| {
            let rho = penalties[of(penalties.len(), l)];
            let precision = if hidden.is_empty() { &one } else { &hidden[of(hidden.len(), l)] };
            Penalty::new(precision, rho, shape, &format!("layer {}", l + 1))
        });
        let penalties = penalties.collect::<Result<Vec<_>, _>>()?;
        let readout = Weighting::new(last, 1.0, "the output")?;
        if readout.scalar().is_none() && loss != Loss::SquaredError {
            let problem = format!("that of the output is more than a number, but the loss is {}", loss.name());
            return Err(Error::setting("precision", problem));
        }
        Ok(Objective { penalties, per_edge: precisions.len() > 1, readout, ..loss.into() })
    }

    /// F = λℓ + (1 − λ)Ẽ with λ = `share`, Ẽ = ½Σ‖c‖² \[FRM eq. 48\]: precisions Π_L = λ and Π_l = 1 − λ. Towards 0 it
    /// is BP's direction, λ times as long; towards 1 the last hidden layer goes to its target.
    ///
    /// # Errors
    /// If λ does not lie between 0 and 1: at 0 nothing drives the hidden layers, at 1 nothing ties them together.
    pub fn with_loss_share(loss: Loss, share: f64) -> Result<Self, Error> {
        if !(share > 0.0 && share < 1.0) {
            let why = "at 0 the loss has no weight and every hidden gradient is zero; at 1 only the last hidden layer \
                       moves, and the other gradients are zero";
            return Err(Error::setting("loss-share", format!("{share} does not lie between 0 and 1: {why}")));
        }
        Objective::weighted(loss, &[1.0 - share], &[], EnergyShape::HalfSquare).and_then(|objective| {
            Ok(Objective { readout: Weighting::new(&Precision::Scalar(share), 1.0, "the output")?, ..objective })
        })
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

    /// Π_L.
    pub fn readout(&self) -> &Weighting<R> {
        &self.readout
    }

    /// E of the 0-based hidden layer `l`; none where nothing holds it at its prediction.
    pub fn penalty(&self, l: usize) -> Option<&Penalty<R>> {
        if self.is_free(l) {
            return None;
        }
        let first = usize::from(self.input == End::Free);
        Some(if let [all] = &self.penalties[..] { all } else { &self.penalties[l - first] })
    }

    /// A number that E''(0) is nowhere above: the largest penalty.
    pub fn largest_penalty(&self) -> f64 {
        self.penalties.iter().map(|penalty| penalty.curvature_bounds()[1]).fold(0.0, f64::max)
    }

    /// A number that E''(0) is nowhere below: the smallest penalty.
    pub fn least_penalty(&self) -> f64 {
        self.penalties.iter().map(|penalty| penalty.curvature_bounds()[0]).fold(f64::INFINITY, f64::min)
    }

    /// A number that no eigenvalue of Π is below, on any layer.
    pub fn least_weight(&self) -> f64 {
        self.penalties.iter().map(|penalty| penalty.weight().bounds()[0]).fold(f64::INFINITY, f64::min)
    }

    /// Whether E = ½ρ‖c‖² with one ρ for all layers.
    pub fn is_uniform(&self) -> bool {
        self.penalties.iter().all(|penalty| penalty.rho().is_some() && *penalty == self.penalties[0])
    }

    /// ρ, where E = ½ρ‖c‖² with one ρ that was given for all layers.
    pub(crate) fn common_rho(&self) -> Option<R> {
        match &self.penalties[..] {
            [all] if self.input == End::Held => all.rho(),
            _ => None,
        }
    }

    /// Whether E = ½ρ_l‖c‖² on every layer.
    pub fn has_scalars_alone(&self) -> bool {
        self.penalties.iter().all(|penalty| penalty.rho().is_some())
    }

    /// Whether E = ½Σρ_{l,i}c_i² on every layer.
    pub fn weighs_by_units(&self) -> bool {
        let by_units = |p: &Penalty<R>| matches!(p, Penalty::Quadratic(weight) if weight.of_unit(0).is_some());
        self.penalties.iter().all(by_units)
    }

    /// Whether F is quadratic in a residual: every E is, and the loss.
    pub fn is_quadratic(&self) -> bool {
        let quadratic = |penalty: &Penalty<R>| matches!(penalty, Penalty::Quadratic(_));
        self.loss == Loss::SquaredError && self.penalties.iter().all(quadratic)
    }

    /// The same in another number type.
    ///
    /// # Errors
    /// If a penalty is too small or too large for it.
    pub fn cast<S: Real>(&self) -> Result<Objective<S>, Error> {
        let penalties = self.penalties.iter().enumerate().map(|(l, penalty)| penalty.cast(&format!("layer {}", l + 1)));
        Ok(Objective {
            loss: self.loss,
            penalties: penalties.collect::<Result<_, _>>()?,
            per_edge: self.per_edge,
            readout: self.readout.cast("the output")?,
            input: self.input,
            output: self.output,
        })
    }

    /// Whether there is a penalty of the right size for each of the network's hidden layers, and a first layer to be
    /// free if one is.
    ///
    /// # Errors
    /// If there is not; the message names the layer.
    pub fn fits(&self, network: &Network<R>) -> Result<(), Error> {
        let mut hidden = network.hidden();
        if self.input == End::Free {
            if !network.is_freed() {
                return Err(Error::Network("its input is held; `freed` makes it one whose input can be free".into()));
            }
            hidden -= 1;
        }
        let given = self.penalties.len();
        if self.per_edge && given != hidden {
            let (given, edges) = (given + 1, hidden + 1);
            let problem = format!("{given} values for {edges} edges; give one, or one per edge, the output's last");
            return Err(Error::setting("precision", problem));
        }
        if given != 1 && given != hidden {
            let problem = format!("{given} values for {hidden} hidden layers; give one, or one per hidden layer");
            return Err(Error::setting("rho", problem));
        }
        let layers = (0..network.hidden()).filter_map(|l| Some((Some(l), self.penalty(l)?.weight())));
        for (l, weight) in layers.chain([(None, &self.readout)]) {
            let width = network.widths()[l.unwrap_or(network.hidden())];
            if let Some(units) = weight.units().filter(|&units| units != width) {
                let whose = l.map_or_else(|| "the output".into(), |l| format!("layer {}", l + 1));
                return Err(Error::setting(
                    "precision",
                    format!("that of {whose} is for {units} units, but the network has {width} there"),
                ));
            }
        }
        Ok(())
    }

    /// ℓ_Π, summed over the first `samples` columns of an output.
    pub fn total_loss(&self, output: &Matrix<R>, target: &Matrix<R>, samples: usize) -> f64 {
        match self.readout.scalar() {
            Some(p) => p.wide() * self.loss.total(output, target, samples),
            None => {
                let mut error = Matrix::zeros(output.rows(), output.cols());
                self.loss.output_credit(output, target, samples, &mut error);
                0.5 * self.readout.quadratic_form(&error, samples)
            }
        }
    }

    /// The credit of the output edge, −∂ℓ_Π/∂o, for the first `samples` columns of `output`; padding columns get 0.
    pub fn output_credit(&self, output: &Matrix<R>, target: &Matrix<R>, samples: usize, credit: &mut Matrix<R>) {
        let cols = credit.cols();
        if let Weighting::Full(full) = &self.readout {
            // The squared error's alone, so that y − o is at hand.
            let n = output.rows();
            for (i, credit) in credit.data_mut().chunks_exact_mut(cols).enumerate() {
                credit.fill(R::zero());
                for (j, &p) in full.matrix.weight()[i * n..][..n].iter().enumerate() {
                    let pairs = target.row(j)[..samples].iter().zip(output.row(j));
                    credit.iter_mut().zip(pairs).for_each(|(q, (&y, &o))| *q += p * (y - o));
                }
            }
            return;
        }
        self.loss.output_credit(output, target, samples, credit);
        if self.readout.scalar() != Some(R::one()) {
            for (i, row) in credit.data_mut().chunks_exact_mut(cols).enumerate() {
                let p = self.readout.of_unit(i).unwrap_or_else(R::one);
                row.iter_mut().for_each(|q| *q = p * *q);
            }
        }
    }

    /// `v` ← (∂²ℓ_Π/∂o²) v, each sample's curvature of the loss at its `output`.
    pub fn loss_curvature(&self, output: &Matrix<R>, target: &Matrix<R>, v: &mut Matrix<R>, samples: usize) {
        self.loss.curvature_product(output, target, v, samples);
        if self.readout.scalar() != Some(R::one()) {
            let curved = v.clone();
            self.readout.apply(R::one(), R::zero(), &curved, v);
        }
    }
}
