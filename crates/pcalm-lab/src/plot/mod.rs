//! Pictures, as SVG.

mod accuracy;
mod axis;
mod grid;
mod heat;
mod lines;
mod plane;
mod render;
pub mod style;

pub use accuracy::{Curve, accuracy_plot};
pub use axis::{Axis, Spread};
pub use grid::{Matrix, Sides, matrices};
pub use heat::{Panel, heat_maps};
pub use lines::{Chart, Ink, Point, Series, line_charts};
pub use plane::{Cloud, complex_plane};
pub use render::{pdf, png};

use crate::error::LabError;
use plotters::prelude::SeriesLabelPosition;
use plotters::{
    coord::types::RangedCoordf64,
    prelude::{BLACK, Cartesian2d, ChartContext, Color, DrawingAreaErrorKind, SVGBackend, WHITE},
};

fn picture(draw: impl FnOnce(&mut String) -> Result<(), Box<dyn std::error::Error>>) -> Result<String, LabError> {
    let mut svg = String::new();
    draw(&mut svg).map_err(|e| LabError::option("figure", e.to_string()))?;
    Ok(svg)
}

/// Names the series drawn so far.
fn legend<'a>(
    chart: &mut ChartContext<'a, SVGBackend<'a>, Cartesian2d<RangedCoordf64, RangedCoordf64>>,
    position: SeriesLabelPosition,
) -> Result<(), DrawingAreaErrorKind<std::io::Error>> {
    chart
        .configure_series_labels()
        .position(position)
        .background_style(WHITE.mix(0.9))
        .border_style(BLACK.mix(0.3))
        .label_font(("sans-serif", 15))
        .draw()
}
