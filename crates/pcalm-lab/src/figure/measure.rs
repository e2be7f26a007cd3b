//! Small measures that several figures share.

use crate::{
    judgement::{Estimate, Judgement},
    stats::Mean,
};

/// Cosine of the angle between two vectors; 0 if one has no length.
pub fn cosine(a: &[f64], b: &[f64]) -> f64 {
    let dot = |a: &[f64], b: &[f64]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f64>();
    let lengths = (dot(a, a) * dot(b, b)).sqrt();
    if lengths > 0.0 { dot(a, b) / lengths } else { 0.0 }
}

/// The worst of several gaps to BP.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Worst<'a, T> {
    /// Where it is.
    pub at: &'a T,
    /// How large it is.
    pub gap: Mean,
    /// How many gaps are within the tolerance by their mean.
    pub within: usize,
    /// How many are by their whole interval.
    pub sure: usize,
    /// How many there are.
    pub all: usize,
}

impl<T> Worst<'_, T> {
    /// That all be within the tolerance, or at least `part` of them.
    pub fn judged(&self, part: usize) -> Judgement {
        Judgement::of_cells(self.sure, self.within, self.all, part)
    }
}

/// The most negative of `gaps`, and how many are at least −`tolerance`; `None` without any.
pub fn worst<T>(gaps: &[(T, Mean)], tolerance: f64) -> Option<Worst<'_, T>> {
    let (at, gap) = gaps.iter().min_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
    let enough = [-tolerance, f64::INFINITY];
    let count = |is: fn(&Estimate, [f64; 2]) -> bool| gaps.iter().filter(|(_, g)| is(&(*g).into(), enough)).count();
    let (within, sure) = (count(Estimate::is_within), count(Estimate::is_surely_within));
    Some(Worst { at, gap: *gap, within, sure, all: gaps.len() })
}

/// The first of points (x, y), in order of x, at which y reaches `level`, interpolated in log x; `None` if
/// it never does.
pub fn first_reaching(points: &[(f64, f64)], level: f64) -> Option<f64> {
    let at = points.iter().position(|p| p.1 >= level)?;
    let Some(before) = at.checked_sub(1) else { return Some(points[at].0) };
    let ((x0, y0), (x1, y1)) = (points[before], points[at]);
    let share = (level - y0) / (y1 - y0);
    Some((x0.ln() + share * (x1 / x0).ln()).exp())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::claim::Verdict;

    #[test]
    fn the_first_point_that_reaches_a_level_is_found_between_points() {
        let points = [(1.0, 0.0), (2.0, 0.5), (8.0, 1.0), (16.0, 0.2)];
        assert_eq!(first_reaching(&points, 0.0), Some(1.0));
        assert!((first_reaching(&points, 0.75).unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(first_reaching(&points, 1.1), None);
    }

    #[test]
    fn gaps_are_within_by_their_mean_and_surely_by_their_whole_interval() {
        // 0 ± 12.7062 · 0.1, surely above −2; −1 ± 12.7062 · 1 not; −3 not even by its mean.
        let gaps = [("sure", [-0.1, 0.1]), ("open", [-2.0, 0.0]), ("out", [-3.0, -3.0])];
        let gaps = gaps.map(|(name, values)| (name, crate::stats::mean(&values).unwrap()));
        let found = worst(&gaps, 2.0).unwrap();
        assert_eq!((*found.at, found.within, found.sure, found.all), ("out", 2, 1, 3));
        let judgement = found.judged(2);
        assert!(judgement.verdict == Verdict::Partly && judgement.doubt.starts_with("1 cell "), "{judgement:?}");
        assert_eq!(found.judged(3).verdict, Verdict::NotConfirmed);
        assert_eq!(worst(&gaps[..1], 2.0).unwrap().judged(1).verdict, Verdict::Confirmed);
    }

    #[test]
    fn vectors_at_right_angles_have_cosine_zero_and_so_has_none() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[0.0, 2.0]), 0.0);
        assert!((cosine(&[1.0, 1.0], &[2.0, 2.0]) - 1.0).abs() < 1e-15);
    }
}
