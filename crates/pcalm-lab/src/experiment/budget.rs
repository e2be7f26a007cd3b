//! Inference budgets: a number of cycles, or a multiple of the depth.

use crate::error::LabError;

/// An inference budget T as users write it.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Budget {
    /// That many cycles.
    Cycles(usize),
    /// That many times the depth L, rounded to the nearest whole cycle.
    PerDepth(f64),
}

impl Budget {
    /// Reads `64`, `2L`, `0.5L` or `L`.
    ///
    /// # Errors
    /// If the text is neither, or not positive.
    pub fn parse(text: &str) -> Result<Self, LabError> {
        let bad = || {
            let problem = format!("`{text}` is not a positive number of steps like 64, or of depths like 2L");
            LabError::option("budget", problem)
        };
        let trimmed = text.trim();
        match trimmed.strip_suffix(['L', 'l']) {
            Some("") => Ok(Budget::PerDepth(1.0)),
            Some(factor) => {
                let factor: f64 = factor.trim().parse().map_err(|_| bad())?;
                if factor.is_finite() && factor > 0.0 { Ok(Budget::PerDepth(factor)) } else { Err(bad()) }
            }
            None => match trimmed.parse() {
                Ok(0) | Err(_) => Err(bad()),
                Ok(cycles) => Ok(Budget::Cycles(cycles)),
            },
        }
    }

    /// The number of cycles for a network of this depth, at least 1.
    pub fn cycles(self, depth: usize) -> usize {
        match self {
            Budget::Cycles(cycles) => cycles,
            Budget::PerDepth(factor) => ((factor * depth as f64).round() as usize).max(1),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_budget_is_a_number_or_a_multiple_of_the_depth() {
        let cycles = |text: &str| Budget::parse(text).map(|b| b.cycles(32)).ok();
        assert_eq!(cycles("64"), Some(64));
        assert_eq!(cycles("2L"), Some(64));
        assert_eq!(cycles("0.5L"), Some(16));
        assert_eq!(cycles("L"), Some(32));
        for bad in ["0", "-3", "2M", "", "NaNL", "-1L", "1.5"] {
            assert_eq!(cycles(bad), None, "{bad}");
        }
    }
}
