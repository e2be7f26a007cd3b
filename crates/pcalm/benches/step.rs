//! Milliseconds of inference and of a whole training step, held against the machine's own
//! multiply-add rate, measured in the same run: `cargo bench --bench step`.
//!
//! The data are random: time does not depend on them. The rate counts executed multiply-adds of
//! the hidden and readout products, two FLOPs each, over the rate of a loop of independent
//! multiply-adds that never leaves the registers, on the same threads and instruction set. "of peak"
//! counts the products that were carried out, "in full" all that the T steps ask for, as if none had
//! been left out.

mod common;

use clap::Parser;
use common::{best, peak_rate};
use pcalm::{
    Error,
    activation::Activation,
    backend::{Backend, Cpu, Reference, cpu::InstructionSet},
    loss::Loss,
    minibatch::{Batch, Minibatch},
    network::{Network, Placement},
    optimizer::{Optimizer, Settings},
    rule::{self, RuleSettings},
    train::Trainer,
};
use std::time::Instant;

/// Benchmarks of inference and training steps.
#[derive(Parser)]
struct Args {
    /// Hidden width; without it, the table of all sizes.
    #[arg(long, requires = "depth")]
    width: Option<usize>,
    /// Depth.
    #[arg(long)]
    depth: Option<usize>,
    /// Samples per step.
    #[arg(long, default_value_t = 64)]
    batch: usize,
    /// Inference steps [default: 2 × depth].
    #[arg(long)]
    budget: Option<usize>,
    /// Activation.
    #[arg(long, default_value = "relu")]
    activation: String,
    /// Activation before (`pre`) or after (`post`) the product.
    #[arg(long, default_value = "pre")]
    placement: String,
    /// With biases
    #[arg(long)]
    bias: bool,
    /// Threads.
    #[arg(long, default_value_t = 2)]
    threads: usize,
    /// avx512, avx2, neon or portable; `reference` is the plain backend.
    #[arg(long)]
    set: Option<String>,
    /// Seconds spent on each measurement.
    #[arg(long, default_value_t = 0.5)]
    seconds: f64,
    /// One line of JSON per size.
    #[arg(long)]
    json: bool,
    /// Given by cargo.
    #[arg(long, hide = true)]
    bench: bool,
}

/// The sizes of the project's targets: (width, depth).
const SIZES: &[(usize, usize)] = &[(8, 128), (32, 32), (64, 32), (128, 32), (128, 128), (256, 32), (512, 16)];

struct Measured {
    peak: f64,
    inference: f64,
    pc_inference: f64,
    step: f64,
    gflop: f64,
    skipped: f64,
}

fn main() -> Result<(), Box<dyn std::error::Error>> {
    let args = Args::parse();
    rayon::ThreadPoolBuilder::new().num_threads(args.threads).build_global()?;
    let sizes = match (args.width, args.depth) {
        (Some(width), Some(depth)) => vec![(width, depth)],
        _ => SIZES.to_vec(),
    };
    let set = match args.set.as_deref() {
        Some("avx512") => Some(InstructionSet::Avx512),
        Some("avx2") => Some(InstructionSet::Avx2),
        Some("neon") => Some(InstructionSet::Neon),
        Some("portable") => Some(InstructionSet::Portable),
        _ => None,
    };
    let cpu = match set {
        Some(set) => Cpu::with(set).ok_or("this processor lacks that instruction set")?,
        None => Cpu::new(),
    };
    let plain = args.set.as_deref() == Some("reference");
    if !args.json {
        let name = if plain { "reference" } else { cpu.instruction_set().name() };
        println!("{name}, {} threads, batch {}, {}", args.threads, args.batch, args.activation);
        println!(
            "{:>5} {:>5} {:>5} {:>12} {:>9} {:>9} {:>7} {:>7} {:>8} {:>8} {:>10} {:>9}",
            "width",
            "depth",
            "T",
            "inference ms",
            "GFLOP",
            "GFLOP/s",
            "of peak",
            "in full",
            "skipped",
            "ALM/PC",
            "step ms",
            "step/inf"
        );
    }
    for (width, depth) in sizes {
        let budget = args.budget.unwrap_or(2 * depth);
        // On a thread of the pool, as in the command line: no hand-over before each step.
        let m = rayon::scope(|_| {
            if plain {
                measure(&args, Reference::<f32>::new(), &cpu, width, depth, budget)
            } else {
                measure(&args, cpu, &cpu, width, depth, budget)
            }
        })?;
        let rate = m.gflop / m.inference;
        if args.json {
            println!(
                "{}",
                serde_json::json!({
                    "width": width, "depth": depth, "batch": args.batch, "threads": args.threads, "budget": budget,
                    "ms_per_step": 1e3 * m.step, "ms_per_inference": 1e3 * m.inference,
                    "gflops": rate, "peak_gflops": m.peak, "fraction_of_peak": rate / m.peak,
                    "skipped": m.skipped, "alm_over_pc": m.inference / m.pc_inference,
                })
            );
        } else {
            println!(
                "{width:>5} {depth:>5} {budget:>5} {:>12.3} {:>9.3} {:>9.1} {:>6.1}% {:>6.1}% {:>7.1}% {:>8.3} {:>10.3} {:>9.3}",
                1e3 * m.inference,
                m.gflop,
                rate,
                100.0 * rate / m.peak,
                100.0 * rate / m.peak / (1.0 - m.skipped),
                100.0 * m.skipped,
                m.inference / m.pc_inference,
                1e3 * m.step,
                m.step / m.inference
            );
        }
    }
    Ok(())
}

fn measure<B: Backend<Real = f32> + Clone>(
    args: &Args,
    backend: B,
    cpu: &Cpu,
    width: usize,
    depth: usize,
    budget: usize,
) -> Result<Measured, Error> {
    let activation = Activation::from_name(&args.activation).unwrap_or(Activation::Relu);
    let placement = Placement::from_name(&args.placement).unwrap_or_default();
    let network = common::network(width, depth, activation, (placement, args.bias))?;
    let settings = RuleSettings { budget, ..RuleSettings::default() };
    let (x, y) = common::samples(args.batch);
    let batch = Batch::new(&x, &y, args.batch)?;

    let mut minibatch = Minibatch::new(backend.clone(), Loss::SquaredError);
    minibatch.load(&network, &batch)?;
    let alm = rule::build::<B>("pc-alm", &settings)?;
    let pc = rule::build::<B>("pc", &settings)?;
    let optimizer = Optimizer::new(Settings::default(), &network)?;
    let trained = Minibatch::new(backend, Loss::SquaredError);
    let mut trainer = Trainer::new(network.clone(), rule::build::<B>("pc-alm", &settings)?, optimizer, trained)?;

    minibatch.reset_work();
    let executed = 2e-9 * minibatch.infer(&network, alm.as_ref())?.work.multiply_adds as f64;
    let skipped = 1.0 - executed / full_gflop(&network, args.batch, budget);

    // Rounds of all measurements in turn, the best of each: noise of other processes only adds.
    let (mut peak, mut inference, mut pc_inference, mut step) = (0.0f64, f64::MAX, f64::MAX, f64::MAX);
    let clock = Instant::now();
    let mut rounds = 0;
    while rounds < 3 || clock.elapsed().as_secs_f64() < 4.0 * args.seconds {
        peak = peak.max(peak_rate(cpu));
        let mut failed: Result<(), Error> = Ok(());
        inference = inference.min(best(3, || failed = minibatch.infer(&network, alm.as_ref()).map(drop)));
        pc_inference = pc_inference.min(best(3, || failed = minibatch.infer(&network, pc.as_ref()).map(drop)));
        // A vanishing rate: the weights, and with them the work, stay what they are.
        step = step.min(best(3, || failed = trainer.step(&batch, 1e-12).map(drop)));
        failed?;
        rounds += 1;
    }
    Ok(Measured { peak, inference, pc_inference, step, gflop: executed, skipped })
}

/// 2 products per edge but the first for each of T cycles, 1 for the forward pass and the reading.
fn full_gflop(network: &Network<f32>, samples: usize, budget: usize) -> f64 {
    let edges = network.dense()[1..].iter().map(|e| (e.rows() * e.cols()) as f64).sum::<f64>();
    2e-9 * edges * samples as f64 * (2 * budget + 2) as f64
}
