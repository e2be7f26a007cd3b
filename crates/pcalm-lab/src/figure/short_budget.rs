//! Fig. 10: fig. 2 with half the inference budget, T = L.

use super::{
    Figure, Lab, Product,
    accuracy::{finish, grid, shapes},
    runs::Runs,
};
use crate::{claim::Claim, error::LabError, judgement::Judgement, stats::mean};

pub const FIGURE: Figure = Figure {
    name: "short-budget",
    title: "Test accuracy after one epoch over width and depth, T = L",
    source: "[ALM] fig. 10",
    draw,
};

/// Points between BP and PC below which there is no gap to close.
const GAP: f64 = 5.0;

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let activations = lab.scale().pick(&["relu"][..], &["relu"], &["identity", "tanh", "relu"]);
    let runs = grid(lab, activations, "L")?;
    let mut product = Product { runs: runs.keys(), claims: claims(&runs).into_iter().collect(), ..Product::default() };
    finish(lab, &runs, "short-budget", &mut product)?;
    Ok(product)
}

/// (PC-ALM − PC)/(BP − PC), shape by shape.
fn claims(runs: &Runs) -> Option<Claim> {
    let share = |here: &Runs| {
        let of = |rule| Some(here.of_rule(rule).accuracy()?.value);
        let (bp, pc, alm) = (of("bp")?, of("pc")?, of("pc-alm")?);
        (bp - pc >= GAP).then(|| (alm - pc) / (bp - pc))
    };
    let shares: Vec<f64> = shapes(runs).iter().filter_map(|s| share(&s.of(runs))).collect();
    let closed = mean(&shares)?;
    // More than nothing.
    let judgement = Judgement::above(closed, f64::MIN_POSITIVE, f64::MIN_POSITIVE);
    let statement = "With half the budget PC-ALM closes a fraction of the gap between PC and BP";
    let claim = Claim::of_mean("short-budget.fraction", statement, "[ALM] fig. 10", judgement, closed);
    let extremes = shares.iter().fold((f64::INFINITY, f64::NEG_INFINITY), |(l, h), s| (l.min(*s), h.max(*s)));
    Some(
        Claim { seeds: runs.seeds(), ..claim }
            .judged(
                &format!("share closed, mean over the {} cells with a gap of {GAP} points or more", shares.len()),
                "above 0",
            )
            .remarked(format!("between {:.2} and {:.2}, cell by cell", extremes.0, extremes.1))
            .from_runs(runs.keys()),
    )
}
