//! Small measures that several figures share.

use crate::stats::Mean;

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
    /// How many gaps are within the tolerance.
    pub within: usize,
}

/// The most negative of `gaps`, and how many are at least −`tolerance`; `None` without any.
pub fn worst<T>(gaps: &[(T, Mean)], tolerance: f64) -> Option<Worst<'_, T>> {
    let (at, gap) = gaps.iter().min_by(|a, b| a.1.value.total_cmp(&b.1.value))?;
    let within = gaps.iter().filter(|(_, g)| g.value >= -tolerance).count();
    Some(Worst { at, gap: *gap, within })
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

    #[test]
    fn the_first_point_that_reaches_a_level_is_found_between_points() {
        let points = [(1.0, 0.0), (2.0, 0.5), (8.0, 1.0), (16.0, 0.2)];
        assert_eq!(first_reaching(&points, 0.0), Some(1.0));
        assert!((first_reaching(&points, 0.75).unwrap() - 4.0).abs() < 1e-12);
        assert_eq!(first_reaching(&points, 1.1), None);
    }

    #[test]
    fn vectors_at_right_angles_have_cosine_zero_and_so_has_none() {
        assert_eq!(cosine(&[1.0, 0.0], &[0.0, 2.0]), 0.0);
        assert_eq!(cosine(&[0.0, 0.0], &[0.0, 2.0]), 0.0);
        assert!((cosine(&[1.0, 1.0], &[2.0, 2.0]) - 1.0).abs() < 1e-15);
    }
}
