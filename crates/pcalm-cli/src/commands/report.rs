//! `pcalm report`.

use super::Failure;
use crate::{Outcome, args::ReportArgs};
use pcalm_lab::{
    claim::Claim,
    report::{CLAIMS, PAGE, Report},
};

pub fn run(args: &ReportArgs) -> Result<Outcome, Failure> {
    let report = Report::read(&args.dir)?;
    report.write(&args.dir)?;
    if args.json {
        println!("{}", serde_json::to_string_pretty(&report.claims().collect::<Vec<&Claim>>())?);
    } else {
        println!("{}", args.dir.join(PAGE).display());
        println!("{}", args.dir.join(CLAIMS).display());
    }
    Ok(Outcome::Done)
}
