//! Inference budgets: a number of cycles, or a multiple of the depth.

use crate::error::LabError;
use std::num::IntErrorKind;

/// The most cycles of one inference: hours of work for the smallest network.
const MOST: usize = 100_000_000;

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
    /// If the text is neither, not positive, or more than anyone can wait for at any depth.
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
                match factor {
                    _ if !(factor.is_finite() && factor > 0.0) => Err(bad()),
                    _ if factor > MOST as f64 => Err(too_many(trimmed)),
                    _ => Ok(Budget::PerDepth(factor)),
                }
            }
            None => match trimmed.parse::<usize>() {
                Ok(0) => Err(bad()),
                Ok(cycles) => Ok(Budget::Cycles(cycles)),
                Err(e) if *e.kind() == IntErrorKind::PosOverflow => Err(too_many(trimmed)),
                Err(_) => Err(bad()),
            },
        }
    }

    /// The number of cycles for a network of this depth, at least 1.
    ///
    /// # Errors
    /// If there are more than anyone can wait for.
    pub fn cycles(self, depth: usize) -> Result<usize, LabError> {
        match self {
            Budget::Cycles(cycles) if cycles <= MOST => Ok(cycles),
            Budget::Cycles(cycles) => Err(too_many(&cycles.to_string())),
            Budget::PerDepth(factor) => {
                let cycles = (factor * depth as f64).round().max(1.0);
                if cycles <= MOST as f64 { Ok(cycles as usize) } else { Err(too_many(&format!("{factor}L"))) }
            }
        }
    }
}

fn too_many(given: &str) -> LabError {
    LabError::option("budget", format!("`{given}` is more than 100,000,000 cycles; 1 … 100,000,000 are possible"))
}

#[cfg(test)]
mod tests {
    use super::Budget;

    #[test]
    fn a_budget_is_a_number_or_a_multiple_of_the_depth() {
        let cycles = |text: &str| Budget::parse(text).and_then(|b| b.cycles(32)).ok();
        assert_eq!(cycles("64"), Some(64));
        assert_eq!(cycles("2L"), Some(64));
        assert_eq!(cycles("0.5L"), Some(16));
        assert_eq!(cycles("L"), Some(32));
        for bad in ["0", "-3", "2M", "", "NaNL", "-1L", "1.5"] {
            assert_eq!(cycles(bad), None, "{bad}");
        }
    }

    #[test]
    fn a_budget_that_nobody_can_wait_for_is_refused_with_the_range_and_never_overflows() {
        let cycles = |text: &str, depth: usize| Budget::parse(text).and_then(|b| b.cycles(depth));
        assert_eq!(cycles("100000000", 2).unwrap(), 100_000_000);
        assert_eq!(cycles("1e7L", 10).unwrap(), 100_000_000);
        for (text, depth) in [
            ("100000001", 2),
            ("18446744073709551615", 2),
            ("99999999999999999999999999", 2),
            ("1e30L", 1),
            ("1e308L", usize::MAX),
            ("1e7L", 11),
        ] {
            let error = cycles(text, depth).unwrap_err().to_string();
            assert!(error.contains("budget") && error.contains("1 … 100,000,000"), "{text}: {error}");
        }
    }
}
