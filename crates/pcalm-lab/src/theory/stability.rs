//! `pcalm theory stability`: which step sizes are stable, predicted and simulated.

use super::{options::StepSizes, picture, write_report, write_table};
use crate::{LabError, experiment::limits, folder::Folder};
use pcalm::theory::stability_map;
use serde::Serialize;

/// A summary of the map.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct StabilityReport {
    /// Pairs of step sizes.
    pub pairs: usize,
    /// Pairs the theory calls stable.
    pub stable: usize,
    /// Pairs whose mode oscillates.
    pub oscillating: usize,
    /// Pairs on which simulation (growth below 1) and theory differ.
    pub disagreements: usize,
    /// Largest difference of the two spectral radii.
    pub largest_difference: f64,
}

#[derive(Serialize)]
struct CellRow {
    eta_rho_sigma_squared: f64,
    alpha_over_rho: f64,
    predicted_radius: f64,
    simulated_radius: f64,
    stable: bool,
    oscillates: bool,
}

/// A map of `grid` × `grid` pairs with ησ²ρ up to `x_max` and α/ρ up to `ratio_max`, 0 included; writes
/// `stability.json`, `stability.csv` and `stability.svg`.
///
/// # Errors
/// If there are too few or too many pairs, the ranges are not positive, or the files cannot be written.
pub fn stability(folder: &Folder, sizes: &StepSizes) -> Result<StabilityReport, LabError> {
    let &StepSizes { grid: count, x_max: x, ratio_max: ratio } = sizes;
    limits::within("grid", count, 2..=1000)?;
    for (name, value) in [("x-max", x), ("ratio-max", ratio)] {
        if !(value.is_finite() && value > 0.0) {
            return Err(LabError::option(name, format!("{value} is not a positive number")));
        }
    }
    let xs: Vec<f64> = (1..=count).map(|i| x * i as f64 / count as f64).collect();
    let ratios: Vec<f64> = (0..count).map(|i| ratio * i as f64 / (count - 1) as f64).collect();
    let cells = stability_map(&xs, &ratios)?;
    let rows: Vec<CellRow> = cells
        .iter()
        .map(|c| CellRow {
            eta_rho_sigma_squared: c.x,
            alpha_over_rho: c.ratio,
            predicted_radius: c.predicted,
            simulated_radius: c.simulated,
            stable: c.stable,
            oscillates: c.oscillates,
        })
        .collect();
    write_table(folder, "stability.csv", &rows)?;
    picture::stability(folder, &cells, sizes)?;
    let report = StabilityReport {
        pairs: cells.len(),
        stable: cells.iter().filter(|c| c.stable).count(),
        oscillating: cells.iter().filter(|c| c.oscillates).count(),
        disagreements: cells.iter().filter(|c| c.stable != (c.simulated < 1.0)).count(),
        largest_difference: cells.iter().map(|c| (c.predicted - c.simulated).abs()).fold(0.0, f64::max),
    };
    write_report(folder, "stability.json", &report)?;
    Ok(report)
}
