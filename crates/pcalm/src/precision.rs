//! Precisions Π: how much each residual weighs (docs/maths.md §3; \[FRM eq. 6\], \[TR eq. 1\]).

use crate::{error::Error, network::Dense, real::Real, stack::Matrix};

/// A precision as it is given: symmetric and positive definite.
#[derive(Clone, Debug, PartialEq)]
pub enum Precision {
    /// Π = p I.
    Scalar(f64),
    /// Π = diag(p).
    Diagonal(Vec<f64>),
    /// Any, row-major `[n, n]`.
    Full(Vec<f64>),
}

impl Default for Precision {
    /// Π = I.
    fn default() -> Self {
        Precision::Scalar(1.0)
    }
}

/// How far a matrix may be from symmetric, as a share of its largest entry.
const SYMMETRY: f64 = 1e-12;

/// A precision that has been looked at: finite, symmetric, positive definite, and in the number type of the layer.
#[derive(Clone, Debug, PartialEq)]
pub enum Weighting<R> {
    /// p.
    Scalar(R),
    /// p, one number per unit.
    Diagonal(Vec<R>),
    /// Any.
    Full(Box<FullWeighting<R>>),
}

/// Π and Π⁻¹ as maps.
#[derive(Clone, Debug, PartialEq)]
pub struct FullWeighting<R> {
    /// Π.
    pub(crate) matrix: Dense<R>,
    /// Π⁻¹.
    pub(crate) inverse: Dense<R>,
    /// Numbers that no eigenvalue of Π is below or above.
    bounds: [f64; 2],
}

impl<R: Real> Weighting<R> {
    /// `factor` · Π; `layer` is whose it is, for messages.
    ///
    /// # Errors
    /// If it is not finite, symmetric and positive definite, also when rounded to `R`.
    pub fn new(precision: &Precision, factor: f64, layer: &str) -> Result<Self, Error> {
        let bad = |problem: String| Error::setting("precision", format!("that of {layer} {problem}"));
        let positive = |p: f64| {
            let rounded = R::of(factor * p);
            match rounded.is_finite() && rounded > R::zero() {
                true => Ok(rounded),
                false => Err(bad(format!("has {p}, which is not a positive number"))),
            }
        };
        match precision {
            Precision::Scalar(p) => Ok(Weighting::Scalar(positive(*p)?)),
            Precision::Diagonal(p) if p.is_empty() => Err(bad("is empty".into())),
            Precision::Diagonal(p) => {
                Ok(Weighting::Diagonal(p.iter().map(|&p| positive(p)).collect::<Result<_, _>>()?))
            }
            Precision::Full(values) => {
                let n = values.len().isqrt();
                if n == 0 || n * n != values.len() {
                    return Err(bad(format!("has {} numbers, which is no square matrix", values.len())));
                }
                let scaled: Vec<f64> = values.iter().map(|v| factor * v).collect();
                Ok(Weighting::Full(Box::new(FullWeighting::new(&scaled, n).map_err(bad)?)))
            }
        }
    }

    /// The same in another number type.
    ///
    /// # Errors
    /// If it is no precision any more, rounded to it.
    pub fn cast<S: Real>(&self, layer: &str) -> Result<Weighting<S>, Error> {
        let wide = |values: &[R]| values.iter().map(|p| p.wide()).collect();
        let precision = match self {
            Weighting::Scalar(p) => Precision::Scalar(p.wide()),
            Weighting::Diagonal(p) => Precision::Diagonal(wide(p)),
            Weighting::Full(full) => Precision::Full(wide(full.matrix.weight())),
        };
        Weighting::new(&precision, 1.0, layer)
    }

    /// Units it is for, unless it is for any number of them.
    pub fn units(&self) -> Option<usize> {
        match self {
            Weighting::Scalar(_) => None,
            Weighting::Diagonal(p) => Some(p.len()),
            Weighting::Full(full) => Some(full.matrix.rows()),
        }
    }

    /// p, where Π = p I.
    pub fn scalar(&self) -> Option<R> {
        if let Weighting::Scalar(p) = self { Some(*p) } else { None }
    }

    /// Π of unit `i`, where units do not weigh on one another.
    pub fn of_unit(&self, i: usize) -> Option<R> {
        match self {
            Weighting::Scalar(p) => Some(*p),
            Weighting::Diagonal(p) => Some(p[i]),
            Weighting::Full(_) => None,
        }
    }

    /// Two numbers that no eigenvalue is below or above: the eigenvalues themselves, but for a full matrix.
    pub fn bounds(&self) -> [f64; 2] {
        match self {
            Weighting::Scalar(p) => [p.wide(); 2],
            Weighting::Diagonal(p) => {
                p.iter().map(|p| p.wide()).fold([f64::INFINITY, 0.0], |[least, most], p| [p.min(least), p.max(most)])
            }
            Weighting::Full(full) => full.bounds,
        }
    }

    /// Row `i` of Π for `n` units, in `f64`.
    pub fn row(&self, i: usize, n: usize) -> Vec<f64> {
        match self {
            Weighting::Full(full) => full.matrix.weight()[i * n..][..n].iter().map(|p| p.wide()).collect(),
            _ => (0..n).map(|j| if i == j { self.of_unit(i).map_or(0.0, R::wide) } else { 0.0 }).collect(),
        }
    }

    /// `out` ← `factor` Π v + `shift` v; `out` may have more rows.
    pub fn apply(&self, factor: R, shift: R, v: &Matrix<R>, out: &mut Matrix<R>) {
        let cols = v.cols();
        for (i, out) in out.data_mut().chunks_exact_mut(cols).take(v.rows()).enumerate() {
            match self {
                Weighting::Full(full) => {
                    out.iter_mut().zip(v.row(i)).for_each(|(out, &v)| *out = shift * v);
                    let row = &full.matrix.weight()[i * v.rows()..][..v.rows()];
                    for (j, &p) in row.iter().enumerate() {
                        out.iter_mut().zip(v.row(j)).for_each(|(out, &v)| *out += factor * p * v);
                    }
                }
                Weighting::Scalar(p) => scale(factor * *p + shift, v.row(i), out),
                Weighting::Diagonal(p) => scale(factor * p[i] + shift, v.row(i), out),
            }
        }
    }

    /// Σ over the first `samples` columns of vᵀΠv.
    pub fn quadratic_form(&self, v: &Matrix<R>, samples: usize) -> f64 {
        match self {
            Weighting::Scalar(p) => p.wide() * v.norm_squared(samples),
            _ => {
                let mut image = Matrix::zeros(v.rows(), v.cols());
                self.apply(R::one(), R::zero(), v, &mut image);
                let row = |i: usize| v.row(i)[..samples].iter().zip(image.row(i));
                (0..v.rows()).flat_map(row).map(|(v, image)| v.wide() * image.wide()).sum()
            }
        }
    }
}

fn scale<R: Real>(factor: R, v: &[R], out: &mut [R]) {
    out.iter_mut().zip(v).for_each(|(out, &v)| *out = factor * v);
}

impl<R: Real> FullWeighting<R> {
    fn new(values: &[f64], n: usize) -> Result<Self, String> {
        let largest = values.iter().fold(0.0f64, |m, v| m.max(v.abs()));
        if let Some(at) = values.iter().position(|v| !v.is_finite()) {
            return Err(format!("has {} at [{}, {}]; its entries must be finite", values[at], at / n, at % n));
        }
        let mut matrix = values.to_vec();
        for i in 0..n {
            for j in 0..i {
                let (below, above) = (values[i * n + j], values[j * n + i]);
                if (below - above).abs() > SYMMETRY * largest {
                    return Err(format!("is not symmetric: {below} at [{i}, {j}] and {above} at [{j}, {i}]"));
                }
                let mean = 0.5 * (below + above);
                (matrix[i * n + j], matrix[j * n + i]) = (mean, mean);
            }
        }
        let inverse = inverse_of_positive(&matrix, n).ok_or("is not positive definite")?;
        // No eigenvalue is larger than the largest sum of a row's sizes.
        let sums = |m: &[f64]| m.chunks_exact(n).map(|row| row.iter().map(|v| v.abs()).sum()).fold(0.0, f64::max);
        let bounds = [1.0 / sums(&inverse), sums(&matrix)];
        let map = |m: &[f64]| {
            let rounded: Vec<R> = m.iter().map(|&v| R::of(v)).collect();
            Dense::new(rounded, n, n, R::one()).map_err(|e| e.to_string())
        };
        Ok(FullWeighting { matrix: map(&matrix)?, inverse: map(&inverse)?, bounds })
    }
}

/// The inverse of a symmetric matrix by its Cholesky factor; `None` if it is not positive definite.
fn inverse_of_positive(matrix: &[f64], n: usize) -> Option<Vec<f64>> {
    let mut lower = vec![0.0; n * n];
    for i in 0..n {
        for j in 0..=i {
            let sum: f64 = (0..j).map(|k| lower[i * n + k] * lower[j * n + k]).sum();
            let rest = matrix[i * n + j] - sum;
            lower[i * n + j] = if i > j { rest / lower[j * n + j] } else { rest.sqrt() };
            // The square root of a negative number is none.
            if i == j && (rest.is_nan() || rest <= 0.0) {
                return None;
            }
        }
    }
    let mut inverse = vec![0.0; n * n];
    for column in 0..n {
        let mut x = vec![0.0; n];
        for i in column..n {
            let sum: f64 = (column..i).map(|k| lower[i * n + k] * x[k]).sum();
            x[i] = (f64::from(u8::from(i == column)) - sum) / lower[i * n + i];
        }
        for i in (0..n).rev() {
            let sum: f64 = (i + 1..n).map(|k| lower[k * n + i] * x[k]).sum();
            x[i] = (x[i] - sum) / lower[i * n + i];
        }
        // Of the two halves the lower one is taken for both, so that the inverse too is symmetric.
        for i in column..n {
            (inverse[i * n + column], inverse[column * n + i]) = (x[i], x[i]);
        }
    }
    Some(inverse)
}
