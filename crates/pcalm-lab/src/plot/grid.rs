//! Matrices of numbers, each in a cell shaded by its size.

use super::{
    Failed,
    heat::{colour, shade},
    picture,
    style::FONT,
};
use crate::error::LabError;
use plotters::{
    prelude::*,
    style::text_anchor::{HPos, Pos, VPos},
};

/// One matrix; all of a picture have the same rows and columns.
#[derive(Clone, Debug, PartialEq)]
pub struct TitledMatrix {
    /// What it shows.
    pub title: String,
    /// Rows from the bottom up, each from left to right; a cell that was not measured is empty.
    pub rows: Vec<Vec<Option<f64>>>,
}

/// What rows and columns stand for.
#[derive(Clone, Debug, PartialEq)]
pub struct Sides<'a> {
    /// Name of the columns, and each one's value.
    pub x: (&'a str, Vec<String>),
    /// Name of the rows, and each one's value.
    pub y: (&'a str, Vec<String>),
}

/// Size of a cell and of the room around a matrix, in pixels.
const CELL: (i32, i32) = (46, 30);
const ROOM: (i32, i32) = (62, 74);

/// The matrices in rows of `columns`; numbers with `digits` decimals, shaded from `range.0` to `range.1`.
///
/// # Errors
/// If the picture cannot be drawn.
pub fn matrices(
    all: &[TitledMatrix],
    sides: &Sides,
    columns: usize,
    digits: usize,
    range: (f64, f64),
) -> Result<String, LabError> {
    let svg = picture(|svg| draw(all, sides, columns.clamp(1, all.len().max(1)), digits, range, svg))?;
    Ok(svg.replacen("<svg ", "<svg shape-rendering=\"crispEdges\" ", 1))
}

fn draw(
    all: &[TitledMatrix],
    sides: &Sides,
    columns: usize,
    digits: usize,
    range: (f64, f64),
    svg: &mut String,
) -> Result<(), Failed> {
    let (across, up) = (sides.x.1.len() as i32, sides.y.1.len() as i32);
    let size = (ROOM.0 + across * CELL.0, ROOM.1 + up * CELL.1);
    let rows = all.len().div_ceil(columns).max(1);
    let whole = (size.0 as u32 * columns as u32 + 10, size.1 as u32 * rows as u32);
    let area = SVGBackend::with_string(svg, whole).into_drawing_area();
    area.fill(&WHITE)?;
    let font = |points: u32| TextStyle::from((FONT, points).into_font()).pos(Pos::new(HPos::Center, VPos::Center));
    let write = |text: &str, at: (i32, i32), style: TextStyle| area.draw(&Text::new(text.to_owned(), at, style));
    for (i, matrix) in all.iter().enumerate() {
        let corner = ((i % columns) as i32 * size.0 + ROOM.0 - 6, (i / columns) as i32 * size.1 + 26);
        write(&matrix.title, (corner.0 + across * CELL.0 / 2, corner.1 - 13), font(15))?;
        for (r, row) in matrix.rows.iter().enumerate() {
            let top = corner.1 + (up - 1 - r as i32) * CELL.1;
            for (c, value) in row.iter().enumerate() {
                let left = corner.0 + c as i32 * CELL.0;
                let Some(value) = value else { continue };
                let share = ((value - range.0) / (range.1 - range.0)).clamp(0.0, 1.0);
                let fill = colour(shade(share));
                let cell = [(left, top), (left + CELL.0, top + CELL.1)];
                area.draw(&Rectangle::new(cell, fill.filled()))?;
                // Light cells take dark letters.
                let ink = if share > 0.55 { BLACK } else { WHITE };
                write(&format!("{value:.digits$}"), (left + CELL.0 / 2, top + CELL.1 / 2), font(13).color(&ink))?;
            }
            let right = font(13).pos(Pos::new(HPos::Right, VPos::Center));
            write(&sides.y.1[r], (corner.0 - 5, top + CELL.1 / 2), right)?;
        }
        for (c, name) in sides.x.1.iter().enumerate() {
            let left = corner.0 + c as i32 * CELL.0;
            write(name, (left + CELL.0 / 2, corner.1 + up * CELL.1 + 11), font(13))?;
        }
        write(sides.x.0, (corner.0 + across * CELL.0 / 2, corner.1 + up * CELL.1 + 30), font(14))?;
        let upright = font(14).transform(FontTransform::Rotate270);
        write(sides.y.0, (corner.0 - 44, corner.1 + up * CELL.1 / 2), upright)?;
    }
    area.present()?;
    Ok(())
}
