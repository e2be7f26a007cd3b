//! `pcalm report`.

use super::Failure;
use crate::{ExitOutcome, args::ReportArgs, output};
use pcalm_lab::{
    claim::Claim,
    report::{CLAIMS, PAGE, ReportPage},
};

pub fn run(args: &ReportArgs) -> Result<ExitOutcome, Failure> {
    let report = ReportPage::read(&args.dir)?;
    report.write(&args.dir)?;
    output::report(&report.claims().collect::<Vec<&Claim>>(), args.json, |out| {
        writeln!(out, "{}", args.dir.join(PAGE).display())?;
        writeln!(out, "{}", args.dir.join(CLAIMS).display())
    })?;
    Ok(ExitOutcome::Done)
}
