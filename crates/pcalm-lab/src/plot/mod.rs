//! Pictures, as SVG.

mod axis;
mod grid;
mod heat;
mod lines;
mod plane;
#[cfg_attr(not(feature = "pictures"), path = "no_render.rs")]
mod render;
pub mod style;

pub use axis::{Axis, Spread};
pub use grid::{Matrix, Sides, matrices};
pub use heat::{Panel, heat_maps};
pub use lines::{Chart, Ink, Point, Series, line_chart, line_charts};
pub use plane::{Cloud, complex_plane};
pub use render::{pdf, png};

use crate::error::LabError;

fn picture(draw: impl FnOnce(&mut String) -> Result<(), Box<dyn std::error::Error>>) -> Result<String, LabError> {
    let mut svg = String::new();
    draw(&mut svg).map_err(|e| LabError::option("figure", e.to_string()))?;
    Ok(svg)
}
