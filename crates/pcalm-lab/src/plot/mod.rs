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
pub use grid::{Sides, TitledMatrix, matrices};
pub use heat::{Panel, heat_maps};
pub use lines::{Chart, Ink, Point, Series, line_chart, line_charts};
pub use plane::{Cloud, complex_plane};
pub use render::{pdf, png};

use crate::error::LabError;

/// Why a picture could not be drawn.
type Failed = Box<dyn std::error::Error>;

fn picture(draw: impl FnOnce(&mut String) -> Result<(), Failed>) -> Result<String, LabError> {
    let mut svg = String::new();
    draw(&mut svg).map_err(|e| LabError::option("figure", e.to_string()))?;
    Ok(svg)
}
