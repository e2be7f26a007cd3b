//! One inference step of a whole block in one pass over its layers.
//!
//! From the front down to the readout: the credit q_{l+1} of the layer above, then at once the
//! step of z_l, which needs q_l and q_{l+1} alone. Layer l + 1 is still unmoved when its credit is
//! taken, so every layer reads the old state, as in the two sweeps (Jacobi); W_{l+1} is read twice
//! while it is in cache, and each activity once. What the sweeps do elementwise happens in the
//! epilogues of the two products, in the same order of operations, so the bits are the same.
//!
//! Layers below the front hold z = f(z) and λ = 0 exactly: their residual, credit and gradient
//! are zeros, and they are left out. The front moves one layer per step (docs/maths.md §5: the first
//! step moves only z_{L-1}).
#![allow(unsafe_code)]

use super::{
    Simd,
    elementwise::{Steps, descended},
    phi::{Phi, PhiJob},
    product::{Epilogue, GatedStore, Left, biased, product, start_of_bias},
    vector::{Job, Vector},
};
use crate::{
    backend::{
        Cpu, Moving, Problem,
        host::{self, Memo},
    },
    dual_step::DualStep,
    network::{Chain, Placement},
    penalty::Penalty,
    precision::Weighting,
    stack::{LANES, Matrix},
    work::Work,
};
use std::{marker::PhantomData, ptr::null};

/// The arguments of [`Backend::fused`](crate::backend::Backend::fused).
pub struct Cycle<'a, 'n> {
    pub kernel: Simd,
    /// The problem's network.
    pub chain: Chain<'n, f32>,
    pub problem: &'a Problem<'n, Cpu>,
    pub moving: Moving<'a, Cpu>,
    pub dual_step: DualStep<f32>,
    pub eta: f32,
    /// What was done.
    pub done: &'a mut Work,
}

/// Columns of the blocks that [`Backend::block_samples`](crate::backend::Backend::block_samples)
/// asks for; the last of a minibatch may have half.
pub const FULL: usize = 2 * LANES;

impl PhiJob for Cycle<'_, '_> {
    fn run<P: Phi>(self) {
        let (kernel, phi) = (self.kernel, PhantomData);
        match (self.chain.placement(), self.moving.memo.output.cols()) {
            (Placement::Pre, LANES) => kernel.run(Pass::<P, false, LANES> { cycle: self, phi }),
            (Placement::Pre, _) => kernel.run(Pass::<P, false, FULL> { cycle: self, phi }),
            (Placement::Post, LANES) => kernel.run(Pass::<P, true, LANES> { cycle: self, phi }),
            (Placement::Post, _) => kernel.run(Pass::<P, true, FULL> { cycle: self, phi }),
        }
    }
}

struct Pass<'a, 'n, P, const POST: bool, const COLS: usize> {
    cycle: Cycle<'a, 'n>,
    phi: PhantomData<P>,
}

impl<P: Phi, const POST: bool, const COLS: usize> Job for Pass<'_, '_, P, POST, COLS> {
    type Output = ();

    #[inline(always)]
    unsafe fn run<V: Vector, const TALL: usize, const WIDE: usize>(self) {
        // SAFETY: passed on from the caller.
        unsafe { pass::<V, P, POST, COLS, TALL, WIDE>(self.cycle) }
    }
}

#[inline(always)]
unsafe fn pass<V: Vector, P: Phi, const POST: bool, const COLS: usize, const TALL: usize, const WIDE: usize>(
    cycle: Cycle<'_, '_>,
) {
    let Cycle { chain, problem, moving, dual_step, eta, done, .. } = cycle;
    let (block, hidden) = (problem.block, chain.depth() - 1);
    check(chain, problem, &moving, COLS);
    let Moving { activities, duals, credit, memo, front } = moving;
    let Memo { output, signal, rolling, units, .. } = memo;
    let lowest = front.saturating_sub(1);
    // In narrow networks looking it up for every layer takes as long as a tenth of the layer.
    let one = problem.objective.common_rho();
    if let Some(rho) = one {
        units.fill(rho);
    }
    let z: *mut Matrix<f32> = activities.layers.as_mut_ptr();
    let signal = start(signal);
    let [mut here, mut above] = rolling.each_mut().map(RollingPointers::new);

    // SAFETY: `check` compared every shape with the network's, so that every pointer below is to
    // a whole layer of `cols` columns; the scratch buffers are at least as large as any layer.
    unsafe {
        let layer = |l: usize| start(&mut *z.add(l));
        if *front > 0 {
            std::slice::from_raw_parts_mut(here.q, chain.widths()[lowest] * COLS).fill(0.0);
        } else {
            let (z, lambda) = (layer(0), start(&mut duals.layers[0]));
            for (row, drive) in block.drive.layers[0].data().chunks_exact(COLS).enumerate() {
                let rho = rho(problem, 0, row);
                let steps = Steps::<V>::new(dual_step.at(rho), rho);
                let mut at = row * COLS;
                for drive in drive.chunks_exact(V::LANES) {
                    let c = V::load(z.add(at)).sub(V::load(drive.as_ptr()));
                    steps.credit(c, lambda.add(at)).store(here.q.add(at));
                    at += V::LANES;
                }
            }
        }
        if !POST {
            activate::<V, P>(layer(lowest), chain.widths()[lowest] * COLS, here);
        }
        for l in lowest..hidden {
            let (dense, skip) = chain.link(l + 1);
            let (bias, scale, z) = (start_of_bias(dense.bias()), V::splat(dense.scale()), layer(l));
            let rates = if POST { z } else { here.rates };
            let pulled = if l + 1 < hidden {
                let (step, penalties) = match one {
                    Some(rho) => (dual_step.at(rho), units.as_ptr()),
                    None => {
                        let step = dual_step.at(rho(problem, l + 1, 0));
                        (step, penalties(problem, l + 1, chain.widths()[l + 1], units))
                    }
                };
                let take = FusedCredit::<V, P, POST, COLS, false> {
                    scale,
                    bias,
                    alpha: V::splat(step),
                    rho: penalties,
                    skip,
                    below: z,
                    z: layer(l + 1),
                    lambda: start(&mut duals.layers[l + 1]),
                    above,
                    signal,
                    phi: PhantomData,
                };
                if bias.is_null() {
                    product::<V, _, false, TALL, WIDE>(Left::of(dense), rates, COLS, &mut { take });
                } else {
                    product::<V, _, false, TALL, WIDE>(Left::of(dense), rates, COLS, &mut take.with_bias());
                }
                if POST { signal } else { above.q }
            } else {
                let out = start(output);
                if bias.is_null() {
                    let mut take = GatedStore::<V, false> { scale, bias, gate: null(), base: null(), out, cols: COLS };
                    product::<V, _, false, TALL, WIDE>(Left::of(dense), rates, COLS, &mut take);
                } else {
                    let mut take = GatedStore::<V, true> { scale, bias, gate: null(), base: null(), out, cols: COLS };
                    product::<V, _, false, TALL, WIDE>(Left::of(dense), rates, COLS, &mut take);
                }
                let error = &mut credit.layers[hidden];
                problem.objective.output_credit(output, &block.target, block.samples, error);
                start(error)
            };
            let minus_eta = V::splat(-eta);
            let mut take =
                Pull::<V, P, POST, COLS> { scale, minus_eta, skip, here, q_above: above.q, z, phi: PhantomData };
            product::<V, _, true, TALL, WIDE>(Left::of(dense), pulled, COLS, &mut take);
            for _ in 0..2 {
                done.count(dense.rows(), dense.cols(), block.samples);
            }
            std::mem::swap(&mut here, &mut above);
        }
    }
    *front = lowest;
}

fn start(matrix: &mut Matrix<f32>) -> *mut f32 {
    matrix.data_mut().as_mut_ptr()
}

/// Panics unless state and block have the network's shape.
fn check(chain: Chain<'_, f32>, problem: &Problem<Cpu>, moving: &Moving<Cpu>, cols: usize) {
    let Moving { activities, duals, credit, memo, front } = moving;
    let (hidden, widest) = (chain.depth() - 1, memo.signal.rows());
    let fits = |m: &Matrix<f32>, width: usize| m.rows() == width && m.cols() == cols;
    assert!([activities.layers.len(), duals.layers.len()] == [hidden; 2]);
    assert!(credit.layers.len() == hidden + 1 && **front <= hidden);
    for (&width, (z, lambda)) in chain.widths().iter().zip(activities.layers.iter().zip(&duals.layers)) {
        assert!(fits(z, width) && fits(lambda, width) && width <= widest);
    }
    assert!(fits(&problem.block.drive.layers[0], chain.widths()[0]));
    let output = [&memo.output, &credit.layers[hidden], &problem.block.target];
    assert!(output.iter().all(|m| fits(m, chain.widths()[hidden])));
    let rolling = memo.rolling.iter().flat_map(|r| [&r.credit, &r.rates, &r.slopes]);
    assert!(memo.units.len() == widest);
    assert!(rolling.chain([&memo.signal]).all(|b| b.rows() == widest && b.cols() == cols));
}

/// What the pass needs to know of one layer, and keeps for two layers at a time.
#[derive(Clone, Copy)]
struct RollingPointers {
    q: *mut f32,
    /// φ(z), in `pre` placement.
    rates: *mut f32,
    /// φ'(z), in `pre` placement, where it is not taken afresh.
    slopes: *mut f32,
}

impl RollingPointers {
    fn new(buffers: &mut host::Rolling<f32>) -> Self {
        RollingPointers {
            q: start(&mut buffers.credit),
            rates: start(&mut buffers.rates),
            slopes: start(&mut buffers.slopes),
        }
    }

    /// Takes in the rates and slopes of `z` at `at`.
    #[inline(always)]
    unsafe fn activate<V: Vector, P: Phi>(&self, z: V, at: usize) {
        // SAFETY: the caller vouches for the buffers at `at`.
        unsafe {
            let (rate, slope) = P::both(z);
            rate.store(self.rates.add(at));
            if !P::CHEAP_SLOPE {
                slope.store(self.slopes.add(at));
            }
        }
    }
}

/// Takes in the rates and slopes of a whole layer.
#[inline(always)]
unsafe fn activate<V: Vector, P: Phi>(z: *const f32, count: usize, layer: RollingPointers) {
    // SAFETY: the caller vouches for `count` numbers at each pointer.
    unsafe {
        let mut at = 0;
        while at < count {
            layer.activate::<V, P>(V::load(z.add(at)), at);
            at += V::LANES;
        }
    }
}

/// Turns sums W φ(z_l) (`post`: W z_l) into the credit of layer l + 1.
struct FusedCredit<V, P, const POST: bool, const COLS: usize, const BIAS: bool> {
    scale: V,
    /// b, with `BIAS`.
    bias: *const f32,
    alpha: V,
    /// ρ of each unit.
    rho: *const f32,
    skip: bool,
    /// z_l.
    below: *const f32,
    /// z_{l+1}.
    z: *const f32,
    lambda: *mut f32,
    /// Receives q, rates and slopes of layer l + 1.
    above: RollingPointers,
    /// φ'(u) ⊙ q, in `post` placement.
    signal: *mut f32,
    phi: PhantomData<P>,
}

impl<V, P, const POST: bool, const COLS: usize> FusedCredit<V, P, POST, COLS, false> {
    #[inline(always)]
    fn with_bias(self) -> FusedCredit<V, P, POST, COLS, true> {
        let FusedCredit { scale, bias, alpha, rho, skip, below, z, lambda, above, signal, phi } = self;
        FusedCredit { scale, bias, alpha, rho, skip, below, z, lambda, above, signal, phi }
    }
}

impl<V: Vector, P: Phi, const POST: bool, const COLS: usize, const BIAS: bool> Epilogue<V>
    for FusedCredit<V, P, POST, COLS, BIAS>
{
    const STUDIED: bool = !BIAS;

    #[inline(always)]
    unsafe fn take(&mut self, row: usize, col: usize, sum: V) {
        let at = row * COLS + col;
        // SAFETY: all pointers are to layers of the product's shape.
        unsafe {
            let below = self.below.add(at);
            let (f, slope) = if BIAS {
                let u = biased(sum, self.scale, self.bias.add(row));
                let (value, slope) = if POST { P::both(u) } else { (u, u) };
                (if self.skip { value.add(V::load(below)) } else { value }, slope)
            } else if POST {
                let (value, slope) = P::both(sum.mul(self.scale));
                (if self.skip { value.add(V::load(below)) } else { value }, slope)
            } else if self.skip {
                (sum.mul_add(self.scale, V::load(below)), sum)
            } else {
                (sum.mul(self.scale), sum)
            };
            let z = V::load(self.z.add(at));
            let steps = Steps { alpha: self.alpha, rho: V::splat(*self.rho.add(row)) };
            let q = steps.credit(z.sub(f), self.lambda.add(at));
            q.store(self.above.q.add(at));
            if POST {
                slope.mul(q).store(self.signal.add(at));
            } else {
                self.above.activate::<V, P>(z, at);
            }
        }
    }
}

/// Turns sums Wᵀ q_{l+1} into the step of z_l.
struct Pull<V, P, const POST: bool, const COLS: usize> {
    scale: V,
    minus_eta: V,
    skip: bool,
    here: RollingPointers,
    q_above: *const f32,
    z: *mut f32,
    phi: PhantomData<P>,
}

impl<V: Vector, P: Phi, const POST: bool, const COLS: usize> Epilogue<V> for Pull<V, P, POST, COLS> {
    const STUDIED: bool = true;

    #[inline(always)]
    unsafe fn take(&mut self, row: usize, col: usize, sum: V) {
        let at = row * COLS + col;
        // SAFETY: all pointers are to layers of the product's shape.
        unsafe {
            let z = V::load(self.z.add(at));
            let scale = match (POST, P::CHEAP_SLOPE) {
                (true, _) => self.scale,
                (false, true) => P::gated(z, self.scale),
                (false, false) => self.scale.mul(V::load(self.here.slopes.add(at))),
            };
            let pulled = if self.skip { sum.mul_add(scale, V::load(self.q_above.add(at))) } else { sum.mul(scale) };
            descended(self.minus_eta, V::load(self.here.q.add(at)), pulled, z).store(self.z.add(at));
        }
    }
}

/// ρ of a unit of a 0-based layer; 0 where nothing holds it.
fn rho(problem: &Problem<Cpu>, l: usize, unit: usize) -> f32 {
    problem.objective.penalty(l).and_then(|penalty| penalty.weight().of_unit(unit)).unwrap_or(0.0)
}

/// ρ of every unit of a 0-based layer of this width; `units` is written to where they are one number.
fn penalties(problem: &Problem<Cpu>, l: usize, width: usize, units: &mut [f32]) -> *const f32 {
    if let Some(Weighting::Diagonal(p)) = problem.objective.penalty(l).map(Penalty::weight) {
        assert!(p.len() == width);
        return p.as_ptr();
    }
    units[..width].fill(rho(problem, l, 0));
    units.as_ptr()
}
