//! How a measured number is held to a limit.
//!
//! One rule for every claim about a mean over repetitions: confirmed if the whole confidence interval lies on the
//! right side of the limit; in part if the number alone does, or keeps a looser limit; otherwise not confirmed.
//! Without an interval, with one repetition, nothing is confirmed.

use crate::{
    claim::Verdict,
    stats::{Line, Mean, Paired},
};

/// A number and its 95 % confidence interval, if there is one.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Estimate {
    /// The number.
    pub value: f64,
    /// The interval; absent with one repetition.
    pub interval: Option<[f64; 2]>,
}

impl From<Mean> for Estimate {
    fn from(mean: Mean) -> Self {
        Estimate { value: mean.value, interval: mean.interval }
    }
}

impl From<Paired> for Estimate {
    fn from(test: Paired) -> Self {
        test.difference.into()
    }
}

impl From<Line> for Estimate {
    fn from(line: Line) -> Self {
        Estimate { value: line.slope, interval: line.interval }
    }
}

impl Estimate {
    /// Whether the number lies from `low` to `high`.
    pub fn is_within(&self, [low, high]: [f64; 2]) -> bool {
        low <= self.value && self.value <= high
    }

    /// Whether the whole interval does.
    pub fn is_surely_within(&self, [low, high]: [f64; 2]) -> bool {
        self.interval.is_some_and(|[from, to]| low <= from && to <= high)
    }
}

/// A verdict, and what keeps it from being a better one.
#[derive(Clone, Debug, PartialEq)]
pub struct Judgement {
    /// The verdict.
    pub verdict: Verdict,
    /// The doubt to be remarked, or nothing.
    pub doubt: String,
}

impl From<Verdict> for Judgement {
    fn from(verdict: Verdict) -> Self {
        Judgement { verdict, doubt: String::new() }
    }
}

impl Judgement {
    /// A number that is to lie in a range, or at least in a looser one.
    pub fn within(estimate: impl Into<Estimate>, range: [f64; 2], looser: [f64; 2]) -> Self {
        let estimate = estimate.into();
        if !estimate.is_within(range) {
            return Verdict::of(false, estimate.is_within(looser)).into();
        }
        if estimate.is_surely_within(range) {
            return Verdict::Confirmed.into();
        }
        let doubt = match estimate.interval {
            Some(_) => "the 95 % interval reaches past the limit",
            None => "one repetition has no interval",
        };
        Judgement { verdict: Verdict::Partly, doubt: doubt.to_owned() }
    }

    /// A number that is to be at least `limit`, or at least `looser`.
    pub fn above(estimate: impl Into<Estimate>, limit: f64, looser: f64) -> Self {
        Self::within(estimate, [limit, f64::INFINITY], [looser, f64::INFINITY])
    }

    /// A number that is to be at most `limit`, or at most `looser`.
    pub fn below(estimate: impl Into<Estimate>, limit: f64, looser: f64) -> Self {
        Self::within(estimate, [f64::NEG_INFINITY, limit], [f64::NEG_INFINITY, looser])
    }

    /// Cells of which all are to keep a limit, `sure` of them by their whole interval and `near` by their mean;
    /// in part if `part` of them do by their mean.
    pub fn of_cells(sure: usize, near: usize, all: usize, part: usize) -> Self {
        let open = near - sure;
        let doubt = match open {
            0 => String::new(),
            1 => "1 cell keeps the limit by its mean alone, not by its whole 95 % interval".to_owned(),
            _ => format!("{open} cells keep the limit by their means alone, not by their whole 95 % intervals"),
        };
        Judgement { verdict: Verdict::of(sure == all, near >= part), doubt }
    }

    /// Whether the number is where it was wanted, surely or not.
    pub fn holds_by_value(&self) -> bool {
        self.verdict == Verdict::Confirmed || !self.doubt.is_empty()
    }

    /// In part at least, if there is something to it.
    pub fn or_partly(self, something: bool) -> Self {
        let verdict = if something { self.verdict.min(Verdict::Partly) } else { self.verdict };
        Judgement { verdict, ..self }
    }

    /// Two that must both hold: the worse verdict, and both doubts.
    pub fn and(self, other: Self) -> Self {
        Judgement { verdict: self.verdict.max(other.verdict), doubt: joined(&self.doubt, &other.doubt) }
    }
}

/// Two remarks as one, of which either may be empty or both the same.
pub fn joined(first: &str, second: &str) -> String {
    match (first, second) {
        (one, "") | ("", one) => one.to_owned(),
        (one, other) if one == other => one.to_owned(),
        (one, other) => format!("{one}; {other}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stats::{line, mean, paired};
    use Verdict::{Confirmed, NotConfirmed, Partly};

    const PAST: &str = "the 95 % interval reaches past the limit";

    fn of(judgement: Judgement) -> (Verdict, String) {
        (judgement.verdict, judgement.doubt)
    }

    #[test]
    fn the_whole_interval_confirms_and_the_mean_alone_does_in_part() {
        // Mean 2, deviation 1, and t(2) = 4.3027: 2 ± 4.3027/√3 = 2 ± 2.4842, from −0.4842 to 4.4842.
        let found = mean(&[1.0, 2.0, 3.0]).unwrap();
        assert_eq!(of(Judgement::above(found, -0.49, -5.0)), (Confirmed, String::new()));
        assert_eq!(of(Judgement::above(found, -0.48, -5.0)), (Partly, PAST.to_owned()));
        assert_eq!(of(Judgement::above(found, 2.0, 0.0)), (Partly, PAST.to_owned()));
        // Past the limit itself there is no doubt to remark on: a looser limit is kept, or none.
        assert_eq!(of(Judgement::above(found, 2.1, 1.9)), (Partly, String::new()));
        assert_eq!(of(Judgement::above(found, 2.2, 2.1)), (NotConfirmed, String::new()));
        assert_eq!(of(Judgement::below(found, 4.49, 9.0)), (Confirmed, String::new()));
        assert_eq!(of(Judgement::below(found, 4.48, 9.0)), (Partly, PAST.to_owned()));
        assert_eq!(of(Judgement::below(found, 1.9, 2.1)), (Partly, String::new()));
        assert_eq!(of(Judgement::below(found, 1.9, 1.9)), (NotConfirmed, String::new()));
        assert_eq!(of(Judgement::within(found, [-0.49, 4.49], [-9.0, 9.0])), (Confirmed, String::new()));
        assert_eq!(of(Judgement::within(found, [-0.48, 4.49], [-9.0, 9.0])), (Partly, PAST.to_owned()));
    }

    #[test]
    fn one_repetition_confirms_nothing() {
        let found = mean(&[7.0]).unwrap();
        assert_eq!(of(Judgement::above(found, 0.0, 0.0)), (Partly, "one repetition has no interval".to_owned()));
        assert_eq!(of(Judgement::above(found, 8.0, 8.0)), (NotConfirmed, String::new()));
    }

    #[test]
    fn a_test_is_judged_by_its_difference_and_a_line_by_its_slope() {
        // Differences 1 and 3: 2 ± 12.7062 · √2/√2, from −10.7062 to 14.7062.
        let test = paired(&[2.0, 5.0], &[1.0, 2.0]).unwrap();
        assert_eq!(Judgement::above(test, -10.71, -10.71).verdict, Confirmed);
        assert_eq!(Judgement::above(test, -10.70, -10.70).verdict, Partly);
        // Residuals of 1/3, −2/3 and 1/3 about a slope of 1/2: √(2/3 / 1 / 2) = 0.57735, times 12.7062 is 7.3360.
        let fit = line(&[(0.0, 0.0), (1.0, -0.5), (2.0, 1.0)]).unwrap();
        assert!((fit.slope - 0.5).abs() < 1e-12);
        assert_eq!(Judgement::below(fit, 7.84, 7.84).verdict, Confirmed);
        assert_eq!(Judgement::below(fit, 7.83, 7.83).verdict, Partly);
    }

    #[test]
    fn cells_are_counted_by_their_whole_intervals() {
        assert_eq!(of(Judgement::of_cells(60, 60, 60, 30)), (Confirmed, String::new()));
        let (verdict, doubt) = of(Judgement::of_cells(57, 60, 60, 30));
        assert!(verdict == Partly && doubt.starts_with("3 cells"), "{doubt}");
        assert_eq!(Judgement::of_cells(0, 29, 60, 30).verdict, NotConfirmed);
    }

    #[test]
    fn of_two_that_must_both_hold_the_worse_decides_and_no_doubt_is_lost() {
        let found = mean(&[1.0, 2.0, 3.0]).unwrap();
        let both = Judgement::above(found, -1.0, -1.0).and(Judgement::above(found, 0.0, 0.0));
        assert_eq!(of(both.clone()), (Partly, PAST.to_owned()));
        assert_eq!(of(both.and(NotConfirmed.into())), (NotConfirmed, PAST.to_owned()));
        assert_eq!(joined("a", "b"), "a; b");
    }
}
