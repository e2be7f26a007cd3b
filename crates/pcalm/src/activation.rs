//! Activation functions φ with the derivatives inference and theory need.

use crate::real::Real;

/// An elementwise activation function φ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Activation {
    /// φ(x) = x: a linear network.
    Identity,
    /// φ(x) = tanh x.
    Tanh,
    /// φ(x) = max(x, 0), with φ'(0) = 0.
    Relu,
    /// φ(x) = x for x > 0, else x/100.
    LeakyRelu,
    /// φ(x) = x Φ(x) with the exact normal distribution function Φ.
    Gelu,
    /// φ(x) = x σ(x).
    Silu,
    /// φ(x) = 1/(1 + e⁻ˣ).
    Sigmoid,
    /// φ(x) = x clipped to [−1, 1].
    HardTanh,
    /// One that is in no list. No backend has a fused pass for it.
    Own(OwnActivation),
}

/// An activation of a program's own, by value: φ and its derivatives as functions of one number. Known by its name,
/// which files and reports have; a [`Catalogue`](crate::catalogue::Catalogue) finds it again.
#[derive(Clone, Copy, Debug)]
pub struct OwnActivation {
    /// Its name, in lower case and with hyphens.
    pub name: &'static str,
    /// φ(x).
    pub value: fn(f64) -> f64,
    /// φ'(x).
    pub slope: fn(f64) -> f64,
    /// φ''(x), for the exact activity Hessian alone.
    pub curvature: fn(f64) -> f64,
}

impl PartialEq for OwnActivation {
    fn eq(&self, other: &Self) -> bool {
        self.name == other.name
    }
}

impl Eq for OwnActivation {}

/// Slope of [`Activation::LeakyRelu`] left of zero, as in PyTorch and JAX.
pub(crate) const LEAK: f64 = 0.01;

/// Every activation, in the order lists and tests walk them.
pub const ACTIVATIONS: &[Activation] = &[
    Activation::Identity,
    Activation::Tanh,
    Activation::Relu,
    Activation::LeakyRelu,
    Activation::Gelu,
    Activation::Silu,
    Activation::Sigmoid,
    Activation::HardTanh,
];

impl Activation {
    /// The name used in files, flags and reports.
    pub fn name(self) -> &'static str {
        match self {
            Activation::Identity => "identity",
            Activation::Tanh => "tanh",
            Activation::Relu => "relu",
            Activation::LeakyRelu => "leaky-relu",
            Activation::Gelu => "gelu",
            Activation::Silu => "silu",
            Activation::Sigmoid => "sigmoid",
            Activation::HardTanh => "hard-tanh",
            Activation::Own(own) => own.name,
        }
    }

    /// The formula, in one line.
    pub fn summary(self) -> &'static str {
        match self {
            Activation::Identity => "x (a linear network)",
            Activation::Tanh => "tanh x",
            Activation::Relu => "max(x, 0), slope 0 at 0",
            Activation::LeakyRelu => "x for x > 0, else x/100",
            Activation::Gelu => "x·Φ(x), the exact (erf) form",
            Activation::Silu => "x·sigmoid(x)",
            Activation::Sigmoid => "1/(1 + exp(−x))",
            Activation::HardTanh => "x clipped to [−1, 1]",
            Activation::Own(_) => "a program's own",
        }
    }

    /// The activation of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        ACTIVATIONS.iter().copied().find(|a| a.name() == name)
    }

    /// φ(x).
    #[inline(always)]
    pub fn value<R: Real>(self, x: R) -> R {
        let one = R::one();
        match self {
            Activation::Identity => x,
            Activation::Tanh => x.tanh(),
            // Written so that NaN passes through: a diverged run must not look healthy.
            Activation::Relu => {
                if x < R::zero() {
                    R::zero()
                } else {
                    x
                }
            }
            Activation::LeakyRelu => {
                if x > R::zero() {
                    x
                } else {
                    x * R::of(LEAK)
                }
            }
            Activation::Gelu => x * normal_cdf(x),
            Activation::Silu => x * sigmoid(x),
            Activation::Sigmoid => sigmoid(x),
            Activation::HardTanh => {
                if x > one {
                    one
                } else if x < -one {
                    -one
                } else {
                    x
                }
            }
            Activation::Own(own) => R::of((own.value)(x.wide())),
        }
    }

    /// φ'(x); at a kink, the left derivative for relu and leaky relu, 1 for the hard tanh.
    #[inline(always)]
    pub fn slope<R: Real>(self, x: R) -> R {
        let (zero, one) = (R::zero(), R::one());
        match self {
            Activation::Identity => one,
            Activation::Tanh => {
                let t = x.tanh();
                one - t * t
            }
            Activation::Relu => {
                if x > zero {
                    one
                } else {
                    zero
                }
            }
            Activation::LeakyRelu => {
                if x > zero {
                    one
                } else {
                    R::of(LEAK)
                }
            }
            Activation::Gelu => normal_cdf(x) + x * normal_pdf(x),
            Activation::Silu => {
                let s = sigmoid(x);
                s * (one + x * (one - s))
            }
            Activation::Sigmoid => {
                let s = sigmoid(x);
                s * (one - s)
            }
            Activation::HardTanh => {
                if x.abs() <= one {
                    one
                } else {
                    zero
                }
            }
            Activation::Own(own) => R::of((own.slope)(x.wide())),
        }
    }

    /// Where φ' jumps; of a program's own activation nothing is known.
    pub fn kinks(self) -> &'static [f64] {
        match self {
            Activation::Relu | Activation::LeakyRelu => &[0.0],
            Activation::HardTanh => &[-1.0, 1.0],
            _ => &[],
        }
    }

    /// φ''(x), zero almost everywhere for the piecewise-linear ones; used by the exact
    /// activity Hessian only.
    pub fn curvature<R: Real>(self, x: R) -> R {
        let (one, two) = (R::one(), R::of(2.0));
        match self {
            Activation::Identity | Activation::Relu | Activation::LeakyRelu | Activation::HardTanh => R::zero(),
            Activation::Tanh => {
                let t = x.tanh();
                -two * t * (one - t * t)
            }
            Activation::Gelu => normal_pdf(x) * (two - x * x),
            Activation::Silu => {
                let s = sigmoid(x);
                s * (one - s) * (two + x * (one - two * s))
            }
            Activation::Sigmoid => {
                let s = sigmoid(x);
                s * (one - s) * (one - two * s)
            }
            Activation::Own(own) => R::of((own.curvature)(x.wide())),
        }
    }

    /// The open interval that φ maps the numbers onto, one to one; `None` where it does not, or where nobody can say, as
    /// of a program's own.
    pub fn range(self) -> Option<(f64, f64)> {
        match self {
            Activation::Identity | Activation::LeakyRelu => Some((f64::NEG_INFINITY, f64::INFINITY)),
            Activation::Tanh => Some((-1.0, 1.0)),
            Activation::Sigmoid => Some((0.0, 1.0)),
            Activation::Relu | Activation::Gelu | Activation::Silu | Activation::HardTanh | Activation::Own(_) => None,
        }
    }

    /// The x with φ(x) = v; `None` if v is not in the [`range`](Self::range), or there is none.
    pub fn inverse(self, v: f64) -> Option<f64> {
        let (low, high) = self.range()?;
        if !(low < v && v < high) {
            return None;
        }
        Some(match self {
            Activation::Tanh => v.atanh(),
            Activation::Sigmoid => v.ln() - (-v).ln_1p(),
            Activation::LeakyRelu if v <= 0.0 => v / LEAK,
            _ => v,
        })
    }

    /// `slopes[i] = φ'(values[i])`, then `values[i] = φ(values[i])`, with the choice of φ taken out
    /// of the loop.
    pub fn activate<R: Real>(self, values: &mut [R], slopes: &mut [R]) {
        self.with_constant(|phi| {
            for (v, s) in values.iter_mut().zip(slopes.iter_mut()) {
                *s = phi.slope(*v);
                *v = phi.value(*v);
            }
        });
    }

    /// Calls `body` once per arm with a literal variant, so that inlining leaves one tight loop
    /// per activation instead of a match per element.
    #[inline(always)]
    fn with_constant(self, mut body: impl FnMut(Activation)) {
        match self {
            Activation::Identity => body(Activation::Identity),
            Activation::Tanh => body(Activation::Tanh),
            Activation::Relu => body(Activation::Relu),
            Activation::LeakyRelu => body(Activation::LeakyRelu),
            Activation::Gelu => body(Activation::Gelu),
            Activation::Silu => body(Activation::Silu),
            Activation::Sigmoid => body(Activation::Sigmoid),
            Activation::HardTanh => body(Activation::HardTanh),
            Activation::Own(own) => body(Activation::Own(own)),
        }
    }
}

fn sigmoid<R: Real>(x: R) -> R {
    R::one() / (R::one() + (-x).exp())
}

/// Φ(x), the standard normal distribution function.
fn normal_cdf<R: Real>(x: R) -> R {
    R::of(0.5) * (R::one() + (x * R::of(std::f64::consts::FRAC_1_SQRT_2)).erf())
}

/// The standard normal density.
fn normal_pdf<R: Real>(x: R) -> R {
    let norm = R::of(0.5 * std::f64::consts::FRAC_2_SQRT_PI * std::f64::consts::FRAC_1_SQRT_2);
    norm * (-R::of(0.5) * x * x).exp()
}
