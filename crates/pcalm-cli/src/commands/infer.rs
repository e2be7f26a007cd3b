//! `pcalm infer`: one batch, one inference, everything out.

use super::Failure;
use crate::{
    ExitOutcome,
    args::{InferArgs, Origin, Shift},
    output,
};
use pcalm::{
    backend::{Cpu, Reference},
    catalogue::{Catalogue, Engine},
};
use pcalm_lab::{
    LabError, destination,
    experiment::precision_file,
    folder::write_whole,
    inference::{InferenceSettings, InferenceSummary, OwnedBatch, infer},
    model::Model,
};
use std::{
    io::{self, Write},
    path::Path,
};

pub fn run(args: &InferArgs) -> Result<ExitOutcome, Failure> {
    if let Some(path) = &args.output {
        let inputs = args.dataset.as_deref().map(|dataset| args.origin.files(dataset));
        let precision = args.energy.precision.as_deref().and_then(precision_file);
        let inputs = inputs
            .into_iter()
            .flatten()
            .chain(args.batch.as_deref())
            .chain(precision)
            .chain(args.targets.backward.as_deref())
            .chain([args.network.as_path()]);
        destination::check("output", path, inputs, true)?;
    }
    if args.batch.is_some() && (args.origin != Origin::default() || args.shift != Shift::default()) {
        let problem = "is used as it is; options of a data set belong to --dataset".to_owned();
        return Err(LabError::Option { name: "batch".into(), problem }.into());
    }
    match args.dtype.as_str() {
        "f32" => run_on(Cpu::new(), args),
        "f64" => run_on(Reference::<f64>::new(), args),
        other => {
            Err(LabError::Option { name: "dtype".into(), problem: format!("`{other}` is none of f32, f64") }.into())
        }
    }
}

fn run_on<B: Engine>(backend: B, args: &InferArgs) -> Result<ExitOutcome, Failure> {
    let catalogue = Catalogue::default();
    let model = Model::<B::Real>::load(&args.network, catalogue.names())?;
    let (samples, from) = match (&args.batch, &args.dataset) {
        (Some(path), _) => (OwnedBatch::load(path)?, path.as_path()),
        (None, dataset) => {
            let dataset = dataset.as_deref().unwrap_or_default();
            let data = model.data(&args.shift.on(args.origin.experiment(dataset)))?;
            let (first, count) = (args.first.unwrap_or(0), args.samples.unwrap_or(0));
            (OwnedBatch::of(&data, first, count)?, Path::new(dataset))
        }
    };
    let settings = InferenceSettings {
        rule: &args.rule,
        catalogue: &catalogue,
        budget: &args.budget,
        eta: &args.eta,
        alpha: args.alpha,
        energy: args.energy.options(),
        inner_steps: args.inner_steps,
        nesterov: &args.nesterov,
        credit: &args.credit,
        tolerance: args.tolerance,
        inner_tolerance: args.inner_tolerance,
        precondition: args.precondition,
        any_step: args.any_step,
        targets: args.targets.options(),
        backward: args.targets.backward.as_deref(),
    };
    let done = infer(backend, model, &samples, from, &settings, &mut |bound| output::warn(bound))?;
    if let Some(path) = &args.output {
        let file = done.tensors()?;
        write_whole(path, |out| file.write_to(out))?;
    }
    output::report(&done.summary, args.json, |out| show(out, &done.summary))?;
    Ok(ExitOutcome::Done)
}

fn show(out: &mut dyn Write, s: &InferenceSummary) -> io::Result<()> {
    let number = |v: Option<f64>| v.map_or_else(|| "-".to_owned(), |v| format!("{v:.6}"));
    writeln!(out, "loss           {:.9}", s.loss)?;
    if s.plain_loss != s.loss {
        writeln!(out, "plain loss     {:.9}", s.plain_loss)?;
    }
    writeln!(out, "energy         {:.9}", s.energy)?;
    writeln!(out, "residual norm  {:.9}", s.residual_norm)?;
    writeln!(out, "alignment      {}", number(s.alignment))?;
    writeln!(out, "norm ratio     {}", number(s.norm_ratio))?;
    writeln!(out, "eta            {}", number(s.eta))?;
    writeln!(out, "steps          {}", s.steps)?;
    match s.units_at_kinks {
        Some(units) => writeln!(out, "stop           {}, {units} units", s.stop)?,
        None => writeln!(out, "stop           {}", s.stop)?,
    }
    if let Some(share) = s.loss_share {
        writeln!(out, "loss share     {share} (gradients over it are those of the loss)")?;
    }
    writeln!(out, "\nlayer  alignment  norm ratio")?;
    for (l, (a, r)) in s.layer_alignment.iter().zip(&s.layer_norm_ratio).enumerate() {
        writeln!(out, "{:5}  {:>9}  {:>10}", l + 1, number(*a), number(*r))?;
    }
    Ok(())
}
