//! The fast backend for training: `f32`, explicit SIMD, one fused pass per inference step.
//!
//! The instruction set is chosen when the backend is made: AVX-512 or AVX2 with FMA on x86-64,
//! NEON on AArch64, else plain Rust. The primitives' sweeps are the reference's; what is written anew
//! is the arithmetic below them and `fused`, which runs a whole inference step layer by layer
//! while everything it touches is in cache.

mod cycle;
mod elementwise;
mod peak;
mod phi;
mod portable;
mod product;
#[cfg(test)]
mod tests;
mod vector;

#[cfg(target_arch = "aarch64")]
mod neon;
#[cfg(target_arch = "x86_64")]
mod x86;

use super::{
    Moving, Problem,
    sweeps::{Kernel, Sweeps},
};
use crate::{activation::Activation, dual_step::DualStep, network::Dense, objective::End, stack::Matrix, work::Work};
use cycle::Cycle;
use elementwise::{Combine, ElementwiseCredit};
use phi::{Activate, with_phi};
use product::{EdgeProduct, Outer};
use vector::Job;

/// The fast `f32` backend.
pub type Cpu = Sweeps<Simd>;

/// The kernel of [`Cpu`]: products and activations in one instruction set.
#[derive(Clone, Copy, Debug)]
pub struct Simd {
    set: InstructionSet,
}

/// What the processor is asked to do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum InstructionSet {
    /// 16 lanes of `f32` (AVX-512F).
    Avx512,
    /// 8 lanes (AVX2 with FMA).
    Avx2,
    /// 4 lanes (AArch64).
    Neon,
    /// Plain Rust, without fused multiply-adds.
    Portable,
}

impl InstructionSet {
    /// All of them, fastest first.
    pub const ALL: &'static [InstructionSet] =
        &[InstructionSet::Avx512, InstructionSet::Avx2, InstructionSet::Neon, InstructionSet::Portable];

    /// The name used in reports.
    pub fn name(self) -> &'static str {
        match self {
            InstructionSet::Avx512 => "AVX-512",
            InstructionSet::Avx2 => "AVX2+FMA",
            InstructionSet::Neon => "NEON",
            InstructionSet::Portable => "portable",
        }
    }

    /// Whether this processor has it.
    pub fn is_available(self) -> bool {
        match self {
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => is_x86_feature_detected!("avx512f") && InstructionSet::Avx2.is_available(),
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => is_x86_feature_detected!("avx2") && is_x86_feature_detected!("fma"),
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => std::arch::is_aarch64_feature_detected!("neon"),
            InstructionSet::Portable => true,
            #[allow(unreachable_patterns)]
            _ => false,
        }
    }

    /// The fastest this processor has.
    pub fn best() -> Self {
        Self::ALL.iter().copied().find(|s| s.is_available()).unwrap_or(InstructionSet::Portable)
    }
}

impl Cpu {
    /// On the fastest instruction set this processor has.
    pub fn new() -> Self {
        Sweeps { kernel: Simd { set: InstructionSet::best() } }
    }

    /// On a chosen instruction set; `None` if this processor lacks it.
    pub fn with(set: InstructionSet) -> Option<Self> {
        set.is_available().then_some(Sweeps { kernel: Simd { set } })
    }

    /// The instruction set in use.
    pub fn instruction_set(&self) -> InstructionSet {
        self.kernel.set
    }

    /// Runs `rounds` of independent multiply-adds in registers alone and returns how many scalar
    /// multiply-adds those were: what benchmarks measure the kernels against.
    pub fn multiply_adds(&self, rounds: u64) -> u64 {
        self.kernel.run(peak::MultiplyAdds { rounds })
    }
}

impl Default for Cpu {
    fn default() -> Self {
        Cpu::new()
    }
}

impl Simd {
    /// Runs a job compiled for this kernel's instruction set.
    #[allow(unsafe_code)]
    fn run<J: Job>(&self, job: J) -> J::Output {
        match self.set {
            // SAFETY: a `Simd` is only made for an instruction set that is available.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx512 => unsafe { x86::run_avx512(job) },
            // SAFETY: likewise.
            #[cfg(target_arch = "x86_64")]
            InstructionSet::Avx2 => unsafe { x86::run_avx2(job) },
            // SAFETY: likewise.
            #[cfg(target_arch = "aarch64")]
            InstructionSet::Neon => unsafe { neon::run_neon(job) },
            _ => portable::run_portable(job),
        }
    }
}

impl Kernel for Simd {
    type Real = f32;

    fn forward(
        &self,
        dense: &Dense<f32>,
        x: &Matrix<f32>,
        bias: Option<&[f32]>,
        base: Option<&Matrix<f32>>,
        out: &mut Matrix<f32>,
    ) {
        self.run(EdgeProduct::<false> { dense, x, bias, gate: None, base, out });
    }

    fn transposed(
        &self,
        dense: &Dense<f32>,
        q: &Matrix<f32>,
        gate: Option<&Matrix<f32>>,
        base: Option<&Matrix<f32>>,
        out: &mut Matrix<f32>,
    ) {
        self.run(EdgeProduct::<true> { dense, x: q, bias: None, gate, base, out });
    }

    fn credit(&self, alpha: f32, rho: f32, z: &[f32], f: &mut [f32], duals: &mut [f32]) {
        self.run(ElementwiseCredit { alpha, rho, z, f, duals });
    }

    fn combine(&self, a: f32, x: &[f32], b: f32, y: &mut [f32]) {
        self.run(Combine { a, x, b, y });
    }

    fn outer(&self, factor: f32, q: &Matrix<f32>, x: &Matrix<f32>, gradient: &mut [f32]) {
        self.run(Outer { factor, q, x, gradient });
    }

    fn activate_in_place(&self, phi: Activation, values: &mut [f32], slopes: &mut [f32]) {
        if !with_phi(phi, Activate { kernel: *self, x: None, values, slopes }) {
            phi.activate(values, slopes);
        }
    }

    fn activate(&self, phi: Activation, x: &[f32], values: &mut [f32], slopes: &mut [f32]) {
        if !with_phi(phi, Activate { kernel: *self, x: Some(x), values, slopes }) {
            values.copy_from_slice(x);
            phi.activate(values, slopes);
        }
    }

    fn fused(&self, problem: &Problem<Cpu>, moving: Moving<Cpu>, dual_step: DualStep<f32>, eta: f32) -> Option<Work> {
        // Larger blocks than `block_samples` come only from callers who cut their own.
        let chain = problem.network.as_chain().filter(|_| moving.memo.output.cols() <= cycle::FULL)?;
        // The method of multipliers moves each unit's dual by a step of its own, once a solve.
        let by_units = dual_step != DualStep::Penalty && problem.objective.weighs_by_units();
        if problem.objective.output() == End::Free || !(by_units || problem.objective.has_scalars_alone()) {
            return None;
        }
        let mut work = Work::default();
        let done = &mut work;
        let cycle = Cycle { kernel: *self, chain, problem, moving, dual_step, eta, done };
        with_phi(chain.activation(), cycle).then_some(work)
    }
}
