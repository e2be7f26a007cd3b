//! The shape h of a residual's energy: ½c² in predictive coding, or another \[FRM app. A.8\] (docs/maths.md §3).

use crate::{error::Error, real::Real};

/// An even h(c), bounded below, with h(0) = h'(0) = 0. A layer's energy is Σ p_i h(c_i), its credit p_i h'(c_i).
///
/// | name | h | h' | h''(0) | sup \|h'\| |
/// | --- | --- | --- | --- | --- |
/// | `half-square` | ½c² | c | 1 | ∞ |
/// | `square` | c² | 2c | 2 | ∞ |
/// | `log` | ln(1 + c²) | 2c/(1 + c²) | 2 | 1 |
/// | `half-log` | ½ ln(1 + c²) | c/(1 + c²) | 1 | ½ |
/// | `huber` | ½c², or δ(\|c\| − ½δ) beyond δ | c, at most ±δ | 1 | δ |
/// | `pseudo-huber` | δ²(√(1 + c²/δ²) − 1) | c/√(1 + c²/δ²) | 1 | δ |
/// | `log-cosh` | ln cosh c | tanh c | 1 | 1 |
///
/// A bounded h' caps the credit: where BP's is above the cap, the residual runs away and the loss is fitted by the
/// activities alone. ln\|c\| is no such shape: it is −∞ at c = 0, where every inference starts.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum EnergyShape {
    /// ½c².
    #[default]
    HalfSquare,
    /// c², twice the half square.
    Square,
    /// ln(1 + c²).
    Log,
    /// ½ ln(1 + c²).
    HalfLog,
    /// Quadratic up to δ, linear beyond.
    Huber(f64),
    /// The smooth one of Huber's kind; δ → 0 is δ|c|.
    PseudoHuber(f64),
    /// ln cosh c.
    LogCosh,
}

/// One row of the list of shapes.
#[derive(Clone, Copy, Debug)]
pub struct EnergyShapeInfo {
    /// The name used in files and flags.
    pub name: &'static str,
    /// What it is, in one line.
    pub summary: &'static str,
    /// Whether it has a scale δ.
    pub scaled: bool,
    make: fn(f64) -> EnergyShape,
}

impl EnergyShapeInfo {
    /// The shape, at scale δ if it has one.
    ///
    /// # Errors
    /// If δ is not a positive number.
    pub fn at(&self, scale: f64) -> Result<EnergyShape, Error> {
        match self.scaled && !(scale.is_finite() && scale > 0.0) {
            true => Err(Error::setting("energy-scale", format!("{scale} is not a positive number"))),
            false => Ok((self.make)(scale)),
        }
    }
}

/// Every shape, in the order of lists.
pub const ENERGY_SHAPES: &[EnergyShapeInfo] = &[
    EnergyShapeInfo {
        name: "half-square",
        summary: "½c²: predictive coding's own",
        scaled: false,
        make: |_| EnergyShape::HalfSquare,
    },
    EnergyShapeInfo {
        name: "square",
        summary: "c², twice the half square",
        scaled: false,
        make: |_| EnergyShape::Square,
    },
    EnergyShapeInfo {
        name: "log", summary: "ln(1 + c²): credit at most 1", scaled: false, make: |_| EnergyShape::Log
    },
    EnergyShapeInfo {
        name: "half-log",
        summary: "½ ln(1 + c²): credit at most ½",
        scaled: false,
        make: |_| EnergyShape::HalfLog,
    },
    EnergyShapeInfo {
        name: "huber",
        summary: "½c² up to δ, then linear: credit at most δ",
        scaled: true,
        make: EnergyShape::Huber,
    },
    EnergyShapeInfo {
        name: "pseudo-huber",
        summary: "δ²(√(1 + c²/δ²) − 1), smooth: credit at most δ",
        scaled: true,
        make: EnergyShape::PseudoHuber,
    },
    EnergyShapeInfo {
        name: "log-cosh",
        summary: "ln cosh c: credit at most 1",
        scaled: false,
        make: |_| EnergyShape::LogCosh,
    },
];

impl EnergyShape {
    /// h(c).
    pub fn value<R: Real>(self, c: R) -> R {
        let (one, half) = (R::one(), R::of(0.5));
        match self {
            EnergyShape::HalfSquare => half * c * c,
            EnergyShape::Square => c * c,
            EnergyShape::Log => (c * c).ln_1p(),
            EnergyShape::HalfLog => half * (c * c).ln_1p(),
            EnergyShape::Huber(delta) => {
                let (delta, size) = (R::of(delta), c.abs());
                if size <= delta { half * c * c } else { delta * (size - half * delta) }
            }
            EnergyShape::PseudoHuber(delta) => {
                let r = c / R::of(delta);
                // Without the cancellation of √(1 + r²) − 1.
                c * c / ((one + r * r).sqrt() + one)
            }
            EnergyShape::LogCosh => {
                let size = c.abs();
                size + (-(size + size)).exp().ln_1p() - R::of(std::f64::consts::LN_2)
            }
        }
    }

    /// h'(c).
    pub fn slope<R: Real>(self, c: R) -> R {
        let one = R::one();
        match self {
            EnergyShape::HalfSquare => c,
            EnergyShape::Square => c + c,
            EnergyShape::Log => (c + c) / (one + c * c),
            EnergyShape::HalfLog => c / (one + c * c),
            EnergyShape::Huber(delta) => match R::of(delta) {
                delta if c > delta => delta,
                delta if c < -delta => -delta,
                // NaN too stays what it is.
                _ => c,
            },
            EnergyShape::PseudoHuber(delta) => {
                let r = c / R::of(delta);
                c / (one + r * r).sqrt()
            }
            EnergyShape::LogCosh => c.tanh(),
        }
    }

    /// h''(c); at the corners of `huber` that of the inside.
    pub fn curvature<R: Real>(self, c: R) -> R {
        let one = R::one();
        let log = || (one - c * c) / ((one + c * c) * (one + c * c));
        match self {
            EnergyShape::HalfSquare => one,
            EnergyShape::Square => one + one,
            EnergyShape::Log => log() + log(),
            EnergyShape::HalfLog => log(),
            EnergyShape::Huber(delta) => {
                if c.abs() <= R::of(delta) {
                    one
                } else {
                    R::zero()
                }
            }
            EnergyShape::PseudoHuber(delta) => {
                let r = c / R::of(delta);
                (one + r * r).powf(R::of(-1.5))
            }
            EnergyShape::LogCosh => one - c.tanh() * c.tanh(),
        }
    }

    /// h''(0), the curvature at the forward pass: 2 or 1.
    pub fn curvature_at_rest(self) -> f64 {
        self.curvature(0.0)
    }

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        let at = match self {
            EnergyShape::HalfSquare => 0,
            EnergyShape::Square => 1,
            EnergyShape::Log => 2,
            EnergyShape::HalfLog => 3,
            EnergyShape::Huber(_) => 4,
            EnergyShape::PseudoHuber(_) => 5,
            EnergyShape::LogCosh => 6,
        };
        ENERGY_SHAPES[at].name
    }

    /// The shape of that name, at scale δ if it has one.
    ///
    /// # Errors
    /// If there is none of that name, or δ is not a positive number.
    pub fn named(name: &str, scale: f64) -> Result<Self, Error> {
        match ENERGY_SHAPES.iter().find(|shape| shape.name == name) {
            Some(shape) => shape.at(scale),
            None if ["log|c|", "ln|c|", "log-abs", "divisive"].contains(&name) => Err(Error::setting(
                "energy",
                format!(
                    "`{name}` is −∞ at c = 0, where every inference starts, and has no minimum; `log`, ln(1 + c²), is \
                     the bounded one of its kind"
                ),
            )),
            None => {
                let names: Vec<&str> = ENERGY_SHAPES.iter().map(|shape| shape.name).collect();
                Err(Error::setting("energy", format!("`{name}` is none of {}", names.join(", "))))
            }
        }
    }
}
