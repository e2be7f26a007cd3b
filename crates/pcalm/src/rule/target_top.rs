//! What difference target propagation starts from.

/// The first target, from which the others come.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum TargetTop {
    /// That of the output, t_L = o + β(y − o): y with β = 1. For the squared error, whose targets are outputs.
    #[default]
    Target,
    /// That of the last hidden layer, t_{L−1} = z̄_{L−1} − β ∂ℓ_Π/∂z_{L−1}, for any loss.
    Gradient,
}

impl TargetTop {
    /// Both, for lists and tests.
    pub const ALL: &'static [TargetTop] = &[TargetTop::Target, TargetTop::Gradient];

    /// The name used in files and flags.
    pub fn name(self) -> &'static str {
        match self {
            TargetTop::Target => "target",
            TargetTop::Gradient => "gradient",
        }
    }

    /// The one of that [`name`](Self::name).
    pub fn from_name(name: &str) -> Option<Self> {
        Self::ALL.iter().copied().find(|top| top.name() == name)
    }
}
