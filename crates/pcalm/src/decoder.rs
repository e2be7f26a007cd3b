//! What difference target propagation makes of a target on its way down.

/// g_l, which takes a value of layer l to one of layer l − 1 with backward weights B_l \[FRM A.1.3\].
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Decoder {
    /// g(v) = B v.
    #[default]
    Linear,
    /// g(v) = φ(B v), after Lee et al. 2015.
    Phi,
    /// The link's own inverse, with B in the place of V⁺: φ⁻¹(B (v − b)) in `pre` placement, B (φ⁻¹(v) − b) in `post`.
    Inverse,
}

impl Decoder {
    /// Every decoder, for lists and tests.
    pub const ALL: &'static [Decoder] = &[Decoder::Linear, Decoder::Phi, Decoder::Inverse];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            Decoder::Linear => "linear",
            Decoder::Phi => "phi",
            Decoder::Inverse => "inverse",
        }
    }

    /// The decoder of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|d| d.name() == name)
    }
}
