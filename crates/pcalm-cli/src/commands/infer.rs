//! `pcalm infer`: one batch, one inference, everything out.

use super::Failure;
use crate::{Outcome, args::InferArgs, output};
use pcalm::{
    backend::{Backend, Cpu, Reference},
    error::StabilityBound,
    gradient::{Alignment, Gradient},
    lagrangian::penalties,
    minibatch::{Batch, Minibatch},
    network::{Network, file::NetworkFile},
    real::Real,
    rule::{self, Credit, RuleSettings, rules},
    tensor_file::TensorFile,
    theory::{Ends, Linearisation, curvature, nesterov_momentum},
    train::probe,
};
use pcalm_lab::{
    LabError,
    choice::choose,
    experiment::{Budget, plan::momentum},
    folder::write_whole,
    record::finite,
};
use serde::Serialize;
use std::io::{self, Write};

/// Relative change of the Rayleigh quotient at which the power iteration stops, and iterations at
/// most: where the step size is its result, and where it only backs a warning.
const FOR_ETA: (f64, usize) = (1e-6, 2000);
const FOR_WARNING: (f64, usize) = (1e-3, 50);

#[derive(Serialize)]
struct Summary {
    rule: String,
    samples: usize,
    loss: f64,
    energy: f64,
    residual_norm: f64,
    alignment: Option<f64>,
    norm_ratio: Option<f64>,
    layer_alignment: Vec<Option<f64>>,
    layer_norm_ratio: Vec<Option<f64>>,
    eta: Option<f64>,
    steps: usize,
    stop: String,
    products_per_sample: f64,
}

pub fn run(args: &InferArgs) -> Result<Outcome, Failure> {
    match args.dtype.as_str() {
        "f32" => run_on(Cpu::new(), args),
        "f64" => run_on(Reference::<f64>::new(), args),
        other => Err(option("dtype", format!("`{other}` is none of f32, f64"))),
    }
}

fn run_on<B: Backend>(backend: B, args: &InferArgs) -> Result<Outcome, Failure> {
    let NetworkFile { network, loss } = NetworkFile::<B::Real>::load(&args.network)?;
    let file = TensorFile::<B::Real>::load(&args.batch)?;
    let in_file = |e: pcalm::Error| LabError::Run { path: args.batch.clone(), problem: e.to_string() };
    let (samples, _, x) = file.matrix("x").map_err(in_file)?;
    let (targets, _, y) = file.matrix("y").map_err(in_file)?;
    if samples != targets {
        let problem = format!("`x` has {samples} samples but `y` has {targets}");
        return Err(LabError::Run { path: args.batch.clone(), problem }.into());
    }
    let batch = Batch::new(x, y, samples).map_err(in_file)?;

    let known = rules::<B>();
    let info = choose("rule", &args.rule, known.iter().map(|r| r.name), |name| known.iter().find(|r| r.name == name))?;
    let mut minibatch = Minibatch::new(backend, loss, penalties(&args.rho, network.hidden())?);
    minibatch.load(&network, &batch).map_err(in_file)?;
    let (tolerance, limit) = if args.eta == "auto" { FOR_ETA } else { FOR_WARNING };
    let measured = if info.iterative { Some(curvature(&mut minibatch, &network, tolerance, limit)?) } else { None };
    let eta = match (measured, args.eta.as_str()) {
        (None, _) => None,
        (Some(measured), "auto") => Some(1.0 / measured.lambda_max),
        (Some(_), text) => {
            let bad = || option("eta", format!("`{text}` is not a positive number, or `auto`"));
            Some(text.parse::<f64>().map_err(|_| bad())?)
        }
    };
    let nesterov = match args.nesterov.as_str() {
        _ if !info.accelerated => 0.0,
        "auto" => {
            let first = |v: &[B::Real]| v[..v.len() / samples].iter().map(|v| v.wide()).collect::<Vec<f64>>();
            let (network, rho) = (network.cast(), penalties(&args.rho, network.hidden())?);
            let linearisation = Linearisation::at_forward_pass(&network, loss, &first(x), &first(y), &rho)?;
            let (largest, smallest) = Ends::default().measure(&linearisation)?;
            nesterov_momentum(largest / smallest)
        }
        text => momentum(text)?,
    };
    let settings = RuleSettings {
        hidden: network.hidden(),
        budget: Budget::parse(&args.budget)?.cycles(network.depth())?,
        eta: eta.unwrap_or(1.0),
        alpha: args.alpha,
        rho: args.rho.clone(),
        inner_steps: args.inner_steps,
        nesterov,
        credit: choose("credit", &args.credit, Credit::ALL.iter().map(|c| c.name()), Credit::from_name)?,
        tolerance: args.tolerance,
        inner_tolerance: args.inner_tolerance,
        ..RuleSettings::default()
    };
    let rule = rule::build::<B>(&args.rule, &settings)?;
    let largest_rho = args.rho.iter().copied().fold(0.0, f64::max);
    let bound = measured.zip(eta).map(|(measured, eta)| {
        StabilityBound::new(eta, measured.sigma_squared, largest_rho, (info.dual_step)(&settings))
    });
    if let Some(bound) = bound.filter(|b| !b.holds()) {
        output::warn(bound);
    }
    let mut gradient = Gradient::zeros(&network);
    let probe = match probe(&mut minibatch, &network, rule.as_ref(), &batch, &mut gradient) {
        Err(pcalm::Error::Diverged(mut divergence)) => {
            divergence.bound = bound;
            return Err(pcalm::Error::Diverged(divergence).into());
        }
        other => other?,
    };
    let Alignment { whole, layers } = &probe.alignment;
    let mean = samples as f64;
    let summary = Summary {
        rule: args.rule.clone(),
        samples,
        loss: probe.energies.loss / mean,
        energy: probe.energies.energy() / mean,
        residual_norm: probe.energies.residual_norm_squared.sqrt(),
        alignment: finite(whole.cosine),
        norm_ratio: finite(whole.norm_ratio),
        layer_alignment: layers.iter().map(|a| finite(a.cosine)).collect(),
        layer_norm_ratio: layers.iter().map(|a| finite(a.norm_ratio)).collect(),
        eta,
        steps: probe.steps,
        stop: probe.stop.name().to_owned(),
        products_per_sample: probe.work.sample_products as f64 / mean,
    };
    if let Some(path) = &args.output {
        let file = everything(&network, &minibatch, &gradient, &summary, samples)?;
        write_whole(path, |out| file.write_to(out))?;
    }
    output::report(&summary, args.json, |out| show(out, &summary))?;
    Ok(Outcome::Done)
}

fn everything<'a, B: Backend>(
    network: &Network<B::Real>,
    minibatch: &Minibatch<B>,
    gradient: &'a Gradient<B::Real>,
    summary: &Summary,
    samples: usize,
) -> Result<TensorFile<'a, B::Real>, Failure> {
    let mut file = TensorFile::default();
    let widths = network.widths();
    for (l, &width) in widths[..network.hidden()].iter().enumerate() {
        let shape = [samples, width];
        file.insert(format!("z.{}", l + 1), &shape, minibatch.unload(l, |s| s.activities()));
        file.insert(format!("lambda.{}", l + 1), &shape, minibatch.unload(l, |s| s.duals()));
        file.insert(format!("credit.{}", l + 1), &shape, minibatch.unload(l, |s| s.credit()));
    }
    file.insert("output", &[samples, network.outputs()], minibatch.output());
    for (l, (values, edge)) in gradient.edges.iter().zip(network.edges()).enumerate() {
        file.insert(format!("grad.{}", l + 1), &[edge.rows(), edge.cols()], values.as_slice());
    }
    if let serde_json::Value::Object(entries) = serde_json::to_value(summary)? {
        for (key, value) in entries {
            let text = value.as_str().map_or_else(|| value.to_string(), str::to_owned);
            file.metadata.insert(key, text);
        }
    }
    Ok(file)
}

fn show(out: &mut dyn Write, s: &Summary) -> io::Result<()> {
    let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.6}"));
    writeln!(out, "loss           {:.9}", s.loss)?;
    writeln!(out, "energy         {:.9}", s.energy)?;
    writeln!(out, "residual norm  {:.9}", s.residual_norm)?;
    writeln!(out, "alignment      {}", number(s.alignment))?;
    writeln!(out, "norm ratio     {}", number(s.norm_ratio))?;
    writeln!(out, "eta            {}", number(s.eta))?;
    writeln!(out, "steps          {}", s.steps)?;
    writeln!(out, "stop           {}", s.stop)?;
    writeln!(out, "\nlayer  alignment  norm ratio")?;
    for (l, (a, r)) in s.layer_alignment.iter().zip(&s.layer_norm_ratio).enumerate() {
        writeln!(out, "{:5}  {:>9}  {:>10}", l + 1, number(*a), number(*r))?;
    }
    Ok(())
}

fn option(name: &str, problem: String) -> Failure {
    LabError::Option { name: name.to_owned(), problem }.into()
}
