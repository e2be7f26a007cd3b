//! How weights are drawn and scaled, and the learning rate that goes with it
//! (docs/maths.md §2; \[ALM\] app. B, \[LIM\]).

use crate::{
    activation::Activation,
    error::Error,
    network::{Link, Network, Placement},
    real::Real,
};
use rand::{SeedableRng, distr::Distribution};
use rand_chacha::ChaCha8Rng;
use rand_distr::{StandardNormal, Uniform};

/// How the scalars a_l and the learning rate depend on widths and depth.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub enum Parametrization {
    /// a_1 = 1/√D; hidden 1/√N (chain) or 1/√(N L) (residual); a_L = 1/(γ0 N).
    #[default]
    MeanField,
    /// As mean-field, but a_L = 1/√N.
    Ntp,
    /// All a_l = 1, W_l ~ N(0, 1/n_{l-1}).
    Standard,
    /// All a_l = 1, W_l ~ U(±1/√n_{l-1}).
    StandardUniform,
    /// Scales and learning rate interpolated in log space between the standard-equivalent ones
    /// (a_l = 1/√n_{l-1}, s = 0) and mean-field (s = 1) \[ALM fig. 6\].
    Path {
        /// s ∈ [0, 1].
        s: f64,
    },
}

/// One row of the list of parametrizations.
#[derive(Clone, Copy, Debug)]
pub struct ParametrizationInfo {
    /// The name used in files and flags.
    pub name: &'static str,
    /// Scales and learning rate, in one line.
    pub summary: &'static str,
    /// The parametrization at position s of the path (others ignore s).
    pub at: fn(f64) -> Parametrization,
}

/// Every parametrization, in the order lists and tests walk them.
pub const PARAMETRIZATIONS: &[ParametrizationInfo] = &[
    ParametrizationInfo {
        name: "mean-field",
        summary: "a = 1/√D, hidden 1/√N or 1/√(NL) with skips, readout 1/(γ0 N); Adam rate η0 γ0² √(N/L), SGD η0 γ0² N",
        at: |_| Parametrization::MeanField,
    },
    ParametrizationInfo {
        name: "ntp",
        summary: "a = 1/√D, hidden 1/√N or 1/√(NL) with skips, readout 1/√N; rate η0",
        at: |_| Parametrization::Ntp,
    },
    ParametrizationInfo {
        name: "standard",
        summary: "a = 1, W ~ N(0, 1/fan-in); rate η0",
        at: |_| Parametrization::Standard,
    },
    ParametrizationInfo {
        name: "standard-uniform",
        summary: "a = 1, W ~ U(±1/√fan-in); rate η0",
        at: |_| Parametrization::StandardUniform,
    },
    ParametrizationInfo {
        name: "path",
        summary: "log-interpolation from standard-equivalent (s = 0) to mean-field (s = 1)",
        at: |s| Parametrization::Path { s },
    },
];

/// The shape of a network before its weights are drawn.
///
/// | field | symbol | default of [`residual`](Self::residual) | range | what it is |
/// | --- | --- | --- | --- | --- |
/// | `widths` | n_0 … n_L | | at least three, each ≥ 1 | units of input, hidden layers and output |
/// | `residual` | τ | true | | skips between hidden layers of equal width |
/// | `activation` | φ | | [`ACTIVATIONS`](crate::activation::ACTIVATIONS), or one's own | |
/// | `placement` | | pre | pre, post | where φ stands |
/// | `bias` | b | false | | whether there are biases |
#[derive(Clone, Debug, PartialEq)]
pub struct Architecture {
    /// D, the hidden widths n_1 … n_{L-1}, and O.
    pub widths: Vec<usize>,
    /// Skips between hidden layers of equal width (the residual architecture).
    pub residual: bool,
    /// φ.
    pub activation: Activation,
    /// Where φ stands.
    pub placement: Placement,
    /// Biases b_l, drawn as 0.
    pub bias: bool,
}

impl Architecture {
    /// Of a chain with skips between hidden layers of equal width, and no biases \[ALM\].
    pub fn residual(widths: Vec<usize>, activation: Activation) -> Self {
        Architecture { residual: true, ..Architecture::plain(widths, activation) }
    }

    /// Of a chain without skips or biases.
    pub fn plain(widths: Vec<usize>, activation: Activation) -> Self {
        Architecture { widths, residual: false, activation, placement: Placement::Pre, bias: false }
    }

    /// Depth L: the number of weight matrices.
    pub fn depth(&self) -> usize {
        self.widths.len().saturating_sub(1)
    }

    /// Draws the weights and scales them.
    ///
    /// The last hidden width stands for N in the readout scale; each hidden scale uses its own
    /// fan-in, so unequal widths are allowed (between them there is no skip).
    ///
    /// # Errors
    /// If a width is 0, there is no hidden layer, γ0 or s is out of range, or the weights do not fit
    /// into memory.
    pub fn draw<R: Real>(&self, parametrization: Parametrization, gamma0: f64, seed: u64) -> Result<Network<R>, Error> {
        if self.widths.len() < 3 {
            return Err(Error::setting(
                "depth",
                format!("{} weight matrices; a network needs at least 2 (one hidden layer)", self.depth()),
            ));
        }
        if let Some(at) = self.widths.iter().position(|&n| n == 0) {
            return Err(Error::setting("width", format!("layer {at} has width 0; every layer needs at least 1 unit")));
        }
        if !(gamma0.is_finite() && gamma0 > 0.0) {
            return Err(Error::setting("gamma0", format!("{gamma0} is not a positive number")));
        }
        if let Parametrization::Path { s } = parametrization
            && !(0.0..=1.0).contains(&s)
        {
            return Err(Error::setting("path-position", format!("{s} does not lie in [0, 1]")));
        }
        // All memory before the first draw: what does not fit is known at once.
        let buffers = (0..self.depth()).map(|l| self.reserve(l)).collect::<Result<Vec<_>, Error>>()?;
        let mut rng = ChaCha8Rng::seed_from_u64(seed);
        let links = buffers
            .into_iter()
            .enumerate()
            .map(|(l, mut weight)| {
                let (n, m) = (self.widths[l], self.widths[l + 1]);
                draw_weights(parametrization, n, n * m, &mut rng, &mut weight)?;
                let scale = R::of(self.scale(l, parametrization, gamma0));
                let Link { mut dense, skip } = Link::new(weight, m, n, scale, self.skip(l))?;
                if self.bias {
                    dense = dense.biased(&vec![R::zero(); m])?;
                }
                Ok(Link { dense, skip })
            })
            .collect::<Result<Vec<_>, Error>>()?;
        Network::chain(links, self.activation, self.placement)
    }

    /// Memory for the weights of the 0-based edge `l`.
    fn reserve<R: Real>(&self, l: usize) -> Result<Vec<R>, Error> {
        let (n, m) = (self.widths[l], self.widths[l + 1]);
        let mut weight = Vec::new();
        let count = n.checked_mul(m).and_then(|count| count.checked_add(if self.bias { m } else { 0 }));
        match count.map(|count| weight.try_reserve_exact(count)) {
            Some(Ok(())) => Ok(weight),
            _ => Err(Error::Memory {
                what: format!("w.{}, a weight matrix of shape [{m}, {n}]", l + 1),
                bytes: [m, R::BYTES].iter().fold(n as u64, |bytes, &by| bytes.saturating_mul(by as u64)),
            }),
        }
    }

    fn skip(&self, l: usize) -> bool {
        self.residual && l > 0 && l + 1 < self.depth() && self.widths[l] == self.widths[l + 1]
    }

    /// a_{l+1} of the 0-based edge `l`.
    fn scale(&self, l: usize, parametrization: Parametrization, gamma0: f64) -> f64 {
        let fan_in = self.widths[l] as f64;
        let equivalent = fan_in.sqrt().recip();
        let mean_field = || match l {
            0 => equivalent,
            _ if l + 1 == self.depth() => (gamma0 * fan_in).recip(),
            _ if self.residual => (fan_in * self.depth() as f64).sqrt().recip(),
            _ => equivalent,
        };
        match parametrization {
            Parametrization::MeanField => mean_field(),
            Parametrization::Ntp if l + 1 == self.depth() => equivalent,
            Parametrization::Ntp => mean_field(),
            Parametrization::Standard | Parametrization::StandardUniform => 1.0,
            Parametrization::Path { s } => equivalent.powf(1.0 - s) * mean_field().powf(s),
        }
    }
}

impl Parametrization {
    /// The learning rate for base rate η0 and richness γ0: `adaptive` for Adam-type optimizers,
    /// whose step does not scale with the gradient. N is the last hidden width.
    pub fn learning_rate(self, architecture: &Architecture, eta0: f64, gamma0: f64, adaptive: bool) -> f64 {
        let depth = architecture.depth();
        let width = architecture.widths[depth.saturating_sub(1)] as f64;
        let mean_field = eta0 * gamma0 * gamma0 * if adaptive { (width / depth as f64).sqrt() } else { width };
        match self {
            Parametrization::MeanField => mean_field,
            Parametrization::Ntp | Parametrization::Standard | Parametrization::StandardUniform => eta0,
            Parametrization::Path { s } => eta0.powf(1.0 - s) * mean_field.powf(s),
        }
    }
}

fn draw_weights<R: Real>(
    parametrization: Parametrization,
    fan_in: usize,
    count: usize,
    rng: &mut ChaCha8Rng,
    weight: &mut Vec<R>,
) -> Result<(), Error> {
    let bound = (fan_in as f64).sqrt().recip();
    // Drawn in f64 whatever R is, so that f32 and f64 runs of one seed start from one network.
    let mut normal = |sd: f64| weight.extend((0..count).map(|_| R::of(sd * sample(&StandardNormal, rng))));
    match parametrization {
        Parametrization::Standard => normal(bound),
        Parametrization::StandardUniform => {
            let range = Uniform::new(-bound, bound).map_err(|e| Error::Network(e.to_string()))?;
            weight.extend((0..count).map(|_| R::of(sample(&range, rng))));
        }
        Parametrization::MeanField | Parametrization::Ntp | Parametrization::Path { .. } => normal(1.0),
    }
    Ok(())
}

fn sample<D: Distribution<f64>>(distribution: &D, rng: &mut ChaCha8Rng) -> f64 {
    distribution.sample(rng)
}
