//! Time per inference against T, L, B and N, one at a time, with straight-line fits: `cargo bench
//! --bench scaling`. A line through the origin would mean no fixed cost; R² near 1, a straight line.

mod common;

use pcalm::{
    Error,
    activation::Activation,
    backend::Cpu,
    loss::Loss,
    minibatch::{Batch, Minibatch},
    network::Placement,
    rule::{self, RuleSettings},
};

/// A size: N, L, B, T.
type Size = [usize; 4];

/// What is varied: name, horizontal axis, sizes.
type Sweep = (&'static str, fn(Size) -> f64, Vec<Size>);

fn sweeps() -> Vec<Sweep> {
    vec![
        ("T", |[_, _, _, t]| t as f64, [64, 128, 192, 256, 384].map(|t| [64, 32, 64, t]).to_vec()),
        // T fixed, and as long as the deepest network needs: the work per step alone grows with L.
        ("L", |[_, l, _, _]| l as f64, [8, 16, 32, 48, 64, 96, 128].map(|l| [64, l, 64, 256]).to_vec()),
        ("B", |[_, _, b, _]| b as f64, [64, 128, 192, 256, 512].map(|b| [64, 32, b, 64]).to_vec()),
        ("N²", |[n, ..]| (n * n) as f64, [64, 96, 128, 192, 256, 384, 512].map(|n| [n, 16, 64, 32]).to_vec()),
    ]
}

fn main() -> Result<(), Error> {
    println!("AXIS   N    L    B    T         ms   fitted ms");
    for (name, axis, sizes) in sweeps() {
        let times = sizes.iter().map(|&size| milliseconds(size)).collect::<Result<Vec<_>, _>>()?;
        let at: Vec<f64> = sizes.iter().map(|&size| axis(size)).collect();
        let (start, slope, r2) = line(&at, &times);
        for ((&[n, l, b, t], x), ms) in sizes.iter().zip(&at).zip(&times) {
            println!("{name:4} {n:>4} {l:>4} {b:>4} {t:>4} {ms:>10.3} {:>11.3}", start + slope * x);
        }
        println!("{name}: ms = {start:.4} + {slope:.6} {name}, R² = {r2:.5}\n");
    }
    Ok(())
}

fn milliseconds([width, depth, batch, budget]: Size) -> Result<f64, Error> {
    let network = common::network(width, depth, Activation::Relu, (Placement::Pre, false))?;
    let (x, y) = common::samples(batch);
    let mut minibatch = Minibatch::new(Cpu::new(), Loss::SquaredError);
    minibatch.load(&network, &Batch::new(&x, &y, batch)?)?;
    let settings = RuleSettings { budget, ..RuleSettings::default() };
    let rule = rule::build::<Cpu>("pc-alm", &settings)?;
    let mut failed: Result<(), Error> = Ok(());
    let seconds = common::best(15, || failed = minibatch.infer(&network, rule.as_ref()).map(drop));
    failed.map(|()| 1e3 * seconds)
}

/// Least squares: intercept, slope, R².
fn line(x: &[f64], y: &[f64]) -> (f64, f64, f64) {
    let mean = |v: &[f64]| v.iter().sum::<f64>() / v.len() as f64;
    let (mx, my) = (mean(x), mean(y));
    let dot = |a: &[f64], ma: f64, b: &[f64], mb: f64| a.iter().zip(b).map(|(a, b)| (a - ma) * (b - mb)).sum::<f64>();
    let (xy, xx, yy) = (dot(x, mx, y, my), dot(x, mx, x, mx), dot(y, my, y, my));
    (my - xy / xx * mx, xy / xx, xy * xy / (xx * yy))
}
