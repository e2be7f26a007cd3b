//! The residual energy of one layer: E(c), and E'(c), which is the credit less the dual (docs/maths.md §3–4).

use crate::{
    energy_shape::EnergyShape,
    error::Error,
    precision::{Precision, Weighting},
    real::Real,
    stack::Matrix,
};

/// What a residual costs.
#[derive(Clone, Debug, PartialEq)]
pub enum Penalty<R> {
    /// E = ½ cᵀΠc.
    Quadratic(Weighting<R>),
    /// E = Σ p_i h(c_i), with p a scalar or a diagonal.
    Shaped {
        /// p.
        weight: Weighting<R>,
        /// h.
        shape: EnergyShape,
    },
}

impl<R: Real> Penalty<R> {
    /// With weights `factor` · Π and the shape h; `layer` is whose it is, for messages.
    ///
    /// # Errors
    /// If the precision is none, or full with a shape other than the half square.
    pub fn new(precision: &Precision, factor: f64, shape: EnergyShape, layer: &str) -> Result<Self, Error> {
        let weight = Weighting::new(precision, factor, layer)?;
        match (&weight, shape) {
            (_, EnergyShape::HalfSquare) => Ok(Penalty::Quadratic(weight)),
            (Weighting::Full(_), shape) => Err(Error::setting(
                "energy",
                format!(
                    "`{}` weighs units one by one, but the precision of {layer} is a full matrix; give it as a number \
                     or a diagonal, or take `half-square`",
                    shape.name()
                ),
            )),
            _ => Ok(Penalty::Shaped { weight, shape }),
        }
    }

    /// The same in another number type.
    ///
    /// # Errors
    /// As [`Weighting::cast`].
    pub fn cast<S: Real>(&self, layer: &str) -> Result<Penalty<S>, Error> {
        Ok(match self {
            Penalty::Quadratic(weight) => Penalty::Quadratic(weight.cast(layer)?),
            Penalty::Shaped { weight, shape } => Penalty::Shaped { weight: weight.cast(layer)?, shape: *shape },
        })
    }

    /// Π, or p.
    pub fn weight(&self) -> &Weighting<R> {
        match self {
            Penalty::Quadratic(weight) | Penalty::Shaped { weight, .. } => weight,
        }
    }

    /// h.
    pub fn shape(&self) -> EnergyShape {
        match self {
            Penalty::Quadratic(_) => EnergyShape::HalfSquare,
            Penalty::Shaped { shape, .. } => *shape,
        }
    }

    /// ρ, where E = ½ρ‖c‖².
    pub fn rho(&self) -> Option<R> {
        match self {
            Penalty::Quadratic(weight) => weight.scalar(),
            Penalty::Shaped { .. } => None,
        }
    }

    /// Two numbers that no eigenvalue of E''(0) is below or above.
    pub fn curvature_bounds(&self) -> [f64; 2] {
        self.weight().bounds().map(|p| p * self.shape().curvature_at_rest())
    }

    /// Σ over the first `samples` columns of E(c).
    pub fn energy(&self, c: &Matrix<R>, samples: usize) -> f64 {
        match self {
            Penalty::Quadratic(weight) => 0.5 * weight.quadratic_form(c, samples),
            Penalty::Shaped { weight, shape } => (0..c.rows())
                .map(|i| {
                    let p = weight.of_unit(i).map_or(0.0, R::wide);
                    p * c.row(i)[..samples].iter().map(|c| shape.value(c.wide())).sum::<f64>()
                })
                .sum(),
        }
    }

    /// `out` ← `factor` E''(0) v + `shift` v.
    pub fn stiffen(&self, factor: R, shift: R, v: &Matrix<R>, out: &mut Matrix<R>) {
        self.weight().apply(factor * R::of(self.shape().curvature_at_rest()), shift, v, out);
    }
}
