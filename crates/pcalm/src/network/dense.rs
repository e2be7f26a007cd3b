//! The dense map: weights, scale, bias and activation.

use crate::{activation::Activation, error::Error, real::Real};

/// Where the activation stands relative to the product.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Placement {
    /// a W φ(z) + b \[ALM\].
    #[default]
    Pre,
    /// φ(a W z + b) \[FRM, TR\].
    Post,
}

impl Placement {
    /// Both placements, for lists and tests.
    pub const ALL: &'static [Placement] = &[Placement::Pre, Placement::Post];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Placement::Pre => "pre",
            Placement::Post => "post",
        }
    }

    /// The placement of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|p| p.name() == name)
    }
}

/// A dense map from `cols` to `rows` units, a W φ(z) + b or φ(a W z + b); linear and without bias as it is made.
#[derive(Clone, Debug, PartialEq)]
pub struct Dense<R> {
    /// W, row-major `[rows, cols]`, then b, if there is one.
    parameters: Vec<R>,
    rows: usize,
    cols: usize,
    scale: R,
    activation: Activation,
    placement: Placement,
}

impl<R: Real> Dense<R> {
    /// With row-major weights W of shape `[rows, cols]` and scale a.
    ///
    /// # Errors
    /// If the shape is empty or not that of the weights, or a number is not finite.
    pub fn new(weight: Vec<R>, rows: usize, cols: usize, scale: R) -> Result<Self, Error> {
        if rows == 0 || cols == 0 {
            return Err(Error::Network(format!("a weight matrix of shape [{rows}, {cols}] has no entries")));
        }
        if rows.checked_mul(cols) != Some(weight.len()) {
            return Err(Error::Network(format!(
                "a weight matrix of shape [{rows}, {cols}] needs {rows} × {cols} numbers, got {}",
                weight.len()
            )));
        }
        if let Some(at) = weight.iter().position(|w| !w.is_finite()) {
            return Err(Error::Network(format!(
                "weight [{}, {}] is {}; weights must be finite",
                at / cols,
                at % cols,
                weight[at]
            )));
        }
        if !scale.is_finite() {
            return Err(Error::Network(format!("an edge's scale is {scale}; scales must be finite")));
        }
        let (activation, placement) = (Activation::Identity, Placement::Pre);
        Ok(Dense { parameters: weight, rows, cols, scale, activation, placement })
    }

    /// The same with activation φ.
    pub fn activated(self, activation: Activation, placement: Placement) -> Self {
        Dense { activation, placement, ..self }
    }

    /// The same with bias b, one number per row.
    ///
    /// # Errors
    /// If there are not as many numbers as rows, or one is not finite.
    pub fn biased(mut self, bias: &[R]) -> Result<Self, Error> {
        if bias.len() != self.rows {
            return Err(Error::Network(format!("a bias of {} numbers for {} units", bias.len(), self.rows)));
        }
        if let Some(at) = bias.iter().position(|b| !b.is_finite()) {
            return Err(Error::Network(format!("bias [{at}] is {}; biases must be finite", bias[at])));
        }
        self.parameters.truncate(self.rows * self.cols);
        self.parameters.extend_from_slice(bias);
        Ok(self)
    }

    /// W, row-major `[rows, cols]`.
    pub fn weight(&self) -> &[R] {
        &self.parameters[..self.rows * self.cols]
    }

    /// b, if there is one.
    pub fn bias(&self) -> Option<&[R]> {
        Some(&self.parameters[self.rows * self.cols..]).filter(|bias| !bias.is_empty())
    }

    /// All that is learned: W, then b if there is one.
    pub fn parameters(&self) -> &[R] {
        &self.parameters
    }

    /// All that is learned: W, then b if there is one.
    pub(super) fn parameters_mut(&mut self) -> &mut [R] {
        &mut self.parameters
    }

    /// Units it predicts.
    pub fn rows(&self) -> usize {
        self.rows
    }

    /// Units it reads.
    pub fn cols(&self) -> usize {
        self.cols
    }

    /// The scale a of the parametrization.
    pub fn scale(&self) -> R {
        self.scale
    }

    /// φ.
    pub fn activation(&self) -> Activation {
        self.activation
    }

    /// Where φ stands.
    pub fn placement(&self) -> Placement {
        self.placement
    }

    /// φ with where it stands, unless it is the identity.
    pub(crate) fn nonlinearity(&self) -> Option<(Activation, Placement)> {
        (self.activation != Activation::Identity).then_some((self.activation, self.placement))
    }

    /// The same in another number type.
    pub fn cast<S: Real>(&self) -> Dense<S> {
        Dense {
            parameters: self.parameters.iter().map(|w| S::of(w.wide())).collect(),
            rows: self.rows,
            cols: self.cols,
            scale: S::of(self.scale.wide()),
            activation: self.activation,
            placement: self.placement,
        }
    }
}
