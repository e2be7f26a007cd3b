//! Fig. 3: where credit is at every layer and inference step.

use super::{Figure, Lab, Product};
use crate::{
    claim::{Claim, Verdict},
    error::LabError,
    experiment::Experiment,
    theory::{picture::maps, wave::credit_rows},
};
use pcalm::{
    backend::Reference,
    theory::{LayerCredit, Wave},
};

pub const FIGURE: Figure = Figure {
    name: "credit",
    title: "Credit over layers and inference steps, as a share of BP's",
    source: "[ALM] fig. 3",
    draw,
};

const SOURCE: &str = "[ALM] fig. 3";
/// A layer has its credit when it has this share of BP's.
const ARRIVED: f64 = 0.5;

fn draw(lab: &Lab) -> Result<Product, LabError> {
    let (depth, samples) = lab.scale().pick((16, 8), (64, 32), (128, 64));
    let experiment = Experiment { width: 32, depth, eta: "0.25".into(), ..Experiment::default() };
    let case = lab.case(&experiment, samples)?;
    let budget = 4 * depth;
    let watch = |alpha: f64| case.watch(&Reference::<f64>::new(), "pc-alm", &case.settings(0.25, alpha, budget));
    let (alm, pc) = rayon::join(|| watch(1.0), || watch(0.0));
    let (alm, pc) = (alm?, pc?);
    let mut product = Product { claims: claims(&alm, &pc, depth), ..Product::default() };
    product.picture("credit", maps(&alm, &pc, budget)?);
    product.table("credit", &[credit_rows("pc-alm", &alm), credit_rows("pc", &pc)].concat())?;
    product
        .notes
        .push(format!("width 32, depth {depth}, relu, {samples} samples, η = 0.25, α = ρ = 1, at initialisation"));
    Ok(product)
}

/// Share of the hidden layers that have their credit at a step.
fn reached(wave: &Wave, step: usize) -> f64 {
    let layers = &wave.moments[step].layers;
    let there = layers.iter().zip(&wave.backprop).filter(|(l, bp)| l.credit >= ARRIVED * *bp).count();
    there as f64 / layers.len() as f64
}

/// When the largest share of a part's final size first passes a layer, averaged over the layers.
fn arrival(wave: &Wave, layer: usize, part: fn(&LayerCredit) -> f64) -> Option<usize> {
    let top = wave.moments.iter().map(|m| part(&m.layers[layer])).fold(0.0, f64::max);
    wave.moments.iter().position(|m| part(&m.layers[layer]) >= ARRIVED * top)
}

fn claims(alm: &Wave, pc: &Wave, depth: usize) -> Vec<Claim> {
    let step = 3 * depth;
    let (alm_share, pc_share) = (reached(alm, step), reached(pc, step));
    let spread = Verdict::of(alm_share > 0.95, alm_share > 0.5);
    let stays = Verdict::of(pc_share < 0.25, pc_share < 0.5);
    let hidden = alm.backprop.len();
    let ahead = |l: usize| {
        let (error, dual) = (arrival(alm, l, |c| c.residual)?, arrival(alm, l, |c| c.dual)?);
        Some(error < dual)
    };
    let led: Vec<bool> = (0..hidden).filter_map(ahead).collect();
    let share = led.iter().filter(|l| **l).count() as f64 / led.len().max(1) as f64;
    let with_half = format!("share of the layers with half of BP's credit after T = 3L = {step} steps");
    vec![
        Claim::computed("credit.pc", "Credit of PC stays at the output", SOURCE, stays, pc_share)
            .judged(&with_half, "below 0.25"),
        Claim::computed("credit.alm", "Credit of PC-ALM spreads over all layers", SOURCE, spread, alm_share)
            .judged(&with_half, "above 0.95"),
        Claim::computed(
            "credit.order",
            "In PC-ALM the error travels ahead of the dual",
            SOURCE,
            Verdict::of(share > 0.95, share > 0.5),
            share,
        )
        .judged("share of the layers whose ρ‖c‖ reaches half of its peak before ‖λ‖ does", "above 0.95"),
    ]
}
