//! Fig. 4: eigenvalues of the iteration matrix M in their annulus, and what they mean for one unit.

use super::{Figure, Lab, Product};
use crate::{
    claim::{Claim, Verdict},
    error::LabError,
    experiment::Experiment,
    plot::{Chart, Cloud, Ink, Series, complex_plane, line_charts},
    theory::Case,
};
use pcalm::{
    backend::Reference,
    infer::infer,
    lagrangian::Lagrangian,
    rule::{Backprop, build},
    state::State,
    theory::{Eigenvalue, Iteration, Linearisation, Spectrum},
};
use serde::Serialize;
use std::ops::ControlFlow;

pub const FIGURE: Figure = Figure {
    name: "eigenvalues",
    title: "Eigenvalues of inference in a linear network, and the traces of one unit",
    source: "[ALM] fig. 4",
    draw,
};

const ALPHAS: [f64; 4] = [0.0, 0.02, 0.2, 1.0];
const ETA: f64 = 0.2;
const SOURCE: &str = "[ALM] fig. 4 and app. D";
/// Rounding of eigenvalues of matrices of some hundred rows that are far from normal.
const ROUNDING: f64 = 1e-6;

#[derive(Serialize)]
struct EigenRow {
    alpha: f64,
    re: f64,
    im: f64,
}

#[derive(Serialize)]
struct TraceRow {
    alpha: f64,
    step: usize,
    activity: f64,
    dual: f64,
}

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let (width, depth) = lab.scale().pick((4, 8), (12, 16), (16, 32));
    let activation = "identity".to_owned();
    let case = lab.case(&Experiment { width, depth, activation, ..Experiment::default() }, 1)?;
    let (x, y) = case.samples().first();
    let linearisation = Linearisation::at_forward_pass(&case.network, &case.objective, x, y)?;
    let spectrum = Spectrum::new(&linearisation)?;
    let mut found: Vec<(f64, Vec<Eigenvalue>)> = Vec::new();
    for alpha in ALPHAS {
        let iteration = Iteration { linearisation: &linearisation, eta: ETA, alpha };
        found.push((alpha, iteration.eigenvalues(true)?.unwrap_or_default()));
    }
    // |θ|² = 1 − ηh for the complex ones, h between the ends of the Hessian's spectrum.
    let radius = |h: f64| (1.0 - ETA * h).max(0.0).sqrt();
    let annulus = [radius(spectrum.lambda_max), radius(spectrum.lambda_min)];
    let budget = 12 * depth;
    let traces = traces(&case, depth / 2, budget)?;
    let mut product = Product { claims: claims(&found, annulus), ..Product::default() };
    let cloud = |(alpha, all): &(f64, Vec<Eigenvalue>)| Cloud {
        name: format!("α = {alpha}"),
        points: all.iter().map(|e| (e.re, e.im)).collect(),
    };
    product.picture("eigenvalues", complex_plane(&found.iter().map(cloud).collect::<Vec<_>>(), &annulus)?);
    product.picture("traces", trace_picture(&traces)?);
    let rows = |(alpha, all): &(f64, Vec<Eigenvalue>)| {
        let alpha = *alpha;
        all.iter().map(move |e| EigenRow { alpha, re: e.re, im: e.im }).collect::<Vec<_>>()
    };
    let mut rows: Vec<EigenRow> = found.iter().flat_map(rows).collect();
    // The solver's order is no result.
    rows.sort_by(|a, b| (a.alpha, a.re, a.im).partial_cmp(&(b.alpha, b.re, b.im)).unwrap_or(std::cmp::Ordering::Equal));
    product.table("eigenvalues", &rows)?;
    product.table("traces", &traces)?;
    product
        .notes
        .push(format!("linear, width {width}, depth {depth}, one sample, η = {ETA}, ρ = 1, at initialisation"));
    Ok(product)
}

/// z − (forward pass) of the first unit of a layer, over its largest size, and λ over BP's.
fn traces(case: &Case, layer: usize, budget: usize) -> Result<Vec<TraceRow>, LabError> {
    let backend = Reference::<f64>::new();
    let batch = case.samples().batch()?;
    let (block, mut state) = batch.block(&backend, &case.network)?;
    let lagrangian = Lagrangian::new(&backend, &case.network, &block, &case.objective)?;
    let _ = infer(&Backprop, &lagrangian, &mut state, &mut ());
    let forward = state.activities().layers[layer].at(0, 0);
    let goal = state.duals().layers[layer].at(0, 0);
    let mut rows = Vec::new();
    for alpha in ALPHAS {
        let rule = build::<Reference<f64>>("pc-alm", &case.settings(ETA, alpha, budget))?;
        let first = rows.len();
        let mut look = |step: usize, _: &Lagrangian<Reference<f64>>, state: &State<Reference<f64>>| {
            let activity = state.activities().layers[layer].at(0, 0) - forward;
            rows.push(TraceRow { alpha, step, activity, dual: state.duals().layers[layer].at(0, 0) / goal });
            ControlFlow::Continue(())
        };
        let _ = infer(rule.as_ref(), &lagrangian, &mut state, &mut look);
        let top = rows[first..].iter().map(|r| r.activity.abs()).fold(f64::MIN_POSITIVE, f64::max);
        rows[first..].iter_mut().for_each(|r| r.activity /= top);
    }
    Ok(rows)
}

fn trace_picture(rows: &[TraceRow]) -> Result<String, LabError> {
    let series = |value: fn(&TraceRow) -> f64| {
        let one = |(i, alpha): (usize, f64)| {
            let points = rows.iter().filter(|r| r.alpha == alpha).map(|r| (r.step as f64, value(r)));
            Series::plain(&format!("α = {alpha}"), i + 1, Ink::Line, points)
        };
        ALPHAS.into_iter().enumerate().map(one).collect::<Vec<_>>()
    };
    let steps = rows.iter().map(|r| r.step).max().unwrap_or(1);
    let charts = [
        Chart::over_steps("activity of one unit", "(z − forward)/max", steps, series(|r| r.activity)),
        Chart::over_steps("dual of the same unit", "λ/λ of BP", steps, series(|r| r.dual)),
    ];
    line_charts(&charts, 2)
}

fn claims(found: &[(f64, Vec<Eigenvalue>)], annulus: [f64; 2]) -> Vec<Claim> {
    let complex = |e: &&Eigenvalue| e.im.abs() > ROUNDING;
    let still: Vec<&Eigenvalue> = found.iter().filter(|f| f.0 == 0.0).flat_map(|f| &f.1).collect();
    let moving: Vec<&Eigenvalue> = found.iter().filter(|f| f.0 > 0.0).flat_map(|f| &f.1).collect();
    let monotone = still.iter().filter(|e| !complex(e) && e.re > -ROUNDING && e.re < 1.0).count();
    let turning: Vec<&&Eigenvalue> = moving.iter().filter(|e| complex(e)).collect();
    let inside = |e: &&&Eigenvalue| {
        let radius = e.norm();
        radius >= annulus[0] - ROUNDING && radius <= annulus[1] + ROUNDING
    };
    let inside = turning.iter().filter(|e| inside(e)).count();
    let damped = moving.iter().all(|e| e.norm() < 1.0);
    let share = |part: usize, whole: usize| part as f64 / whole.max(1) as f64;
    let (monotone, inside) = (share(monotone, still.len()), share(inside, turning.len()));
    let all = |s: f64| Verdict::of(s == 1.0, s > 0.5);
    let statement = "At α > 0 inference is a damped oscillation, its complex eigenvalues in the annulus";
    let verdict = if damped && !turning.is_empty() { all(inside) } else { Verdict::NotConfirmed };
    vec![
        Claim::computed("eigenvalues.monotone", "At α = 0 inference is monotone", SOURCE, all(monotone), monotone)
            .judged("share of the eigenvalues that are real, in [0, 1)", "1"),
        Claim::computed("eigenvalues.annulus", statement, SOURCE, verdict, inside)
            .judged("share of the complex eigenvalues in the annulus", "1, all eigenvalues inside the unit circle")
            .remarked(format!("{} of {} eigenvalues at α > 0 are complex", turning.len(), moving.len())),
    ]
}
