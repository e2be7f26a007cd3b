//! `pcalm verify`.

use super::{
    Failure,
    figure::{draw, print},
};
use crate::{Outcome, args::VerifyArgs};
use pcalm_lab::{
    claim::{Claim, Verdict},
    figure::{FIGURES, Scale},
};

pub fn run(args: &VerifyArgs) -> Result<Outcome, Failure> {
    let figures: Vec<_> = FIGURES.iter().collect();
    let records = draw(&figures, &args.lab, Scale::Smoke, &args.out)?;
    let claims: Vec<&Claim> = records.iter().flat_map(|r| &r.claims).collect();
    if args.lab.json {
        println!("{}", serde_json::to_string_pretty(&claims)?);
    } else {
        claims.iter().for_each(|claim| print(claim));
        println!("\n{}", Verdict::counts(claims.iter().copied()));
    }
    let failed = claims.iter().any(|c| c.verdict == Verdict::NotConfirmed);
    Ok(if failed { Outcome::Unfinished } else { Outcome::Done })
}
