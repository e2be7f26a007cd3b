//! The fast backend held to the reference in f64, and its fused pass to its own sweeps.

mod common;

use common::{
    Data, RuleWalk, biased, network, numbers, objectives, relative, rule_names, weighted, without_inverses,
    without_solves,
};
use pcalm::{
    activation::ACTIVATIONS,
    backend::{Backend, Cpu, Host, Reference, cpu::InstructionSet, host::Block},
    gradient::Gradient,
    infer::infer,
    lagrangian::{DualStep, Lagrangian},
    loss::Loss,
    minibatch::{Batch, Minibatch},
    network::{Network, Placement},
    objective::Objective,
    real::Real,
    rule::{self, RuleSettings},
    stack::{Matrix, Stack},
    state::State,
};
use rand::{RngExt, SeedableRng};
use rand_chacha::ChaCha8Rng;

/// Every instruction set this machine has.
fn backends() -> impl Iterator<Item = Cpu> {
    InstructionSet::ALL.iter().filter_map(|&set| Cpu::with(set))
}

/// A block of samples of `network` with its drive, and an empty state.
fn block<B: Host>(backend: &B, network: &Network<B::Real>, data: &Data) -> (Block<B::Real>, State<B>) {
    let cast = |values: &[f64]| -> Vec<B::Real> { values.iter().map(|&v| B::Real::of(v)).collect() };
    Batch::new(&cast(&data.x), &cast(&data.y), data.samples).unwrap().block(backend, network).unwrap()
}

/// Some shapes: narrow, wide, uneven, no multiple of any tile; and sample counts around a block.
const SHAPES: &[(&[usize], usize)] = &[
    (&[3, 1, 2], 1),
    (&[5, 8, 8, 8, 8, 3], 16),
    (&[7, 13, 13, 13, 2], 17),
    (&[20, 33, 33, 9, 9, 9, 10], 32),
    (&[4, 32, 32, 32, 32, 10], 31),
    (&[4, 70, 70, 70, 5], 32),
];

fn bits(stack: &Stack<f32>) -> Vec<u32> {
    stack.layers.iter().flat_map(|m| m.data().iter().map(|v| v.to_bits())).collect()
}

/// Runs one rule from the forward pass and returns z, λ, q and the weight gradients.
fn outcome<B: Backend + Clone>(
    backend: B,
    network: &Network<B::Real>,
    data: &Data,
    objective: impl Into<Objective<B::Real>>,
    rule: &str,
    settings: &RuleSettings,
) -> Vec<Vec<f64>> {
    let cast = |values: &[f64]| -> Vec<B::Real> { values.iter().map(|&v| B::Real::of(v)).collect() };
    let (x, y) = (cast(&data.x), cast(&data.y));
    let mut minibatch = Minibatch::new(backend, objective);
    minibatch.load(network, &Batch::new(&x, &y, data.samples).unwrap()).unwrap();
    minibatch.infer(network, rule::build::<B>(rule, settings).unwrap().as_ref()).unwrap();
    let mut gradient = Gradient::zeros(network);
    minibatch.weight_gradient(network, &mut gradient).unwrap();
    let wide = |values: Vec<B::Real>| -> Vec<f64> { values.iter().map(|v| v.wide()).collect() };
    let mut all = Vec::new();
    for l in 0..network.hidden() {
        all.push(wide(minibatch.unload(l, |s| s.activities())));
        all.push(wide(minibatch.unload(l, |s| s.duals())));
        all.push(wide(minibatch.unload(l, |s| s.credit())));
    }
    all.push(wide(minibatch.output()));
    all.extend(gradient.edges.into_iter().map(wide));
    all
}

#[test]
fn every_instruction_set_agrees_with_the_reference_in_f64() {
    let mut walk = RuleWalk::of(without_inverses(without_solves(rule_names())));
    for (s, &(widths, samples)) in SHAPES.iter().enumerate() {
        for &placement in Placement::ALL {
            for (a, &phi) in ACTIVATIONS.iter().enumerate() {
                let loss = Loss::ALL[(s + a) % 2];
                let exact = network(widths, a % 3 != 0, phi, placement, (10 * s + a) as u64);
                let exact = if (a + s) % 2 == 0 { biased(exact, 3) } else { exact };
                let rounded = exact.cast::<f32>();
                let data = Data::new(&exact, samples, loss, 5);
                let settings = common::settings(9, 0.15);
                for rule in walk.on(&exact, loss, &settings) {
                    let wanted = outcome(Reference::<f64>::new(), &exact, &data, loss, rule, &settings);
                    for cpu in backends() {
                        let found = outcome(cpu, &rounded, &data, loss, rule, &settings);
                        // Whole outcome against whole outcome: near-zero parts, such as credit
                        // the wave has hardly reached, are differences of numbers near 1 and carry
                        // their rounding error, some 10⁻⁷ times a few tens of operations.
                        let (found, wanted) = (found.concat(), wanted.concat());
                        let error = relative(&found, &wanted);
                        let set = cpu.instruction_set();
                        assert!(error < 3e-6, "{set:?} {rule} {phi:?} {placement:?} {widths:?}: {error:e}");
                    }
                }
            }
        }
    }
    walk.end();
}

/// A width around the sizes of tiles and caches: 1 to 70, 127 to 129 or 255 to 257.
fn some_width(rng: &mut ChaCha8Rng) -> usize {
    match rng.random_range(0..8) {
        0 => rng.random_range(127..130),
        1 => rng.random_range(255..258),
        _ => rng.random_range(1..71),
    }
}

#[test]
fn random_shapes_agree_with_the_reference_to_the_rounding_of_their_operations() {
    let mut rng = ChaCha8Rng::seed_from_u64(11);
    let mut walk = RuleWalk::of(without_inverses(without_solves(rule_names())));
    for case in 0..96 {
        let phi = ACTIVATIONS[case % ACTIVATIONS.len()];
        let (placement, loss) = (Placement::ALL[case / 8 % 2], Loss::ALL[case / 16 % 2]);
        let (depth, samples) = (rng.random_range(2..10), rng.random_range(1..71));
        // Two layers of a width before the next, so that some edges have skips.
        let mut widths = vec![some_width(&mut rng)];
        while widths.len() < depth {
            let width = some_width(&mut rng);
            widths.extend([width, width]);
        }
        widths.truncate(depth);
        widths.push(some_width(&mut rng));
        let exact = network(&widths, rng.random(), phi, placement, case as u64);
        let exact = if case / 32 == 1 { biased(exact, 4) } else { exact };
        let data = Data::new(&exact, samples, loss, case as u64);
        let budget = rng.random_range(1..12);
        let rho: Vec<f64> = (0..exact.hidden()).map(|_| 0.5 + rng.random::<f64>()).collect();
        let settings = RuleSettings { alpha: 0.7, ..common::settings(budget, 0.1) };
        // Unit roundoff, times the operations that follow each other: T + L products up and down, in
        // each of which the error of a sum of n terms grows like √n, with a margin of 4.
        let longest = *widths.iter().max().unwrap() as f64;
        let bound = 4.0 * 2f64.powi(-24) * 2.0 * (budget + depth) as f64 * longest.sqrt();
        for rule in walk.on(&exact, loss, &settings) {
            let wanted =
                outcome(Reference::<f64>::new(), &exact, &data, weighted(loss, &rho), rule, &settings).concat();
            for cpu in backends() {
                let found = outcome(cpu, &exact.cast(), &data, weighted(loss, &rho), rule, &settings).concat();
                let (error, set) = (relative(&found, &wanted), cpu.instruction_set());
                assert!(error < bound, "{set:?} {rule} {phi:?} {placement:?} {widths:?}: {error:e} > {bound:e}");
            }
        }
    }
    walk.end();
}

/// One cycle from a random (z, λ), fused and as two sweeps.
#[test]
fn a_fused_cycle_leaves_the_same_bits_as_the_two_sweeps() {
    for cpu in backends() {
        for (s, &(widths, samples)) in SHAPES.iter().enumerate() {
            for &placement in Placement::ALL {
                for (a, &phi) in ACTIVATIONS.iter().enumerate() {
                    let exact = network(widths, (a + s) % 2 == 0, phi, placement, (10 * s + a) as u64);
                    let exact = if (a + s / 2) % 2 == 0 { biased(exact, 3) } else { exact };
                    let net = exact.cast::<f32>();
                    let data = Data::new(&exact, samples, Loss::ALL[a % 2], 6);
                    let (block, mut state) = block(&cpu, &net, &data);
                    // Precisions by number and by unit in turn; others run on the sweeps.
                    let objective = objectives(&net, Loss::ALL[a % 2]).swap_remove((a + s) % 3).1;
                    let lagrangian = Lagrangian::new(&cpu, &net, &block, &objective).unwrap();
                    lagrangian.forward(&mut state);
                    let mut rng = ChaCha8Rng::seed_from_u64(s as u64);
                    for layer in &mut state.activities_mut().layers {
                        layer.data_mut().fill_with(|| rng.random::<f32>() - 0.5);
                    }
                    for layer in &mut state.duals_mut().layers {
                        layer.data_mut().fill_with(|| rng.random::<f32>() - 0.5);
                    }
                    let mut swept = state.clone();
                    // A step of its own for each layer, one for all, and none.
                    for dual_step in [DualStep::Penalty, DualStep::Along(0.9), DualStep::Still] {
                        lagrangian.cycle(&mut state, dual_step, 0.2);
                        lagrangian.credit(&mut swept, dual_step);
                        lagrangian.descend(&mut swept, 0.2);
                    }
                    let place = format!("{:?} {widths:?} {placement:?} {phi:?}", cpu.instruction_set());
                    assert_eq!(bits(state.activities()), bits(swept.activities()), "z, {place}");
                    assert_eq!(bits(state.duals()), bits(swept.duals()), "λ, {place}");
                    assert_eq!(state.output(), swept.output(), "output, {place}");
                }
            }
        }
    }
}

/// From the forward pass the fused cycle leaves out the layers the credit has not reached. The two
/// sweeps leave nothing out.
#[test]
fn leaving_out_unreached_layers_changes_no_bit_and_saves_the_counted_work() {
    let widths = [6, 12, 12, 12, 12, 12, 12, 4];
    for cpu in backends() {
        for &phi in ACTIVATIONS {
            for &placement in Placement::ALL {
                let exact = network(&widths, true, phi, placement, 3);
                let (net, data) = (exact.cast::<f32>(), Data::new(&exact, 20, Loss::SquaredError, 4));
                let (block, mut state) = block(&cpu, &net, &data);
                let hidden = net.hidden();
                let objective = Loss::SquaredError.into();
                let lagrangian = Lagrangian::new(&cpu, &net, &block, &objective).unwrap();
                lagrangian.forward(&mut state);
                let mut swept = state.clone();
                for step in 1..=hidden + 3 {
                    let before = state.work();
                    lagrangian.cycle(&mut state, DualStep::Along(1.0), 0.2);
                    lagrangian.credit(&mut swept, DualStep::Along(1.0));
                    lagrangian.descend(&mut swept, 0.2);
                    assert_eq!(bits(state.activities()), bits(swept.activities()), "{phi:?}, step {step}");
                    assert_eq!(bits(state.duals()), bits(swept.duals()), "{phi:?}, step {step}");
                    // Step t reaches t layers: two products on each edge above one of them.
                    let products = state.work().sample_products - before.sample_products;
                    assert_eq!(products, (20 * 2 * step.min(hidden)) as u64);
                }
            }
        }
    }
}

/// The same rules on larger blocks than the backend cuts itself, where nothing is fused.
#[test]
fn a_block_of_any_size_gives_every_sample_the_same_bits() {
    let exact = network(&[6, 12, 12, 12, 4], true, ACTIVATIONS[1], Placement::Pre, 3);
    let (net, data) = (exact.cast::<f32>(), Data::new(&exact, 50, Loss::SquaredError, 4));
    let settings = common::settings(6, 0.2);
    for cpu in backends() {
        let (big, mut state) = block(&cpu, &net, &data);
        let objective = Loss::SquaredError.into();
        let lagrangian = Lagrangian::new(&cpu, &net, &big, &objective).unwrap();
        let alm = rule::build::<Cpu>("pc-alm", &settings).unwrap();
        let _ = infer(alm.as_ref(), &lagrangian, &mut state, &mut ());
        let unload = |m: &Matrix<f32>| {
            let mut values = Vec::new();
            m.unload(50, &mut values);
            values.into_iter().map(f64::from).collect::<Vec<f64>>()
        };
        let (z, lambda, q) = (state.activities(), state.duals(), state.credit());
        let layers = (0..net.hidden()).flat_map(|l| [&z.layers[l], &lambda.layers[l], &q.layers[l]]);
        let whole: Vec<Vec<f64>> = layers.chain([state.output()]).map(unload).collect();
        let cut = outcome(cpu, &net, &data, Loss::SquaredError, "pc-alm", &settings);
        assert_eq!(whole, cut[..whole.len()]);
    }
}

#[test]
fn an_edit_of_the_state_is_seen_in_every_layer() {
    let exact = network(&[3, 4, 4, 4, 2], true, ACTIVATIONS[0], Placement::Pre, 1);
    let (net, data) = (exact.cast::<f32>(), Data::new(&exact, 3, Loss::SquaredError, 2));
    let cpu = Cpu::new();
    let (block, mut state) = block(&cpu, &net, &data);
    let objective = Loss::SquaredError.into();
    let lagrangian = Lagrangian::new(&cpu, &net, &block, &objective).unwrap();
    lagrangian.forward(&mut state);
    let values = numbers(4, 8);
    let first = &mut state.activities_mut().layers[0];
    for (i, value) in values.iter().enumerate() {
        let at = i * first.cols();
        first.data_mut()[at] += *value as f32;
    }
    lagrangian.cycle(&mut state, DualStep::Along(1.0), 0.1);
    assert!(state.duals().layers[0].norm_squared(3) > 0.0);
}
