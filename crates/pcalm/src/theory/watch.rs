//! The ends of the Hessian's spectrum, followed while the weights change.
//!
//! From one measurement to the next the eigenvectors hardly turn, so a few steps of power iteration
//! from where the last ended keep up with them: with H for λ_max, with H⁻¹, which costs a forward and an
//! adjoint pass, for λ_min.

use super::{dense::dot, linearisation::Linearisation};
use crate::error::Error;
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Steps of each measurement, and of the first, which starts anywhere.
const STEPS: (usize, usize) = (5, 400);

/// Approximate eigenvectors of λ_max and λ_min of one sample; empty before the first measurement.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Ends {
    /// Of λ_max.
    pub top: Vec<f64>,
    /// Of λ_min.
    pub bottom: Vec<f64>,
}

impl Ends {
    /// λ_max and λ_min of H, as Rayleigh quotients: the first from below, the second from above.
    ///
    /// # Errors
    /// If the linearisation is not finite.
    pub fn measure(&mut self, linearisation: &Linearisation) -> Result<(f64, f64), Error> {
        let n = linearisation.unknowns();
        let fresh = self.top.len() != n;
        if fresh {
            let mut rng = ChaCha8Rng::seed_from_u64(0);
            let mut any = || (0..n).map(|_| rng.random::<f64>() - 0.5).collect::<Vec<f64>>();
            (self.top, self.bottom) = (any(), any());
        }
        let steps = if fresh { STEPS.1 } else { STEPS.0 };
        let inverse = linearisation.hessian_inverse()?;
        let mut image = vec![0.0; n];
        let mut quotient = |v: &mut Vec<f64>, apply: &dyn Fn(&[f64], &mut [f64])| {
            let mut value = 0.0;
            for _ in 0..steps {
                apply(v, &mut image);
                value = dot(v, &image) / dot(v, v);
                let size = dot(&image, &image).sqrt();
                v.iter_mut().zip(&image).for_each(|(v, i)| *v = i / size);
            }
            value
        };
        let largest = quotient(&mut self.top, &|v, out| linearisation.hessian(v, out));
        let smallest = quotient(&mut self.bottom, &|v, out| {
            out.copy_from_slice(v);
            inverse.apply(out);
        });
        Ok((largest, smallest.recip()))
    }
}
