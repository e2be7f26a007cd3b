//! Heat maps side by side.

use super::{Failed, picture, style::FONT};
use crate::error::LabError;
use plotters::prelude::*;

/// One map; all panels of a picture share axes and colours.
#[derive(Clone, Debug, PartialEq)]
pub struct Panel {
    /// What it shows.
    pub title: String,
    /// Columns from left to right, each from the bottom up.
    pub columns: Vec<Vec<f64>>,
}

/// At most this many cells each way: more are thinned out, or the files grow large.
const CELLS: (usize, usize) = (96, 64);

/// Maps with the colours from 0 to `top`; axes run from `x.1` to `x.2` and `y.1` to `y.2`.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn heat_maps(panels: &[Panel], x: (&str, f64, f64), y: (&str, f64, f64), top: f64) -> Result<String, LabError> {
    let svg = picture(|svg| draw(panels, x, y, top, svg))?;
    // Or viewers blend the edges of cells with what is behind them.
    Ok(svg.replacen("<svg ", "<svg shape-rendering=\"crispEdges\" ", 1))
}

fn draw(panels: &[Panel], x: (&str, f64, f64), y: (&str, f64, f64), top: f64, svg: &mut String) -> Result<(), Failed> {
    let size = (330 * panels.len() as u32 + 90, 330);
    let area = SVGBackend::with_string(svg, size).into_drawing_area();
    area.fill(&WHITE)?;
    let (maps, scale) = area.split_horizontally(size.0 - 90);
    let parts = maps.split_evenly((1, panels.len()));
    for (panel, part) in panels.iter().zip(&parts) {
        let mut chart = ChartBuilder::on(part)
            .caption(&panel.title, (FONT, 16))
            .margin(8)
            .x_label_area_size(40)
            .y_label_area_size(50)
            .build_cartesian_2d(x.1..x.2, y.1..y.2)?;
        let across = thinned(panel.columns.len(), CELLS.0);
        for (i, &(from, to)) in across.iter().enumerate() {
            let column = &panel.columns[(from + to - 1) / 2];
            let at_x = |k: usize| x.1 + (x.2 - x.1) * k as f64 / across.len() as f64;
            let up = thinned(column.len(), CELLS.1);
            let shades: Vec<Option<u8>> =
                up.iter().map(|&(low, high)| shade(column[(low + high - 1) / 2] / top)).collect();
            let at_y = |k: usize| y.1 + (y.2 - y.1) * k as f64 / up.len() as f64;
            let mut at = 0;
            // Equal neighbours are one rectangle, which keeps the files small.
            chart.draw_series(shades.chunk_by(|a, b| a == b).map(|run| {
                let from = at;
                at += run.len();
                Rectangle::new([(at_x(i), at_y(from)), (at_x(i + 1), at_y(at))], colour(run[0]).filled())
            }))?;
        }
        chart
            .configure_mesh()
            .disable_mesh()
            .x_desc(x.0)
            .y_desc(y.0)
            .x_labels(5)
            .y_labels(6)
            .x_label_formatter(&|v| format!("{v}"))
            .y_label_formatter(&|v| format!("{v}"))
            .label_style((FONT, 13))
            .axis_desc_style((FONT, 15))
            .draw()?;
    }
    let mut bar = ChartBuilder::on(&scale)
        .margin(8)
        .margin_top(30)
        .margin_bottom(48)
        .y_label_area_size(40)
        .build_cartesian_2d(0.0..1.0, 0.0..top)?;
    bar.draw_series((0..SHADES).map(|k| {
        let at = |k: u8| top * f64::from(k) / f64::from(SHADES);
        Rectangle::new([(0.0, at(k)), (1.0, at(k + 1))], colour(Some(k)).filled())
    }))?;
    bar.configure_mesh().disable_mesh().disable_x_axis().y_labels(6).label_style((FONT, 13)).draw()?;
    area.present()?;
    Ok(())
}

/// Cuts `count` into at most `most` runs.
fn thinned(count: usize, most: usize) -> Vec<(usize, usize)> {
    let runs = count.min(most);
    (0..runs).map(|i| (i * count / runs, (i + 1) * count / runs)).collect()
}

/// Colours told apart.
const SHADES: u8 = 48;

/// The shade of a share of the scale; values beyond it take its ends, and what is not a number has none.
pub(super) fn shade(share: f64) -> Option<u8> {
    (!share.is_nan()).then(|| ((share * f64::from(SHADES)) as u8).min(SHADES - 1))
}

/// Viridis, which darkens evenly in grey too; white for none.
pub(super) fn colour(shade: Option<u8>) -> RGBColor {
    shade.map_or(WHITE, |k| ViridisRGB.get_color(f32::from(k) / f32::from(SHADES - 1)))
}
