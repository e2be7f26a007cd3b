//! What results must not depend on: the other samples of a batch, the number of threads, and what the
//! buffers were used for before.

mod common;

use common::{Data, RuleWalk, bits, for_each_kind, network, rule_names, run, settings, weighted, without_solves};
use pcalm::{
    activation::Activation,
    backend::Reference,
    loss::Loss,
    minibatch::Minibatch,
    network::{Network, Placement},
    real::Real,
    rule::{self, RuleSettings},
};

const WIDTHS: &[usize] = &[3, 4, 4, 2, 3];

/// Samples `order` of `data`, in that order.
fn pick<R: Real>(data: &Data<R>, order: &[usize]) -> Data<R> {
    let (d, o) = (data.x.len() / data.samples, data.y.len() / data.samples);
    let rows = |values: &[R], n: usize| order.iter().flat_map(|&s| values[s * n..][..n].to_vec()).collect();
    Data { x: rows(&data.x, d), y: rows(&data.y, o), samples: order.len() }
}

/// For each sample, the bits of its activities, duals, credit and output.
fn samples<R: Real>(rule: &str, network: &Network<R>, data: &Data<R>, loss: Loss) -> Vec<Vec<u64>> {
    let settings = RuleSettings { alpha: 0.8, ..settings(9, 0.2) };
    let done = run(rule, network, data, weighted(loss, &[1.2, 0.9, 0.7]), &settings);
    let layers = (0..done.hidden).flat_map(|l| [done.z(l), done.lambda(l), done.credit(l)]);
    let parts: Vec<Vec<R>> = layers.chain([done.credit(done.hidden), done.minibatch.output()]).collect();
    let row = |part: &Vec<R>, s: usize| {
        let n = part.len() / data.samples;
        bits(&part[s * n..][..n])
    };
    (0..data.samples).map(|s| parts.iter().flat_map(|part| row(part, s)).collect()).collect()
}

fn check_batch_mates<R: Real>(walk: &mut RuleWalk, network: &Network<f64>, data: &Data, loss: Loss, what: &str) {
    let (network, data) = (network.cast::<R>(), data.cast::<R>());
    for rule in walk.on(&network, loss, &settings(9, 0.2)) {
        let all: Vec<usize> = (0..64).collect();
        let together = samples(rule, &network, &data, loss);
        // Reversed, a sample changes its column and its block; 33 leaves one alone in a block.
        let reversed: Vec<usize> = all.iter().rev().copied().collect();
        for order in [&reversed[..], &all[5..38], &reversed[..17]] {
            let found = samples(rule, &network, &pick(&data, order), loss);
            for (s, found) in order.iter().zip(&found) {
                assert!(*found == together[*s], "{what} {rule}: sample {s} of {}", order.len());
            }
        }
        for s in [0, 15, 16, 31, 32, 63] {
            let alone = samples(rule, &network, &pick(&data, &[s]), loss);
            assert!(alone[0] == together[s], "{what} {rule}: sample {s} alone");
        }
    }
}

#[test]
fn a_samples_result_does_not_depend_on_its_batch_mates_bit_for_bit() {
    let mut walk = RuleWalk::of(without_solves(rule_names()));
    for_each_kind(|activation, placement, loss, what| {
        let network = network(WIDTHS, true, activation, placement, 1);
        let data = Data::new(&network, 64, loss, 1);
        check_batch_mates::<f64>(&mut walk, &network, &data, loss, &format!("{what} f64"));
        check_batch_mates::<f32>(&mut walk, &network, &data, loss, &format!("{what} f32"));
    });
    walk.end();
}

#[test]
fn copies_of_one_sample_have_its_gradient_as_their_mean() {
    let network = network(WIDTHS, true, Activation::Tanh, Placement::Pre, 1);
    let data = Data::new(&network, 1, Loss::SquaredError, 1);
    let settings = settings(9, 0.2);
    let one = run("pc-alm", &network, &data, Loss::SquaredError, &settings);
    for n in [2, 33, 64] {
        let many = run("pc-alm", &network, &pick(&data, &vec![0; n]), Loss::SquaredError, &settings);
        for (found, wanted) in many.gradient.edges.iter().zip(&one.gradient.edges) {
            assert!(common::relative(found, wanted) < 1e-14, "{n} copies");
        }
    }
}

#[test]
fn any_number_of_threads_gives_the_same_bits() {
    let settings = settings(5, 0.2);
    let mut walk = RuleWalk::of(rule_names());
    for (phi, loss) in [(Activation::Gelu, Loss::CrossEntropy), (Activation::Tanh, Loss::SquaredError)] {
        let network = network(WIDTHS, true, phi, Placement::Post, 1);
        let data = Data::new(&network, 130, loss, 1);
        for rule in walk.on(&network, loss, &settings) {
            let with_threads = |count: usize| {
                let pool = rayon::ThreadPoolBuilder::new().num_threads(count).build().unwrap();
                let mut done = pool.install(|| run(rule, &network, &data, loss, &settings));
                let energies = pool.install(|| done.minibatch.energies(&network).unwrap());
                let sums = [energies.loss, energies.residual, energies.dual, done.report.score.loss];
                (done.all_bits(), bits(&sums), done.report)
            };
            let one = with_threads(1);
            for count in [2, 3] {
                assert!(with_threads(count) == one, "{rule} on {count} threads");
            }
        }
    }
    walk.end();
}

#[test]
fn a_minibatch_serves_networks_of_different_shapes_one_after_another() {
    let mut reused = Minibatch::new(Reference::new(), Loss::SquaredError);
    for (i, widths) in [&[3, 4, 4, 4, 2][..], &[3, 6, 5, 7, 2], &[5, 3, 4, 2, 1]].into_iter().enumerate() {
        for &placement in Placement::ALL {
            let network = network(widths, false, Activation::Tanh, placement, i as u64);
            let data = Data::new(&network, 3, Loss::SquaredError, 1);
            let settings = settings(5, 0.2);
            reused.load(&network, &data.batch()).unwrap();
            reused.infer(&network, rule::build("pc-alm", &settings).unwrap().as_ref()).unwrap();
            let fresh = run("pc-alm", &network, &data, Loss::SquaredError, &settings);
            for l in 0..network.hidden() {
                let found = reused.unload(l, |s| s.activities());
                assert_eq!(bits(&found), bits(&fresh.z(l)), "{widths:?} {}", placement.name());
            }
        }
    }
}
