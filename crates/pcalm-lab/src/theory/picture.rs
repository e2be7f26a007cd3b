//! What the theory says, as pictures.

use super::options::StepSizes;
use crate::{
    LabError,
    folder::Folder,
    plot::{self, Panel, complex_plane, heat_maps},
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
