//! Largest curvatures of the energy in the activities, by power iteration (docs/maths.md §6).
//!
//! At the forward pass c = 0, so the Hessian of F in the hidden activities is exactly
//! H = CᵀΠC + J_LᵀH_ℓJ_L plus, in `pre` placement, the term −(W_Lᵀ q_L) ⊙ a_L φ''(z_{L-1}) on the
//! diagonal of the last block, and of every other that an edge leaves for the output, with q_L = −e. It is
//! block-diagonal over samples; the largest eigenvalue is the largest over the samples measured.

use crate::{
    backend::Host,
    error::Error,
    lagrangian::Lagrangian,
    minibatch::Minibatch,
    network::Network,
    objective::End,
    real::Real,
    stack::{Matrix, Stack, nan_max},
    state::State,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Largest curvatures at the forward pass.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Curvature {
    /// λ_max of the Hessian of the PC energy F; 1/λ_max is the default step size η.
    pub lambda_max: f64,
    /// σ_max², the largest eigenvalue of CᵀC, for the stability bound.
    pub sigma_squared: f64,
    /// Power iterations of the slower of the two.
    pub iterations: usize,
}

/// A symmetric map on the stacked activities at the forward pass: h H + k CᵀC.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Operator {
    /// h, the share of the Hessian H of the PC energy F.
    pub energy: f64,
    /// k, the share of CᵀC, the constraints alone.
    pub constraint: f64,
    /// Whether the eigenvalues are those of Π⁻¹ times the map, which preconditioned steps see.
    pub preconditioned: bool,
}

impl Operator {
    /// H.
    pub const ENERGY: Operator = Operator { energy: 1.0, constraint: 0.0, preconditioned: false };
    /// CᵀC.
    pub const CONSTRAINT: Operator = Operator { energy: 0.0, constraint: 1.0, ..Operator::ENERGY };

    /// 2H + αCᵀC, whose largest eigenvalue times η must stay below 4.
    pub fn stability(alpha: f64) -> Operator {
        Operator { energy: 2.0, constraint: alpha, ..Operator::ENERGY }
    }

    /// Π⁻¹ times the same.
    pub fn preconditioned(self) -> Operator {
        Operator { preconditioned: true, ..self }
    }
}

/// When a power iteration ends.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Accuracy {
    /// Relative change of the Rayleigh quotient from one iteration to the next.
    pub tolerance: f64,
    /// Iterations at most.
    pub limit: usize,
}

/// Measures λ_max and σ_max² on the samples loaded into `minibatch`, to relative `tolerance` in
/// the Rayleigh quotient between iterations, with at most `limit` iterations.
///
/// # Errors
/// If the network does not fit the samples, the forward pass is not finite, or `minibatch` was
/// [interrupted](Minibatch::set_interrupt).
pub fn curvature<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    tolerance: f64,
    limit: usize,
) -> Result<Curvature, Error> {
    let accuracy = Accuracy { tolerance, limit };
    let (lambda_max, first) = measure(minibatch, network, Operator::ENERGY, accuracy)?;
    let (sigma_squared, second) = measure(minibatch, network, Operator::CONSTRAINT, accuracy)?;
    Ok(Curvature { lambda_max, sigma_squared, iterations: first.max(second) })
}

/// One of the two alone, to an accuracy of its own: the largest eigenvalue of `operator` on the
/// samples loaded into `minibatch`.
///
/// # Errors
/// As [`curvature`].
pub fn largest_eigenvalue<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    operator: Operator,
    accuracy: Accuracy,
) -> Result<f64, Error> {
    Ok(measure(minibatch, network, operator, accuracy)?.0)
}

fn measure<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    operator: Operator,
    accuracy: Accuracy,
) -> Result<(f64, usize), Error> {
    over_blocks(minibatch, network, |lagrangian, state| power_iteration(lagrangian, state, operator, accuracy))
}

/// The largest eigenvalue that `iterate` finds in any block at its forward pass, and the most iterations of any.
pub(super) fn over_blocks<B: Host>(
    minibatch: &mut Minibatch<B>,
    network: &Network<B::Real>,
    iterate: impl Fn(&Lagrangian<B>, &mut State<B>) -> Result<(f64, usize), Error> + Sync,
) -> Result<(f64, usize), Error> {
    let blocks = minibatch.map(network, |lagrangian, state| {
        lagrangian.forward(state);
        iterate(lagrangian, state)
    })?;
    let mut largest = (0.0f64, 0);
    for block in blocks {
        let (eigenvalue, iterations) = block?;
        if !eigenvalue.is_finite() {
            return Err(Error::Network(
                "the curvature of its activities is not finite: the forward pass overflows".into(),
            ));
        }
        largest = (largest.0.max(eigenvalue), largest.1.max(iterations));
    }
    Ok(largest)
}

/// Largest eigenvalue over the block's samples, each iterated on its own, all at once.
fn power_iteration<B: Host>(
    lagrangian: &Lagrangian<B>,
    state: &mut State<B>,
    operator: Operator,
    Accuracy { tolerance, limit }: Accuracy,
) -> Result<(f64, usize), Error> {
    let samples = lagrangian.samples();
    let mut map = AppliedOperator::new(lagrangian, state, operator);
    let mut v = random_directions(&state.activities, samples);
    let mut product = v.clone();
    let mut eigenvalues = vec![0.0; samples];
    for iteration in 1..=limit {
        if lagrangian.interrupted() {
            return Err(Error::Interrupted);
        }
        map.apply(lagrangian, state, &v, &mut product);
        let found = map.quotients(lagrangian, state, &v, &mut product);
        let change = found.iter().zip(&eigenvalues).map(|(a, b)| (a - b).abs() / a.abs());
        // Only the largest matters, but a sample whose quotient still grows may overtake it.
        let settled = change.into_iter().all(|c| c <= tolerance);
        eigenvalues = found;
        if settled || iteration == limit {
            return Ok((eigenvalues.into_iter().map(|e| e - map.shift()).fold(0.0, nan_max), iteration));
        }
        std::mem::swap(&mut v, &mut product);
        normalise(&mut v, samples);
    }
    Ok((f64::NAN, limit))
}

/// A direction of length 1 for each sample, always the same ones.
pub(super) fn random_directions<R: Real>(like: &Stack<R>, samples: usize) -> Stack<R> {
    let mut v = like.clone();
    let mut rng = ChaCha8Rng::seed_from_u64(0);
    for layer in &mut v.layers {
        layer.data_mut().fill_with(|| R::of(rng.random::<f64>() - 0.5));
    }
    normalise(&mut v, samples);
    v
}

/// An [`Operator`] at the forward pass in a state.
pub(super) struct AppliedOperator<R> {
    energy: R,
    constraint: R,
    preconditioned: bool,
    /// The diagonal φ'' terms, each with its layer; none where they are zero.
    diagonals: Vec<(usize, Matrix<R>)>,
    /// Added to every eigenvalue. Only the φ'' term can make H indefinite, and where it is large
    /// power iteration would find the most negative eigenvalue; shifted by its lowest entry,
    /// no eigenvalue is negative and the largest wins.
    shift: R,
    /// C v and J_L v of the direction at hand.
    image: Stack<R>,
}

impl<R: Real> AppliedOperator<R> {
    pub fn new<B: Host<Real = R>>(lagrangian: &Lagrangian<B>, state: &State<B>, operator: Operator) -> Self {
        let problem = lagrangian.problem();
        let [energy, constraint] = [operator.energy, operator.constraint].map(R::of);
        let mut diagonals = Vec::new();
        let output = problem.network.depth();
        for (_, edge) in problem.network.entering(output).filter(|_| operator.energy != 0.0) {
            // The input does not move, and a readout has its activation before the product.
            let (Some(layer), Some(dense)) = (edge.from.checked_sub(1), edge.dense()) else { continue };
            let Some((phi, _)) = dense.nonlinearity() else { continue };
            let (z, q) = (&state.activities.layers[layer], &state.credit.layers[output - 1]);
            let mut diagonal = Matrix::zeros(z.rows(), z.cols());
            let cols = z.cols();
            for (i, d) in diagonal.data_mut().iter_mut().enumerate() {
                let (unit, s) = (i / cols, i % cols);
                let back: R = (0..q.rows()).map(|o| dense.weight()[o * dense.cols() + unit] * q.at(o, s)).sum();
                *d = energy * (-dense.scale() * phi.curvature(z.at(unit, s)) * back);
            }
            diagonals.push((layer, diagonal));
        }
        let entries = diagonals.iter().flat_map(|(_, diagonal)| diagonal.data());
        let lowest = entries.fold(R::zero(), |m, &d| m.min(d));
        // Beside Π the shift is a multiple of it.
        let least = if operator.preconditioned { problem.objective.least_weight() } else { 1.0 };
        AppliedOperator {
            energy,
            constraint,
            preconditioned: operator.preconditioned,
            diagonals,
            shift: -lowest / R::of(least),
            image: state.credit.clone(),
        }
    }

    /// What is added to every eigenvalue.
    pub fn shift(&self) -> f64 {
        self.shift.wide()
    }

    /// `product ← (h H + k CᵀC + shift) v`.
    pub fn apply<B: Host<Real = R>>(
        &mut self,
        lagrangian: &Lagrangian<B>,
        state: &mut State<B>,
        v: &Stack<R>,
        product: &mut Stack<R>,
    ) {
        let problem = lagrangian.problem();
        let (block, objective, hidden) = (problem.block, problem.objective, problem.network.hidden());
        lagrangian.push_forward(state, v, &mut self.image);
        if self.energy != R::zero() && objective.output() == End::Held {
            let readout = &mut self.image.layers[hidden];
            objective.loss_curvature(state.output(), &block.target, readout, block.samples);
        }
        for (l, (credit, image)) in state.credit_mut().layers.iter_mut().zip(&self.image.layers).enumerate() {
            match objective.penalty(l.min(hidden - 1)) {
                Some(penalty) if l < hidden => penalty.stiffen(self.energy, self.constraint, image, credit),
                _ if l == hidden && objective.output() == End::Held => {
                    let pairs = credit.data_mut().iter_mut().zip(image.data());
                    pairs.for_each(|(c, &v)| *c = -self.energy * v);
                }
                _ => credit.clear(),
            }
        }
        lagrangian.activity_gradient(state, product);
        for (layer, diagonal) in &self.diagonals {
            let (product, v) = (&mut product.layers[*layer], &v.layers[*layer]);
            for ((p, &d), &v) in product.data_mut().iter_mut().zip(diagonal.data()).zip(v.data()) {
                *p += d * v;
            }
        }
        if self.shift > R::zero() {
            let shifted = if self.preconditioned { self.weighed(lagrangian, v) } else { v.clone() };
            lagrangian.combine(self.shift, &shifted, R::one(), product);
        }
    }

    /// Each sample's Rayleigh quotient of v, whose image is `product`; with Π beside the map, ⟨v, Av⟩/⟨v, Πv⟩, and
    /// `product` ← Π⁻¹Av.
    pub fn quotients<B: Host<Real = R>>(
        &self,
        lagrangian: &Lagrangian<B>,
        state: &mut State<B>,
        v: &Stack<R>,
        product: &mut Stack<R>,
    ) -> Vec<f64> {
        let found = lagrangian.inner(v, product);
        if !self.preconditioned {
            return found;
        }
        let weights = lagrangian.inner(v, &self.weighed(lagrangian, v));
        lagrangian.backend().precondition(lagrangian.problem(), product, &mut state.memo);
        found.iter().zip(weights).map(|(found, weight)| found / weight).collect()
    }

    /// Π v.
    fn weighed<B: Host<Real = R>>(&self, lagrangian: &Lagrangian<B>, v: &Stack<R>) -> Stack<R> {
        let mut image = v.clone();
        for (l, (image, v)) in image.layers.iter_mut().zip(&v.layers).enumerate() {
            if let Some(penalty) = lagrangian.problem().objective.penalty(l) {
                penalty.weight().apply(R::one(), R::zero(), v, image);
            }
        }
        image
    }
}

/// Scales each sample's vector to length 1.
fn normalise<R: Real>(v: &mut Stack<R>, samples: usize) {
    let factors: Vec<f64> = v.inner(v, samples).iter().map(|norm| 1.0 / norm.sqrt()).collect();
    scale_samples(v, &factors);
}

/// Scales each sample's vector by its own factor; padding becomes 0.
pub(super) fn scale_samples<R: Real>(v: &mut Stack<R>, factors: &[f64]) {
    let factors: Vec<R> = factors.iter().map(|&f| R::of(f)).collect();
    let samples = factors.len();
    for layer in &mut v.layers {
        let cols = layer.cols();
        for row in layer.data_mut().chunks_exact_mut(cols) {
            for (value, &factor) in row.iter_mut().zip(&factors) {
                *value *= factor;
            }
            row[samples..].fill(R::zero());
        }
    }
}
