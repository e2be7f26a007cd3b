//! `pcalm predict`: what a trained network says of every input.

use super::{Failure, part};
use crate::{ExitOutcome, args::PredictArgs, output};
use pcalm::Names;
use pcalm_lab::{
    destination,
    prediction::{WantedOutputs, check_ending, predict},
};

pub fn run(args: &PredictArgs) -> Result<ExitOutcome, Failure> {
    let part = part(&args.split)?;
    check_ending(&args.out)?;
    let inputs = args.origin.files(&args.dataset).chain([args.network.as_path()]);
    destination::check("out", &args.out, inputs, args.force)?;
    let experiment = args.shift.on(args.origin.experiment(&args.dataset));
    let (network, out, dtype) = (args.network.as_path(), args.out.as_path(), args.dtype.as_str());
    let done =
        predict(&WantedOutputs { network, experiment: &experiment, part, out, dtype, names: &Names::default() })?;
    output::report(&done, args.json, |text| {
        writeln!(text, "{} samples, {} outputs each: {}", done.samples, done.outputs, done.path.display())
    })?;
    Ok(ExitOutcome::Done)
}
