//! What a layer's residual costs, and Π⁻¹ (docs/maths.md §3–4).

use super::Kernel;
use crate::{
    dual_step::DualStep,
    energy_shape::EnergyShape,
    penalty::Penalty,
    precision::{FullWeighting, Weighting},
    real::Real,
    stack::Matrix,
};

/// With f in `credit` and c = z − f: `duals` move by the step, then `credit` ← λ + E'(c). Uses `scratch`, which may have
/// more rows.
pub fn weigh<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    penalty: Option<&Penalty<R>>,
    dual_step: DualStep<R>,
    z: &Matrix<R>,
    (duals, credit): (&mut Matrix<R>, &mut Matrix<R>),
    scratch: &mut Matrix<R>,
) {
    let cols = z.cols();
    match penalty {
        None => kernel.credit(R::zero(), R::zero(), z.data(), credit.data_mut(), duals.data_mut()),
        Some(Penalty::Quadratic(Weighting::Scalar(rho))) => {
            kernel.credit(dual_step.at(*rho), *rho, z.data(), credit.data_mut(), duals.data_mut());
        }
        Some(Penalty::Quadratic(Weighting::Diagonal(p))) => {
            let rows = credit.data_mut().chunks_exact_mut(cols).zip(duals.data_mut().chunks_exact_mut(cols));
            for ((&p, z), (credit, duals)) in p.iter().zip(z.data().chunks_exact(cols)).zip(rows) {
                kernel.credit(dual_step.at(p), p, z, credit, duals);
            }
        }
        Some(Penalty::Quadratic(Weighting::Full(full))) => {
            kernel.combine(R::one(), z.data(), -R::one(), credit.data_mut());
            kernel.forward(&full.matrix, credit, None, None, scratch);
            add_credit(dual_step, duals, credit, |at, _, _| scratch.data()[at]);
        }
        Some(Penalty::Shaped { weight, shape }) => {
            kernel.combine(R::one(), z.data(), -R::one(), credit.data_mut());
            let p = |row: usize| weight.of_unit(row).unwrap_or_else(R::one);
            add_credit(dual_step, duals, credit, |_, row, c| p(row) * EnergyShape::slope(*shape, c));
        }
    }
}

/// `duals` move by the step, then `credit`, where c is, ← λ + E'(c); `force` has E' at a place, a row and a residual.
fn add_credit<R: Real>(
    dual_step: DualStep<R>,
    duals: &mut Matrix<R>,
    credit: &mut Matrix<R>,
    force: impl Fn(usize, usize, R) -> R,
) {
    let cols = credit.cols();
    for (at, (q, lambda)) in credit.data_mut().iter_mut().zip(duals.data_mut()).enumerate() {
        let (c, force) = (*q, force(at, at / cols, *q));
        *lambda += match dual_step {
            DualStep::Still => R::zero(),
            DualStep::Along(alpha) => alpha * c,
            DualStep::Penalty => force,
        };
        *q = *lambda + force;
    }
}

/// `y` ← Π⁻¹ y. Uses `scratch`, which may have more rows.
pub fn precondition<K: Kernel<Real = R>, R: Real>(
    kernel: &K,
    weight: &Weighting<R>,
    y: &mut Matrix<R>,
    scratch: &mut Matrix<R>,
) {
    if let Weighting::Full(full) = weight {
        let FullWeighting { inverse, .. } = &**full;
        kernel.forward(inverse, y, None, None, scratch);
        let count = y.data().len();
        return y.data_mut().copy_from_slice(&scratch.data()[..count]);
    }
    let cols = y.cols();
    for (row, y) in y.data_mut().chunks_exact_mut(cols).enumerate() {
        let p = weight.of_unit(row).unwrap_or_else(R::one);
        y.iter_mut().for_each(|y| *y = *y / p);
    }
}
