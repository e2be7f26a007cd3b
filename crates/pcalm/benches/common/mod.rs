//! What the benchmarks measure: residual networks and random samples, and the machine's own rate.
#![allow(dead_code, reason = "each benchmark uses a part")]

use pcalm::{
    Error,
    activation::Activation,
    backend::Cpu,
    network::{Network, Placement},
    parametrization::{Architecture, Parametrization},
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;
use std::time::Instant;

/// D, as of 28 × 28 images.
pub const INPUTS: usize = 784;
/// O.
pub const OUTPUTS: usize = 10;

/// A residual mean-field network of this width and depth.
pub fn network(
    width: usize,
    depth: usize,
    activation: Activation,
    (placement, bias): (Placement, bool),
) -> Result<Network<f32>, Error> {
    let mut widths = vec![width; depth + 1];
    (widths[0], widths[depth]) = (INPUTS, OUTPUTS);
    Architecture { widths, residual: true, activation, placement, bias }.draw(Parametrization::MeanField, 1.0, 0)
}

/// Random inputs, and targets of one class.
pub fn samples(count: usize) -> (Vec<f32>, Vec<f32>) {
    let mut rng = ChaCha8Rng::seed_from_u64(1);
    let x = (0..count * INPUTS).map(|_| rng.random()).collect();
    let y = (0..count * OUTPUTS).map(|i| f32::from(u8::from(i % OUTPUTS == 3))).collect();
    (x, y)
}

/// GFLOP/s of register-only multiply-adds on all threads at once.
pub fn peak_rate(cpu: &Cpu) -> f64 {
    let rates = rayon::broadcast(|_| {
        let clock = Instant::now();
        let done = cpu.multiply_adds(200_000);
        2e-9 * done as f64 / clock.elapsed().as_secs_f64()
    });
    rates.iter().sum()
}

/// The shortest of some runs of `work`, in seconds.
pub fn best(times: usize, mut work: impl FnMut()) -> f64 {
    let mut time = || {
        let clock = Instant::now();
        work();
        clock.elapsed().as_secs_f64()
    };
    (0..times).map(|_| time()).fold(f64::MAX, f64::min)
}
