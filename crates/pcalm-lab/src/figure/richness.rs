//! Fig. 7: from lazy to rich learning.

use super::{
    Figure, Lab, Product,
    accuracy::{RULES, TOLERANCE},
    measure::worst,
    runs::{Runs, seeds},
};
use crate::{
    claim::Claim,
    error::LabError,
    experiment::Experiment,
    plot::{
        Axis, Chart, Ink, Point, Series, Spread, line_charts,
        style::{of_rule, title_of_rule},
    },
    stats::{mean, paired},
};
use serde::Serialize;

pub const FIGURE: Figure = Figure {
    name: "richness",
    title: "Test accuracy over the richness γ0, from lazy to rich",
    source: "[ALM] fig. 7",
    draw,
};

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let scale = lab.scale();
    let places = scale.pick("[0.5, 1.0]", "[0.25, 0.5, 1.0, 2.0, 4.0]", "[0.125, 0.25, 0.5, 1.0, 2.0, 4.0, 8.0]");
    let (width, depth) = scale.pick((16, 8), (32, 32), (32, 32));
    along(
        lab,
        &Walk {
            name: "richness",
            source: "[ALM] fig. 7",
            base: &format!("width = {width}\ndepth = {depth}\n"),
            axis: &format!("gamma0 = {places}\n"),
            seeds: &seeds(scale.pick(2, 3, 5)),
            label: "γ0",
            spread: Spread::Log2,
            at: |e| e.gamma0,
            statement: "PC-ALM matches BP from lazy to rich",
        },
    )
}

/// One option varied, all else equal.
pub struct Walk<'a> {
    /// The figure's name.
    pub name: &'a str,
    /// Its source.
    pub source: &'a str,
    /// Options of all runs.
    pub base: &'a str,
    /// The axis, as in a grid.
    pub axis: &'a str,
    /// The seeds, as in a grid.
    pub seeds: &'a str,
    /// What the axis is called.
    pub label: &'a str,
    /// How it is drawn.
    pub spread: Spread,
    /// Where a run stands on it.
    pub at: fn(&Experiment) -> f64,
    /// What is claimed.
    pub statement: &'a str,
}

#[derive(Serialize)]
struct RichnessRow<'a> {
    dataset: &'a str,
    at: f64,
    rule: &'a str,
    seeds: usize,
    accuracy: f64,
    deviation: f64,
    eta: f64,
}

/// Accuracy of the three rules along a walk.
pub fn along(lab: &Lab, walk: &Walk) -> Result<Product, LabError> {
    let axes = format!("[axes]\n{}{}rule = {RULES:?}\nseed = {}\n", lab.dataset_axis(), walk.axis, walk.seeds);
    let runs = lab.runs(walk.base, &axes)?;
    let mut product =
        Product { runs: runs.keys(), claims: claim(&runs, walk).into_iter().collect(), ..Product::default() };
    let places = runs.values(|d| (walk.at)(&d.experiment));
    let mut rows = Vec::new();
    let mut charts = Vec::new();
    for dataset in lab.datasets() {
        let mut series = Vec::new();
        for rule in RULES {
            let mut points = Vec::new();
            for &at in &places {
                let here =
                    runs.of_rule(rule).only(|d| (walk.at)(&d.experiment) == at && d.experiment.dataset == *dataset);
                let Some(accuracy) = here.accuracy() else { continue };
                points.push(Point::of_mean(at, accuracy));
                rows.push(RichnessRow {
                    dataset,
                    at,
                    rule,
                    seeds: accuracy.count,
                    accuracy: accuracy.value,
                    deviation: accuracy.deviation,
                    eta: here.outcome(|s| Some(s.eta)).map_or(f64::NAN, |m| m.value),
                });
            }
            series.push(Series { name: title_of_rule(rule).to_owned(), look: of_rule(rule), ink: Ink::Both, points });
        }
        charts.push(Chart {
            title: dataset.clone(),
            x: Axis::around(walk.label, walk.spread, places.iter().copied()),
            y: Axis::accuracy(),
            series,
            verticals: Vec::new(),
        });
    }
    product.picture(walk.name, line_charts(&charts, charts.len())?);
    product.table(walk.name, &rows)?;
    Ok(product)
}

/// The worst place, and a test over all.
fn claim(runs: &Runs, walk: &Walk) -> Option<Claim> {
    let (alm, bp, pc) = (runs.of_rule("pc-alm"), runs.of_rule("bp"), runs.of_rule("pc"));
    let gaps = |at: f64, rule: &Runs| {
        let here = |runs: &Runs| runs.only(|d| (walk.at)(&d.experiment) == at);
        mean(&here(rule).gaps(&here(&bp)))
    };
    let places = runs.values(|d| (walk.at)(&d.experiment));
    let all: Vec<_> = places.iter().filter_map(|&at| gaps(at, &alm).map(|g| (at, g))).collect();
    let found = worst(&all, TOLERANCE)?;
    let behind = places.iter().filter_map(|&at| gaps(at, &pc)).map(|g| g.value).fold(f64::INFINITY, f64::min);
    let id = format!("{}.match", walk.name);
    let claim = Claim::of_mean(&id, walk.statement, walk.source, found.judged(all.len().div_ceil(2)), found.gap);
    Some(
        Claim { test: paired(&alm.accuracies(), &bp.accuracies()), seeds: runs.seeds(), ..claim }
            .judged("points of PC-ALM over BP at the worst place (test: over all places)", "−2 or more everywhere")
            .remarked(format!(
                "{} of {} places are within 2 points; the worst is {} = {}; PC's worst is {behind:.1} points",
                found.within, found.all, walk.label, found.at
            ))
            .from_runs(runs.keys()),
    )
}
