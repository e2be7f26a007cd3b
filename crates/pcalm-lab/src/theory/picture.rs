//! What the theory says, as pictures.

use super::{
    energies::EnergyRow,
    options::StepSizes,
    relaxation::{LayerPathRow, PathRow},
};
use crate::{
    LabError,
    folder::Folder,
    plot::{self, Axis, Chart, Ink, Panel, Series, Spread, complex_plane, heat_maps, line_charts},
};
use pcalm::theory::{Cell, LayerCredit, Wave};

/// Eigenvalues of one kind, by name.
pub type NamedEigenvalues = (&'static str, Vec<(f64, f64)>);

/// Eigenvalues in the complex plane, with circles of these radii.
pub fn spectrum(folder: &Folder, clouds: Vec<NamedEigenvalues>, radii: &[f64]) -> Result<(), LabError> {
    let cloud = |(name, points): NamedEigenvalues| plot::Cloud { name: name.to_owned(), points };
    let clouds: Vec<plot::Cloud> = clouds.into_iter().map(cloud).collect();
    folder.write("spectrum.svg", complex_plane(&clouds, radii)?.as_bytes())
}

/// Where step sizes are stable: predicted, simulated, and where modes oscillate.
pub fn stability(folder: &Folder, cells: &[Cell], sizes: &StepSizes) -> Result<(), LabError> {
    let panel = |title: &str, of: fn(&Cell) -> f64| Panel {
        title: title.to_owned(),
        columns: cells.chunks(sizes.grid).map(|column| column.iter().map(of).collect()).collect(),
    };
    // What grows is left white.
    let panels = [
        panel("predicted radius", |c| if c.predicted < 1.0 { c.predicted } else { f64::NAN }),
        panel("simulated radius", |c| if c.simulated < 1.0 { c.simulated } else { f64::NAN }),
        panel("oscillates", |c| f64::from(u8::from(c.oscillates))),
    ];
    let svg = heat_maps(&panels, ("η ρ σ²", 0.0, sizes.x_max), ("α/ρ", 0.0, sizes.ratio_max), 1.0)?;
    folder.write("stability.svg", svg.as_bytes())
}

/// Distances from rest over steps: of all layers, and of one between held neighbours.
pub fn relaxation(folder: &Folder, rows: &[PathRow], layer: &[LayerPathRow]) -> Result<(), LabError> {
    let whole = [
        Series::plain("continuous", 1, Ink::Line, rows.iter().map(|r| (r.step as f64, r.continuous))),
        Series::plain("steps, predicted", 0, Ink::Line, rows.iter().map(|r| (r.step as f64, r.discrete))),
        Series::plain("inference", 2, Ink::Line, rows.iter().map(|r| (r.step as f64, r.inference))),
    ];
    let printed = layer.iter().filter_map(|r| Some((r.step as f64, r.as_printed?)));
    let alone = [
        Series::plain("continuous", 1, Ink::Line, layer.iter().map(|r| (r.step as f64, r.continuous))),
        Series::plain("steps, predicted", 0, Ink::Line, layer.iter().map(|r| (r.step as f64, r.discrete))),
        Series::plain("eq. 31 as printed", 3, Ink::Line, printed),
    ];
    let charts = [
        distances("all hidden layers", rows.len(), whole.into()),
        distances("one layer, its neighbours held", layer.len(), alone.into()),
    ];
    folder.write("relaxation.svg", line_charts(&charts, 2)?.as_bytes())
}

fn distances(title: &str, rows: usize, series: Vec<Series>) -> Chart {
    let chart = Chart::over_steps(title, "distance from rest, share of the first", rows.saturating_sub(1), series);
    let shown = chart.series.iter().flat_map(|s| s.points.iter().map(|p| p.y)).filter(|y| *y > 0.0);
    let y = Axis::around(&chart.y.label, Spread::Log10, shown.collect::<Vec<_>>());
    Chart { y, ..chart }
}

/// Loss and energies, and what couples them, over steps.
pub fn energies(folder: &Folder, rows: &[EnergyRow]) -> Result<(), LabError> {
    let series = |name: &str, look: usize, of: fn(&EnergyRow) -> f64| {
        Series::plain(name, look, Ink::Line, rows.iter().map(|r| (r.step as f64, of(r))))
    };
    let last = rows.len().saturating_sub(1);
    let both = vec![
        series("loss ℓ", 0, |r| r.loss),
        series("residuals' energy", 1, |r| r.residual),
        series("energy F", 2, |r| r.energy),
    ];
    let charts = [
        Chart::over_steps("means over the samples", "energy", last, both),
        Chart::over_steps("what the loss falls by", "m", last, vec![series("m", 3, |r| r.margin)]),
        Chart::over_steps(
            "samples in which it does not",
            "samples",
            last,
            vec![series("m ≤ 0", 3, |r| r.nonpositive as f64), series("loss rises", 0, |r| r.rising as f64)],
        ),
    ];
    folder.write("energies.svg", line_charts(&charts, 3)?.as_bytes())
}

/// The maps as a file.
pub fn wave(folder: &Folder, alm: &Wave, pc: &Wave, budget: usize) -> Result<(), LabError> {
    folder.write("wave.svg", maps(alm, pc, budget)?.as_bytes())
}

/// Where the maps' colours end, in shares of BP's credit.
const SCALE: f64 = 1.5;

/// Credit as a share of BP's: PC, PC-ALM, and PC-ALM's two parts.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn maps(alm: &Wave, pc: &Wave, budget: usize) -> Result<String, LabError> {
    let panel = |title: &str, wave: &Wave, part: fn(&LayerCredit) -> f64| Panel {
        title: title.to_owned(),
        columns: wave
            .moments
            .iter()
            .map(|m| m.layers.iter().zip(&wave.backprop).map(|(layer, bp)| part(layer) / bp).collect())
            .collect(),
    };
    let panels = [
        panel("PC: credit ‖q‖", pc, |l| l.credit),
        panel("PC-ALM: credit ‖q‖", alm, |l| l.credit),
        panel("PC-ALM: dual ‖λ‖", alm, |l| l.dual),
        panel("PC-ALM: residual 10 ρ‖c‖", alm, |l| 10.0 * l.residual),
    ];
    let layers = alm.backprop.len() as f64 + 1.0;
    heat_maps(&panels, ("inference step", 0.0, budget as f64), ("layer", 1.0, layers), SCALE)
}
