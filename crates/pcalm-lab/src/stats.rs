//! Means over seeds, how sure they are, and whether two rules differ.
//!
//! Intervals are 95 % confidence intervals by Student's t; quantiles and probabilities come from `statrs`.

use serde::{Deserialize, Serialize};
use statrs::{
    distribution::{ContinuousCDF, StudentsT},
    statistics::Statistics,
};

/// Share of repetitions whose interval holds the true value.
pub const CONFIDENCE: f64 = 0.95;

/// A mean over repetitions.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Mean {
    /// Repetitions n.
    pub count: usize,
    /// The mean.
    pub value: f64,
    /// Sample standard deviation (n − 1); 0 with one repetition.
    pub deviation: f64,
    /// Confidence interval; absent with one repetition.
    pub interval: Option<[f64; 2]>,
}

/// Paired t-test of a − b against 0: the same seeds, two rules.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Paired {
    /// The differences.
    pub difference: Mean,
    /// t = mean/(sd/√n); infinite if all differences are alike.
    pub t: f64,
    /// Two-sided probability of a t as large if the true difference were 0.
    pub p: f64,
}

/// The straight line that fits points best.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Line {
    /// Slope.
    pub slope: f64,
    /// Value at x = 0.
    pub intercept: f64,
    /// Confidence interval of the slope from the residuals; absent with two points.
    pub interval: Option<[f64; 2]>,
}

/// Sample mean and deviation of `values`; `None` without any.
pub fn mean(values: &[f64]) -> Option<Mean> {
    let count = values.len();
    let value = (count > 0).then(|| values.mean())?;
    if count == 1 {
        return Some(Mean { count, value, deviation: 0.0, interval: None });
    }
    let deviation = values.std_dev();
    let half = quantile(count - 1)? * deviation / (count as f64).sqrt();
    Some(Mean { count, value, deviation, interval: Some([value - half, value + half]) })
}

/// The test of `a` against `b`, entry by entry; `None` with fewer than two pairs.
pub fn paired(a: &[f64], b: &[f64]) -> Option<Paired> {
    let differences: Vec<f64> = a.iter().zip(b).map(|(a, b)| a - b).collect();
    let difference = mean(&differences).filter(|d| d.count > 1)?;
    let t = difference.value / (difference.deviation / (difference.count as f64).sqrt());
    let law = student(difference.count - 1)?;
    // Two rules that agree on every seed do not differ: 0/0 is no evidence.
    let (t, p) = if t.is_nan() { (0.0, 1.0) } else { (t, 2.0 * law.sf(t.abs())) };
    Some(Paired { difference, t, p })
}

/// Least squares through points (x, y); `None` with fewer than two different x.
pub fn line(points: &[(f64, f64)]) -> Option<Line> {
    let n = points.len();
    let (xs, ys): (Vec<f64>, Vec<f64>) = points.iter().copied().unzip();
    if n < 2 {
        return None;
    }
    let (mx, my) = (Statistics::mean(&xs), Statistics::mean(&ys));
    let spread: f64 = xs.iter().map(|x| (x - mx) * (x - mx)).sum();
    if spread <= 0.0 {
        return None;
    }
    let slope = points.iter().map(|(x, y)| (x - mx) * (y - my)).sum::<f64>() / spread;
    let intercept = my - slope * mx;
    let interval = (n > 2)
        .then(|| {
            let left: f64 = points.iter().map(|(x, y)| (y - intercept - slope * x).powi(2)).sum();
            let half = quantile(n - 2)? * (left / (n - 2) as f64 / spread).sqrt();
            Some([slope - half, slope + half])
        })
        .flatten();
    Some(Line { slope, intercept, interval })
}

fn student(freedom: usize) -> Option<StudentsT> {
    StudentsT::new(0.0, 1.0, freedom as f64).ok()
}

/// Half-width of the interval in standard errors.
fn quantile(freedom: usize) -> Option<f64> {
    Some(student(freedom)?.inverse_cdf(0.5 + 0.5 * CONFIDENCE))
}

#[cfg(test)]
mod tests {
    use super::*;

    const A: [f64; 5] = [0.91, 0.89, 0.95, 0.90, 0.93];
    const B: [f64; 5] = [0.88, 0.90, 0.91, 0.86, 0.92];

    fn close(a: f64, b: f64) -> bool {
        // What statrs' inverse of the incomplete beta function gives away.
        (a - b).abs() <= 1e-9 * b.abs().max(1.0)
    }

    #[test]
    fn quantiles_of_students_t_are_those_of_scipy() {
        // scipy.stats.t.ppf(0.975, df)
        let known = [(1, 12.706204736174694), (2, 4.302652729749462), (4, 2.7764451051977934), (10, 2.228138851986274)];
        for (freedom, wanted) in known {
            assert!(close(quantile(freedom).unwrap(), wanted), "{freedom}: {:?}", quantile(freedom));
        }
    }

    #[test]
    fn the_interval_of_a_mean_is_that_of_scipy() {
        // scipy.stats.t.interval(0.95, 4, loc=mean, scale=sem)
        let found = mean(&A).unwrap();
        assert!(close(found.value, 0.916) && found.count == 5);
        let [low, high] = found.interval.unwrap();
        assert!(close(low, 0.8860967710610961) && close(high, 0.945903228938904), "{low} {high}");
    }

    #[test]
    fn the_paired_test_is_that_of_scipy() {
        // scipy.stats.ttest_rel(A, B)
        let found = paired(&A, &B).unwrap();
        assert!(close(found.t, 2.269126741769346) && close(found.p, 0.0858103784400443), "{found:?}");
        let [low, high] = found.difference.interval.unwrap();
        assert!(close(low, -0.004918634023379002) && close(high, 0.048918634023378996), "{low} {high}");
    }

    #[test]
    fn the_slope_of_a_line_and_its_interval_are_those_of_scipy() {
        // scipy.stats.linregress, with stderr times t.ppf(0.975, 3)
        let points = [(3.0, 1.1), (4.0, 2.3), (5.0, 2.9), (6.0, 4.2), (7.0, 5.4)];
        let found = line(&points).unwrap();
        assert!(close(found.slope, 1.05));
        let [low, high] = found.interval.unwrap();
        assert!((low - 0.84622401).abs() < 1e-8 && (high - 1.25377599).abs() < 1e-8, "{low} {high}");
    }

    #[test]
    fn too_few_values_have_no_interval_and_equal_ones_no_difference() {
        assert_eq!(mean(&[]), None);
        assert_eq!(mean(&[2.0]).unwrap().interval, None);
        assert_eq!(paired(&[1.0], &[2.0]), None);
        assert_eq!(paired(&[1.0, 2.0], &[1.0, 2.0]).unwrap().p, 1.0);
        assert_eq!(line(&[(1.0, 1.0), (1.0, 2.0)]), None);
        assert_eq!(line(&[(1.0, 1.0), (2.0, 3.0)]).unwrap().interval, None);
    }
}
