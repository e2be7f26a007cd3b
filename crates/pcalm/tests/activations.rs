//! Activation functions against central differences of themselves, and at their kinks.

mod common;

use common::{derivative, distance, distance_from_kinks, kinks};
use pcalm::activation::{ACTIVATIONS, Activation};

const STEP: f64 = 2e-3;

#[test]
fn slope_and_curvature_are_the_derivatives_of_the_activation() {
    for &phi in ACTIVATIONS {
        let points = || (-80..=80).map(|i| 0.05 * f64::from(i) + 0.013);
        for x in points().filter(|x| distance_from_kinks(phi, &[*x]) > 2.0 * STEP) {
            let slope = derivative(STEP, |t| phi.value(x + t));
            let curvature = derivative(STEP, |t| phi.slope(x + t));
            let close = distance(&[phi.slope(x), phi.curvature(x)], &[slope, curvature]) < 1e-10;
            assert!(close, "{} at {x}: {slope} {curvature}", phi.name());
            let narrow = [phi.value(x as f32), phi.slope(x as f32)].map(f64::from);
            assert!(distance(&narrow, &[phi.value(x), phi.slope(x)]) < 1e-6, "{} at {x} in f32", phi.name());
        }
    }
}

#[test]
fn slopes_at_the_kinks_are_the_documented_ones() {
    assert_eq!(Activation::Relu.slope(0.0), 0.0);
    assert_eq!(Activation::LeakyRelu.slope(0.0), 0.01);
    assert_eq!([-1.0, 1.0].map(|x: f64| Activation::HardTanh.slope(x)), [1.0, 1.0]);
    for &phi in ACTIVATIONS {
        for &kink in kinks(phi) {
            assert_eq!(phi.curvature(kink), 0.0, "{}", phi.name());
        }
    }
}
