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
        let count = |verdict: Verdict| claims.iter().filter(|c| c.verdict == verdict).count();
        let [confirmed, partly, not] = [Verdict::Confirmed, Verdict::Partly, Verdict::NotConfirmed].map(count);
        println!("\n{confirmed} confirmed, {partly} partly, {not} not confirmed");
    }
    let failed = claims.iter().any(|c| c.verdict == Verdict::NotConfirmed);
    Ok(if failed { Outcome::Unfinished } else { Outcome::Done })
}
