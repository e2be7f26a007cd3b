//! Fig. 1: a network of two scalar weights, where all there is can be seen.

use super::{Figure, Lab, Product, measure::cosine};
use crate::{
    claim::{Claim, Verdict},
    error::LabError,
    plot::{Axis, Chart, Ink, Series, Spread, line_charts},
};
use pcalm::{
    activation::Activation,
    backend::Reference,
    gradient::Gradient,
    infer::infer,
    lagrangian::Lagrangian,
    loss::Loss,
    minibatch::Batch,
    network::{Link, Network, Placement},
    objective::Objective,
    rule::{Backprop, Rule, RuleSettings, build},
    state::State,
};
use serde::Serialize;
use std::ops::ControlFlow;

pub const FIGURE: Figure = Figure {
    name: "scalar",
    title: "A scalar network: dual and activity over inference, and the update they give",
    source: "[ALM] fig. 1",
    draw,
};

/// ŷ = w₂ w₁ x. Any numbers do; these put BP's and PC's updates well apart.
const WEIGHTS: [f64; 2] = [1.2, 1.5];
const SAMPLE: (f64, f64) = (1.0, 0.5);
const ETA: f64 = 0.15;
const ALPHA: f64 = 1.0;
const STEPS: usize = 60;

#[derive(Serialize)]
struct ScalarRow {
    rule: &'static str,
    step: usize,
    activity: f64,
    dual: f64,
    forward: f64,
    backprop_dual: f64,
    update_1: f64,
    update_2: f64,
    cosine: f64,
}

/// The updates −∂/∂w of BP.
struct Goal {
    forward: f64,
    dual: f64,
    update: [f64; 2],
}

fn draw(_lab: &Lab) -> Result<Product, LabError> {
    let edges = WEIGHTS.iter().map(|&w| Link::new(vec![w], 1, 1, 1.0, false));
    let network = Network::chain(edges.collect::<Result<_, _>>()?, Activation::Identity, Placement::Pre)?;
    let (x, y) = ([SAMPLE.0], [SAMPLE.1]);
    let (backend, batch) = (Reference::<f64>::new(), Batch::new(&x, &y, 1)?);
    let objective = Objective::from(Loss::SquaredError);
    let (block, mut state) = batch.block(&backend, &network)?;
    let lagrangian = Lagrangian::new(&backend, &network, &block, &objective)?;
    let _ = infer(&Backprop, &lagrangian, &mut state, &mut ());
    let goal = Goal {
        forward: state.activities().layers[0].at(0, 0),
        dual: state.duals().layers[0].at(0, 0),
        update: update(&lagrangian, &state, &network),
    };
    let mut rows = Vec::new();
    for (name, alpha) in [("pc", 0.0), ("pc-alm", ALPHA)] {
        for step in 0..=STEPS {
            let settings = RuleSettings { eta: ETA, alpha, budget: step.max(1), ..RuleSettings::default() };
            let rule = build::<Reference<f64>>(name, &settings)?;
            rows.push(row(name, step, rule.as_ref(), &lagrangian, &mut state, &network, &goal));
        }
    }
    let mut product = Product { claims: claims(&rows, &goal), ..Product::default() };
    product.picture("scalar", picture(&rows, &goal)?);
    product.table("scalar", &rows)?;
    Ok(product)
}

/// −∂ℒ/∂w at the credit in `state`.
fn update(lagrangian: &Lagrangian<Reference<f64>>, state: &State<Reference<f64>>, network: &Network<f64>) -> [f64; 2] {
    let mut gradient = Gradient::zeros(network);
    lagrangian.weight_gradient(state, &mut gradient);
    [-gradient.edges[0][0], -gradient.edges[1][0]]
}

/// After `step` steps, inferred anew: that is what a training step with this budget would see.
fn row(
    name: &'static str,
    step: usize,
    rule: &dyn Rule<Reference<f64>>,
    lagrangian: &Lagrangian<Reference<f64>>,
    state: &mut State<Reference<f64>>,
    network: &Network<f64>,
    goal: &Goal,
) -> ScalarRow {
    let stop = |_: usize, _: &Lagrangian<Reference<f64>>, _: &State<Reference<f64>>| {
        if step == 0 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    };
    let _ = infer(rule, lagrangian, state, &mut { stop });
    let update = update(lagrangian, state, network);
    ScalarRow {
        rule: name,
        step,
        activity: state.activities().layers[0].at(0, 0),
        dual: state.duals().layers[0].at(0, 0),
        forward: goal.forward,
        backprop_dual: goal.dual,
        update_1: update[0],
        update_2: update[1],
        cosine: cosine(&update, &goal.update),
    }
}

fn claims(rows: &[ScalarRow], goal: &Goal) -> Vec<Claim> {
    let source = "[ALM] fig. 1 and prop. 3";
    let last = |rule: &str| rows.iter().rfind(|r| r.rule == rule);
    let (Some(alm), Some(pc)) = (last("pc-alm"), last("pc")) else { return Vec::new() };
    let close = |error: f64| Verdict::of(error < 1e-3, error < 0.1);
    let dual = (alm.dual / goal.dual - 1.0).abs();
    let activity = (alm.activity / goal.forward - 1.0).abs();
    let turned = 1.0 - alm.cosine;
    let wanted = "below 0.001";
    vec![
        Claim::computed("scalar.dual", "λ of PC-ALM converges to BP's adjoint", source, close(dual), dual)
            .judged(&format!("relative error after {STEPS} steps"), wanted),
        Claim::computed(
            "scalar.activity",
            "z of PC-ALM returns to the forward pass",
            source,
            close(activity),
            activity,
        )
        .judged(&format!("relative error after {STEPS} steps"), wanted),
        Claim::computed("scalar.update", "The update of PC-ALM rotates onto BP's", source, close(turned), turned)
            .judged("1 − cosine to BP's update", wanted)
            .remarked(format!("PC ends at a cosine of {:.4}", pc.cosine)),
    ]
}

fn picture(rows: &[ScalarRow], goal: &Goal) -> Result<String, LabError> {
    let of = |rule: &'static str| rows.iter().filter(move |r| r.rule == rule);
    let over_steps = |value: fn(&ScalarRow) -> f64, level: f64| {
        let line =
            |name: &str, look, rule| Series::plain(name, look, Ink::Line, of(rule).map(|r| (r.step as f64, value(r))));
        let bp = Series::plain("BP", 0, Ink::Line, [(0.0, level), (STEPS as f64, level)]);
        vec![bp, line("PC", 1, "pc"), line("PC-ALM", 2, "pc-alm")]
    };
    let trace = |name, look, rule| Series::plain(name, look, Ink::Both, of(rule).map(|r| (r.update_1, r.update_2)));
    let bp = Series::plain("BP", 0, Ink::Both, [(0.0, 0.0), (goal.update[0], goal.update[1])]);
    let updates = vec![bp, trace("PC", 1, "pc"), trace("PC-ALM", 2, "pc-alm")];
    let around = |label: &str, of: fn(&crate::plot::Point) -> f64| {
        Axis::around(label, Spread::Linear, updates.iter().flat_map(|s| s.points.iter().map(of)))
    };
    let plane = Chart {
        title: "update after each step".into(),
        x: around("−∂ℒ/∂w₁", |p| p.x),
        y: around("−∂ℒ/∂w₂", |p| p.y),
        series: updates.clone(),
        verticals: Vec::new(),
    };
    let charts = [
        Chart::over_steps("dual", "λ", STEPS, over_steps(|r| r.dual, goal.dual)),
        Chart::over_steps("activity", "z", STEPS, over_steps(|r| r.activity, goal.forward)),
        plane,
    ];
    line_charts(&charts, 3)
}
