//! The multiply-add rate of the registers, without memory.
#![allow(unsafe_code)]

use super::vector::{Job, Vector};

/// Independent multiply-adds, enough at once to hide their latency.
pub struct MultiplyAdds {
    pub rounds: u64,
}

const CHAINS: usize = 12;

impl Job for MultiplyAdds {
    type Output = u64;

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) -> u64 {
        // SAFETY: operations of `V` alone, whose contract the caller keeps.
        unsafe {
            let (factor, term) = (V::splat(std::hint::black_box(0.999)), V::splat(std::hint::black_box(0.001)));
            let mut chains = [V::splat(1.0); CHAINS];
            for _ in 0..self.rounds {
                for chain in &mut chains {
                    *chain = chain.mul_add(factor, term);
                }
            }
            let mut sum = V::splat(0.0);
            for chain in chains {
                sum = sum.add(chain);
            }
            let mut out = [0.0f32; crate::stack::LANES];
            sum.store(out.as_mut_ptr());
            std::hint::black_box(out);
        }
        self.rounds * (CHAINS * V::LANES) as u64
    }
}
