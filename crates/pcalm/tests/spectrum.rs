//! The linearisation, its spectrum and the iteration matrix: against the library's own sweeps, dense
//! matrices of another library, closed forms, and measured convergence.

#![cfg(feature = "theory")]

mod common;

use common::{Data, away_from_kinks, for_each_kind, minibatch, network, numbers, relative, run, settings, weighted};
use nalgebra::{Complex, DMatrix, DVector};
use pcalm::{
    activation::Activation,
    backend::Reference,
    error::Refusal,
    error::StabilityBound,
    infer::{Step, Stop, infer},
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    network::{Link, Network, Placement},
    parametrization::{Architecture, Parametrization},
    rule::{self, Rule, RuleSettings},
    stack::Stack,
    state::State,
    theory::{Advice, Ends, Iteration, Linearisation, Mode, Spectrum, curvature},
};
use std::ops::ControlFlow;

fn linearise<'a>(network: &'a Network<f64>, data: &Data, loss: Loss, rho: &[f64]) -> Linearisation<'a> {
    let (x, y) = (&data.x[..network.inputs()], &data.y[..network.outputs()]);
    Linearisation::at_forward_pass(network, &weighted(loss, rho), x, y).unwrap()
}

fn put(stack: &mut Stack<f64>, values: &[f64]) {
    let mut rest = values;
    for layer in &mut stack.layers {
        let (head, tail) = rest.split_at(layer.rows());
        layer.load(head);
        rest = tail;
    }
}

fn take(stack: &Stack<f64>, layers: usize) -> Vec<f64> {
    stack.layers[..layers].iter().flat_map(|m| m.column(0)).collect()
}

const SHAPE: &[usize] = &[3, 4, 4, 5, 5, 2];

#[test]
fn the_constraint_operator_is_what_the_sweeps_apply() {
    for_each_kind(|activation, placement, loss, what| {
        let (network, data) = away_from_kinks(1e-3, |seed| {
            let network = network(SHAPE, true, activation, placement, seed);
            let data = Data::new(&network, 1, loss, seed);
            (network, data)
        });
        let rho = [0.7, 1.3, 0.9, 2.0];
        let linearisation = linearise(&network, &data, loss, &rho);
        let n = linearisation.unknowns();
        let backend = Reference::<f64>::new();
        let (block, mut state) = data.batch().block(&Reference::<f64>::new(), &network).unwrap();
        let objective = weighted(loss, &rho);
        let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
        lagrangian.forward(&mut state);
        let v = numbers(n, 5);

        let (mut direction, mut image) = (state.activities().clone(), state.credit().clone());
        put(&mut direction, &v);
        lagrangian.push_forward(&mut state, &direction, &mut image);
        let mut found = vec![0.0; n];
        linearisation.constraint(&v, &mut found);
        let error = relative(&found, &take(&image, network.hidden()));
        assert!(error < 1e-14, "{what}: C v is {error:e} off");

        // With this credit on the hidden layers and none on the output, q − Jᵀq is Cᵀq.
        put(state.credit_mut(), &[v.clone(), vec![0.0; network.outputs()]].concat());
        lagrangian.activity_gradient(&mut state, &mut direction);
        linearisation.constraint_transposed(&v, &mut found);
        let error = relative(&found, &take(&direction, network.hidden()));
        assert!(error < 1e-14, "{what}: Cᵀ q is {error:e} off");
    });
}

#[test]
fn solving_undoes_applying() {
    for_each_kind(|activation, placement, loss, what| {
        let network = network(SHAPE, true, activation, placement, 3);
        let data = Data::new(&network, 1, loss, 3);
        let linearisation = linearise(&network, &data, loss, &[0.7, 1.3, 0.9, 2.0]);
        let n = linearisation.unknowns();
        let v = numbers(n, 6);
        let mut image = vec![0.0; n];
        linearisation.constraint(&v, &mut image);
        linearisation.solve_constraint(&mut image);
        assert!(relative(&image, &v) < 1e-13, "{what}: C");
        linearisation.constraint_transposed(&v, &mut image);
        linearisation.solve_constraint_transposed(&mut image);
        assert!(relative(&image, &v) < 1e-13, "{what}: Cᵀ");
        linearisation.hessian(&v, &mut image);
        linearisation.hessian_inverse().unwrap().apply(&mut image);
        // Two solves of condition κ(C) each.
        assert!(relative(&image, &v) < 1e-11, "{what}: H, {:e}", relative(&image, &v));
    });
}

/// H and C of a network by columns, in the other library.
fn dense(linearisation: &Linearisation) -> (DMatrix<f64>, DMatrix<f64>) {
    let n = linearisation.unknowns();
    let by_columns = |apply: &dyn Fn(&[f64], &mut [f64])| {
        let mut m = DMatrix::zeros(n, n);
        let (mut unit, mut out) = (vec![0.0; n], vec![0.0; n]);
        for j in 0..n {
            unit[j] = 1.0;
            apply(&unit, &mut out);
            unit[j] = 0.0;
            m.set_column(j, &DVector::from_column_slice(&out));
        }
        m
    };
    (by_columns(&|v, out| linearisation.hessian(v, out)), by_columns(&|v, out| linearisation.constraint(v, out)))
}

#[test]
fn extreme_eigenvalues_equal_dense_ones_by_either_way() {
    // (16, 8): all singular values; the second has more unknowns than are done densely.
    for (width, depth, residual, activation) in
        [(8, 12, true, Activation::Relu), (8, 12, false, Activation::Identity), (24, 10, true, Activation::Tanh)]
    {
        let mut widths = vec![width; depth + 1];
        (widths[0], widths[depth]) = (5, 3);
        let architecture = Architecture { widths, residual, activation, placement: Placement::Pre, bias: false };
        let network = architecture.draw::<f64>(Parametrization::Ntp, 1.0, 2).unwrap();
        for loss in [Loss::SquaredError, Loss::CrossEntropy] {
            let data = Data::new(&network, 1, loss, 2);
            let linearisation = linearise(&network, &data, loss, &[1.0]);
            let (h, c) = dense(&linearisation);
            let spectrum = Spectrum::new(&linearisation).unwrap();
            let wanted = h.symmetric_eigenvalues();
            let sigma = c.singular_values();
            for (found, wanted, name) in [
                (spectrum.lambda_max, wanted.max(), "λ_max"),
                (spectrum.lambda_min, wanted.min(), "λ_min"),
                (spectrum.sigma_max, sigma.max(), "σ_max"),
                (spectrum.sigma_min, sigma.min(), "σ_min"),
            ] {
                let error = (found / wanted - 1.0).abs();
                assert!(error < 1e-9, "{width} × {depth} {}: {name} {found}, wanted {wanted}", loss.name());
            }
            if activation != Activation::Tanh {
                // Where φ'' = 0 the Gauss–Newton form is the Hessian that training measures.
                let mut minibatch = minibatch(&network, &data, loss);
                let measured = curvature(&mut minibatch, &network, 1e-10, 100_000).unwrap();
                let error = (measured.lambda_max / wanted.max() - 1.0).abs();
                assert!(error < 1e-6, "power iteration: {}, wanted {}", measured.lambda_max, wanted.max());
            }
        }
    }
}

#[test]
fn watched_ends_of_the_spectrum_keep_up_with_changing_weights() {
    let mut network = network(&[3, 6, 6, 6, 6, 6, 2], true, Activation::Tanh, Placement::Pre, 6);
    let data = Data::new(&network, 1, Loss::SquaredError, 6);
    let mut ends = Ends::default();
    for step in 0..40 {
        let linearisation = linearise(&network, &data, Loss::SquaredError, &[1.0]);
        let (found_max, found_min) = ends.measure(&linearisation).unwrap();
        let wanted = dense(&linearisation).0.symmetric_eigenvalues();
        // Rayleigh quotients of vectors a little behind: the error is their angle squared.
        assert!((found_max / wanted.max() - 1.0).abs() < 2e-3, "step {step}: {found_max}, λ_max {}", wanted.max());
        assert!((found_min / wanted.min() - 1.0).abs() < 2e-3, "step {step}: {found_min}, λ_min {}", wanted.min());
        assert!(found_max <= wanted.max() * (1.0 + 1e-12) && found_min >= wanted.min() * (1.0 - 1e-12));
        for (weights, l) in network.weights_mut().into_iter().zip(0..) {
            let noise = numbers(weights.len(), 500 + 10 * step + l);
            weights.iter_mut().zip(noise).for_each(|(w, n)| *w += 0.02 * n);
        }
    }
}

/// A linear chain of `free` hidden layers whose a_l W_l are orthogonal.
fn orthogonal_chain(width: usize, free: usize) -> Network<f64> {
    let edges = (0..=free).map(|l| {
        let q = DMatrix::from_vec(width, width, numbers(width * width, 50 + l as u64)).qr().q();
        let scale = 0.5 + l as f64 / free as f64;
        let weight = q.transpose().iter().map(|w| w / scale).collect();
        Link::new(weight, width, width, scale, false).unwrap()
    });
    Network::chain(edges.collect(), Activation::Identity, Placement::Pre).unwrap()
}

#[test]
fn orthogonal_chains_have_the_spectrum_of_a_vibrating_string() {
    // (width, free layers, κ): the last has more unknowns than are done densely.
    for (width, free, condition) in
        [(3, 3, 16.393732), (3, 7, 87.566836), (3, 31, 1604.910972), (3, 127, 26349.973353), (17, 127, 26349.973353)]
    {
        let network = orthogonal_chain(width, free);
        let data = Data::new(&network, 1, Loss::SquaredError, 1);
        let spectrum = Spectrum::new(&linearise(&network, &data, Loss::SquaredError, &[1.0])).unwrap();
        let n = free as f64;
        let largest = 4.0 * (std::f64::consts::PI / (2.0 * n + 1.0)).cos().powi(2);
        let error = (spectrum.sigma_max.powi(2) / largest - 1.0).abs();
        assert!(error < 1e-9, "{free} layers of {width}: σ_max² {}, wanted {largest}", spectrum.sigma_max.powi(2));
        // κ is given to six decimals.
        assert!(
            (spectrum.condition_of_constraint() - condition).abs() < 5.1e-7,
            "{free} layers of {width}: κ {}, wanted {condition}",
            spectrum.condition_of_constraint()
        );
        let angle = std::f64::consts::PI / (4.0 * n + 2.0);
        let exact = largest / (4.0 * angle.sin().powi(2));
        let error = (spectrum.condition_of_constraint() / exact - 1.0).abs();
        assert!(error < 1e-9, "{free} layers of {width}: κ is {error:e} off");
        assert_eq!(spectrum.singular_values.is_none(), width == 17);
    }
}

#[test]
fn one_step_of_inference_is_the_iteration_matrix_and_a_constant() {
    for (residual, placement) in [(true, Placement::Pre), (false, Placement::Pre), (true, Placement::Post)] {
        let network = network(SHAPE, residual, Activation::Identity, placement, 8);
        let data = Data::new(&network, 1, Loss::SquaredError, 8);
        let rho = [0.7, 1.3, 0.9, 2.0];
        let linearisation = linearise(&network, &data, Loss::SquaredError, &rho);
        let (eta, alpha) = (0.21, 0.8);
        let matrix = Iteration { linearisation: &linearisation, eta, alpha }.dense(true);
        let (n, hidden) = (linearisation.unknowns(), network.hidden());

        let backend = Reference::<f64>::new();
        let (block, mut state) = data.batch().block(&Reference::<f64>::new(), &network).unwrap();
        let objective = weighted(Loss::SquaredError, &rho);
        let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
        lagrangian.forward(&mut state);
        // A cycle is a dual step, then an activity step; M is the two in the other order. So M acts
        // between the states after dual steps: D, cycle, D = M D.
        let mut after_dual_step = |z: &[f64], lambda: &[f64]| {
            put(state.activities_mut(), z);
            put(state.duals_mut(), lambda);
            let (start, mut next) = (state.clone(), state.clone());
            let mut c = state.activities().clone();
            lagrangian.residuals(&mut state, &mut c);
            let dual: Vec<f64> = lambda.iter().zip(take(&c, hidden)).map(|(l, c)| l + alpha * c).collect();
            next.clone_from(&start);
            lagrangian.cycle(&mut next, DualStep::Along(alpha), eta);
            lagrangian.credit(&mut next, DualStep::Along(alpha));
            let before = [z.to_vec(), dual].concat();
            let after = [take(next.activities(), hidden), take(next.duals(), hidden)].concat();
            (before, after)
        };
        // The constant cancels between two starts.
        let (a, image_a) = after_dual_step(&numbers(n, 1), &numbers(n, 2));
        let (b, image_b) = after_dual_step(&numbers(n, 3), &numbers(n, 4));
        let difference: Vec<f64> = a.iter().zip(&b).map(|(a, b)| a - b).collect();
        let found: Vec<f64> = image_a.iter().zip(&image_b).map(|(a, b)| a - b).collect();
        let wanted: Vec<f64> = (0..2 * n).map(|i| (0..2 * n).map(|j| matrix[(i, j)] * difference[j]).sum()).collect();
        let error = relative(&found, &wanted);
        assert!(error < 1e-13, "residual {residual}, {}: {error:e}", placement.name());
        // The KKT point is fixed: the constant is what it lacks under M.
        let bp = run("bp", &network, &data, Loss::SquaredError, &settings(1, 1.0));
        let kkt = |part: fn(&common::Run<f64>, usize) -> Vec<f64>| {
            (0..hidden).flat_map(|l| part(&bp, l)).collect::<Vec<f64>>()
        };
        let (before, after) = after_dual_step(&kkt(|r, l| r.z(l)), &kkt(|r, l| r.lambda(l)));
        assert!(relative(&after, &before) < 1e-13, "the KKT point moves by {:e}", relative(&after, &before));
    }
}

/// The largest distance of a number of `a` from the closest of `b` not taken yet.
fn mismatch(a: &[Complex<f64>], b: &[Complex<f64>]) -> f64 {
    assert_eq!(a.len(), b.len());
    let mut left = b.to_vec();
    let distance = |x: &Complex<f64>| {
        let at = (0..left.len()).min_by(|&i, &j| (left[i] - x).norm().total_cmp(&(left[j] - x).norm())).unwrap();
        (left.swap_remove(at) - x).norm()
    };
    a.iter().map(distance).collect::<Vec<_>>().into_iter().fold(0.0, f64::max)
}

#[test]
fn without_loss_curvature_each_singular_value_has_its_own_pair_of_eigenvalues() {
    let network = network(&[3, 4, 4, 4, 4, 2], true, Activation::Identity, Placement::Pre, 4);
    let data = Data::new(&network, 1, Loss::SquaredError, 4);
    for (rho, eta, alpha) in [(1.0, 0.2, 1.0), (0.6, 0.3, 0.5), (1.0, 0.1, 0.0), (1.0, 0.2, 0.01), (2.0, 0.15, 2.0)] {
        let linearisation = linearise(&network, &data, Loss::SquaredError, &[rho]);
        let iteration = Iteration { linearisation: &linearisation, eta, alpha };
        let sigma = linearisation.dense_constraint().singular_values().unwrap();
        let modes: Vec<Mode> = sigma.iter().map(|&s| iteration.mode(s)).collect();
        let found: Vec<Complex<f64>> =
            iteration.dense(false).eigenvalues().unwrap().iter().map(|e| Complex::new(e.re, e.im)).collect();
        let wanted: Vec<Complex<f64>> =
            modes.iter().flat_map(|m| m.eigenvalues()).map(|e| Complex::new(e.re, e.im)).collect();
        // A double eigenvalue moves by the root of a perturbation.
        let error = mismatch(&found, &wanted);
        assert!(error < 1e-7, "ρ {rho} η {eta} α {alpha}: {error:e}");

        let [inner, outer] = [sigma[0], sigma[sigma.len() - 1]].map(|s| (1.0 - eta * rho * s * s).max(0.0).sqrt());
        for mode in modes.iter().filter(|m| m.oscillates()) {
            for eigenvalue in mode.eigenvalues() {
                let radius = eigenvalue.norm();
                assert!((radius - (1.0 - mode.x * rho).sqrt()).abs() < 1e-14, "radius {radius}");
                assert!((inner - 1e-14..=outer + 1e-14).contains(&radius), "{radius} outside [{inner}, {outer}]");
            }
        }
        assert_eq!(modes.iter().any(|m| m.oscillates()), alpha > 0.0);
    }
}

#[test]
fn stability_flips_where_the_bound_says() {
    // ρ = 1, η = 1/σ_max²: at α = 2.
    for (alpha, stable) in [(2.0 - 1e-6, true), (2.0 + 1e-6, false)] {
        let mode = Mode { x: 1.0, rho: 1.0, alpha };
        assert_eq!(mode.radius() < 1.0, stable, "α = {alpha}: radius {}", mode.radius());
        assert_eq!(mode.stable(), stable);
    }
    // Without duals: at ηρσ² = 2.
    for (x, stable) in [(2.0 - 1e-6, true), (2.0 + 1e-6, false)] {
        let mode = Mode { x, rho: 1.0, alpha: 0.0 };
        assert_eq!((mode.radius() < 1.0, mode.stable()), (stable, stable));
    }
    for &(x, rho) in &[(0.5, 1.0), (1.7, 0.4), (0.1, 3.0)] {
        let limit = StabilityBound::LIMIT / x - 2.0 * rho;
        for (alpha, stable) in [(limit - 1e-6, true), (limit + 1e-6, false)] {
            let mode = Mode { x, rho, alpha };
            assert_eq!((mode.radius() < 1.0, mode.stable()), (stable, stable), "x {x} ρ {rho} α {alpha}");
        }
    }
}

fn spectral_radius(iteration: &Iteration) -> f64 {
    let m = iteration.dense(true);
    let n = m.nrows();
    DMatrix::from_fn(n, n, |i, j| m[(i, j)]).complex_eigenvalues().iter().map(|e| e.norm()).fold(0.0, f64::max)
}

#[test]
fn the_exact_bound_with_loss_curvature_is_where_the_spectral_radius_crosses_one() {
    for rho in [vec![1.0], vec![0.5, 1.5, 0.8, 1.2]] {
        // A readout strong enough that S matters.
        let network = network(&[3, 4, 4, 4, 4, 3], true, Activation::Identity, Placement::Pre, 4);
        let data = Data::new(&network, 1, Loss::SquaredError, 4);
        let linearisation = linearise(&network, &data, Loss::SquaredError, &rho);
        let spectrum = Spectrum::new(&linearisation).unwrap();
        for alpha in [0.3, 1.0, 3.0] {
            let at = |eta: f64| Iteration { linearisation: &linearisation, eta, alpha };
            let limit = at(1.0).stability(&spectrum).unwrap().largest_eta();
            for (eta, stable) in [(limit * (1.0 - 1e-6), true), (limit * (1.0 + 1e-6), false)] {
                let radius = spectral_radius(&at(eta));
                assert_eq!(radius < 1.0, stable, "ρ {rho:?} α {alpha} η {eta}: radius {radius}");
                let stability = at(eta).stability(&spectrum).unwrap();
                assert_eq!(stability.value() < StabilityBound::LIMIT, stable);
                assert_eq!(stability.holds(), stable);
            }
        }
        let eta = 0.5
            * Iteration { linearisation: &linearisation, eta: 1.0, alpha: 0.0 }
                .stability(&spectrum)
                .unwrap()
                .largest_eta();
        let at = |alpha: f64| Iteration { linearisation: &linearisation, eta, alpha };
        let limit = at(1.0).largest_alpha(&spectrum).unwrap().unwrap();
        for (alpha, stable) in [(limit * (1.0 - 1e-6), true), (limit * (1.0 + 1e-6), false)] {
            let radius = spectral_radius(&at(alpha));
            assert_eq!(radius < 1.0, stable, "ρ {rho:?} η {eta} α {alpha}: radius {radius}");
        }
        let too_large = Iteration { linearisation: &linearisation, eta: 2.1 * eta, alpha: 0.0 };
        assert_eq!(too_large.largest_alpha(&spectrum).unwrap(), None);
    }
}

#[test]
fn the_radius_of_large_networks_equals_the_dense_one() {
    // 1064 unknowns: the radius comes from the slow modes' inverse and the bound on the fast ones.
    let mut widths = vec![38; 29];
    (widths[0], widths[28]) = (6, 4);
    for (activation, residual) in [(Activation::Relu, true), (Activation::Identity, false)] {
        let architecture =
            Architecture { widths: widths.clone(), residual, activation, placement: Placement::Pre, bias: false };
        let network = architecture.draw::<f64>(Parametrization::Ntp, 1.0, 3).unwrap();
        let data = Data::new(&network, 1, Loss::SquaredError, 3);
        let linearisation = linearise(&network, &data, Loss::SquaredError, &[1.0]);
        let spectrum = Spectrum::new(&linearisation).unwrap();
        let eta = 1.0 / spectrum.lambda_max;
        let limit =
            Iteration { linearisation: &linearisation, eta, alpha: 0.0 }.largest_alpha(&spectrum).unwrap().unwrap();
        for alpha in [0.05, 0.999 * limit, 1.1 * limit] {
            let iteration = Iteration { linearisation: &linearisation, eta, alpha };
            let found =
                iteration.radius(&spectrum, iteration.eigenvalues(true).unwrap().as_deref()).unwrap().found.unwrap();
            let wanted = iteration.dense(true).eigenvalues().unwrap().iter().map(|e| e.norm()).fold(0.0, f64::max);
            assert!((found - wanted).abs() < 1e-8, "{} α {alpha}: {found}, wanted {wanted}", activation.name());
        }
    }
}

/// A rule started elsewhere.
struct From<'a> {
    rule: &'a dyn Rule<Reference<f64>>,
    z: Vec<f64>,
    lambda: Vec<f64>,
}

impl Rule<Reference<f64>> for From<'_> {
    fn name(&self) -> &str {
        self.rule.name()
    }
    fn memory(&self) -> usize {
        self.rule.memory()
    }
    fn init(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) -> Result<(), Refusal> {
        self.rule.init(lagrangian, state)?;
        put(state.activities_mut(), &self.z);
        put(state.duals_mut(), &self.lambda);
        Ok(())
    }
    fn step(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>, at: Step) {
        self.rule.step(lagrangian, state, at);
    }
    fn completes(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>, at: Step) -> bool {
        self.rule.completes(lagrangian, state, at)
    }
    fn terminate(
        &self,
        l: &Lagrangian<Reference<f64>>,
        state: &mut State<Reference<f64>>,
        steps: usize,
    ) -> Option<Stop> {
        self.rule.terminate(l, state, steps)
    }
    fn settle(&self, lagrangian: &Lagrangian<Reference<f64>>, state: &mut State<Reference<f64>>) {
        self.rule.settle(lagrangian, state);
    }
}

/// Slope of the least-squares line through (t, values[t]) from `from` on.
fn slope(values: &[f64], from: usize) -> f64 {
    let points: Vec<(f64, f64)> = values.iter().enumerate().skip(from).map(|(t, v)| (t as f64, *v)).collect();
    let n = points.len() as f64;
    let (mt, mv) = (points.iter().map(|p| p.0).sum::<f64>() / n, points.iter().map(|p| p.1).sum::<f64>() / n);
    let (tv, tt) = points.iter().fold((0.0, 0.0), |(tv, tt), (t, v)| (tv + (t - mt) * (v - mv), tt + (t - mt).powi(2)));
    tv / tt
}

#[test]
fn inference_converges_to_backpropagation_at_the_rate_of_the_spectral_radius() {
    for (widths, residual) in [
        (vec![3, 4, 2], false),
        (vec![3, 5, 5, 5, 2], false),
        (vec![3, 4, 4, 4, 4, 4, 2], true),
        (vec![3, 6, 6, 6, 6, 6, 6, 6, 6, 3], true),
    ] {
        let network = network(&widths, residual, Activation::Identity, Placement::Pre, 5);
        let data = Data::new(&network, 1, Loss::SquaredError, 5);
        let linearisation = linearise(&network, &data, Loss::SquaredError, &[1.0]);
        let (n, hidden) = (linearisation.unknowns(), network.hidden());
        let spectrum = Spectrum::new(&linearisation).unwrap();
        let advice = Advice::new(&linearisation, &spectrum).unwrap();
        let iteration = Iteration { linearisation: &linearisation, eta: advice.eta, alpha: advice.alpha };
        let radius =
            iteration.radius(&spectrum, iteration.eigenvalues(true).unwrap().as_deref()).unwrap().found.unwrap();
        assert!((radius - spectral_radius(&iteration)).abs() < 1e-12);

        let bp = run("bp", &network, &data, Loss::SquaredError, &settings(1, 1.0));
        let kkt: Vec<f64> = (0..hidden).flat_map(|l| bp.z(l)).chain((0..hidden).flat_map(|l| bp.lambda(l))).collect();
        let budget = (1e-16f64.ln() / radius.ln()) as usize;
        let base = RuleSettings { alpha: advice.alpha, ..settings(budget, advice.eta) };
        let plain = rule::build::<Reference<f64>>("pc-alm", &base).unwrap();
        let elsewhere = From { rule: plain.as_ref(), z: numbers(n, 1), lambda: numbers(n, 2) };
        for (rule, random) in [(plain.as_ref(), false), (&elsewhere as &dyn Rule<Reference<f64>>, true)] {
            let what = format!("{widths:?}, random start {random}");
            let done = common::run_rule(rule, &network, &data, Loss::SquaredError);
            for l in 0..hidden {
                assert!(relative(&done.z(l), &bp.z(l)) < 1e-12, "{what}: z of layer {}", l + 1);
                assert!(relative(&done.lambda(l), &bp.lambda(l)) < 1e-11, "{what}: λ of layer {}", l + 1);
            }
            let error = relative(&done.gradient.edges.concat(), &bp.gradient.edges.concat());
            assert!(error < 1e-11, "{what}: gradient {error:e} from BP's");

            let (block, mut state) = data.batch().block(&Reference::<f64>::new(), &network).unwrap();
            let backend = Reference::<f64>::new();
            let objective = Loss::SquaredError.into();
            let lagrangian = Lagrangian::new(&backend, &network, &block, &objective).unwrap();
            let mut logs = Vec::new();
            let mut watch = |_: usize, _: &Lagrangian<Reference<f64>>, state: &State<Reference<f64>>| {
                let now = [take(state.activities(), hidden), take(state.duals(), hidden)].concat();
                let squares: f64 = now.iter().zip(&kkt).map(|(a, b)| (a - b) * (a - b)).sum();
                logs.push(0.5 * squares.ln());
                ControlFlow::Continue(())
            };
            let _ = infer(rule, &lagrangian, &mut state, &mut watch);
            // The last decades before rounding: many periods of the slowest mode, and no other.
            let last = logs.iter().position(|d| d - logs[1] < 1e-11f64.ln()).expect("it converges");
            let measured = slope(&logs[..last], last / 2).exp();
            // From the forward pass credit enters through the readout alone: one hidden layer is moved
            // only along the O directions that S sees.
            if random || hidden > 1 {
                assert!((measured / radius - 1.0).abs() < 1e-3, "{what}: {measured}, predicted {radius}");
            } else {
                assert!(measured < radius, "{what}: {measured}, at most {radius}");
            }
        }
    }
}
