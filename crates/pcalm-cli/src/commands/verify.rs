//! `pcalm verify`.

use super::{
    Failure,
    figure::{draw, outcome, show_all},
};
use crate::{ExitOutcome, args::VerifyArgs, output};
use pcalm_lab::{
    claim::{Claim, Verdict},
    figure::{FIGURES, Scale},
};

pub fn run(args: &VerifyArgs) -> Result<ExitOutcome, Failure> {
    let figures: Vec<_> = FIGURES.iter().collect();
    let records = draw(&figures, &args.lab, Scale::Smoke, &args.out)?;
    let claims: Vec<&Claim> = records.iter().flat_map(|r| &r.claims).collect();
    output::report(&claims, args.lab.json, |out| {
        show_all(out, &records)?;
        writeln!(out, "\n{}", Verdict::counts(claims.iter().copied()))
    })?;
    Ok(outcome(&claims))
}
