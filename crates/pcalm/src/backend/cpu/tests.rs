//! The vector functions against `f64`; whole sweeps are tested in `tests/backends.rs`.

use super::{Cpu, InstructionSet};
use crate::{activation::ACTIVATIONS, backend::Kernel, stack::LANES};

/// A dense grid where functions bend, and the far ends.
fn points() -> Vec<f32> {
    let mut x: Vec<f32> = (-40_000..40_000).map(|i| i as f32 * 3.1e-4).collect();
    let far = [15.0, 30.0, 80.0, 87.3, 88.0, 89.0, 100.0, 1e4, 1e19, 1e38, 1e-3, 1e-8, 1e-38, 0.0];
    x.extend(far.iter().flat_map(|&v| [v, -v]));
    x.resize(x.len().next_multiple_of(LANES), 0.5);
    x
}

#[test]
fn activations_and_slopes_are_good_to_a_few_units_in_the_last_place() {
    let x = points();
    for cpu in InstructionSet::ALL.iter().filter_map(|&set| Cpu::with(set)) {
        for &phi in ACTIVATIONS {
            let (mut values, mut slopes) = (x.clone(), vec![0.0; x.len()]);
            cpu.kernel.activate_in_place(phi, &mut values, &mut slopes);
            for ((&x, &value), &slope) in x.iter().zip(&values).zip(&slopes) {
                let wanted = (phi.value(f64::from(x)), phi.slope(f64::from(x)));
                for (found, wanted) in [(value, wanted.0), (slope, wanted.1)] {
                    // 4 units in the last place of the number itself; or of 1, where a slope is the
                    // difference of two numbers of that size.
                    let bound = 4.0 * f64::from(f32::EPSILON) * wanted.abs().max(0.25);
                    let error = (f64::from(found) - wanted).abs();
                    assert!(error <= bound, "{:?} {phi:?}({x}): {found} for {wanted}", cpu.instruction_set());
                }
            }
        }
    }
}

#[test]
fn a_number_that_is_not_finite_stays_so() {
    for cpu in InstructionSet::ALL.iter().filter_map(|&set| Cpu::with(set)) {
        for &phi in ACTIVATIONS {
            let (mut values, mut slopes) = ([f32::NAN; LANES], [0.0; LANES]);
            cpu.kernel.activate_in_place(phi, &mut values, &mut slopes);
            assert!(values.iter().all(|v| v.is_nan()), "{phi:?} of NaN is {values:?}");
        }
    }
}

#[test]
fn the_multiply_add_loop_counts_its_lanes() {
    for cpu in InstructionSet::ALL.iter().filter_map(|&set| Cpu::with(set)) {
        assert_eq!(cpu.multiply_adds(10) % 10, 0);
        assert_eq!(cpu.multiply_adds(20), 2 * cpu.multiply_adds(10));
    }
}
