//! A picture of how good a network is.

use super::Evaluation;
use crate::{
    error::LabError,
    folder::write_whole,
    plot::{Axis, Chart, Ink, Series, Sides, Spread, TitledMatrix, line_chart, line_charts, matrices, pdf, png},
};
use std::path::Path;

/// The most classes, and the most outputs, a picture has room for.
const MOST_CLASSES: usize = 64;
const MOST_OUTPUTS: usize = 12;
/// Marks at most in one panel: more are thinned out evenly, or the files grow large.
const MARKS: usize = 2000;
/// Letters of a class name that fit a cell.
const LETTERS: usize = 6;

/// Draws the table of classes, or predicted over true values, in the format the path's ending names.
///
/// # Errors
/// If the ending names none, there is too much to draw, or the file cannot be written.
pub fn picture(evaluation: &Evaluation, path: &Path) -> Result<(), LabError> {
    let format = format(path)?;
    let svg = match &evaluation.confusion {
        Some(table) => confusion(&evaluation.classes, table)?,
        None if evaluation.pairs.is_empty() => return Err(too_many(evaluation.classes.len(), "classes", MOST_CLASSES)),
        None => scatter(evaluation)?,
    };
    let bytes = match format {
        PictureFormat::Svg => svg.into_bytes(),
        PictureFormat::Png => png(&svg)?,
        PictureFormat::Pdf => pdf(&svg)?,
    };
    write_whole(path, |out| out.write_all(&bytes))
}

enum PictureFormat {
    Svg,
    Png,
    Pdf,
}

fn format(path: &Path) -> Result<PictureFormat, LabError> {
    match path.extension().and_then(|e| e.to_str()).map(str::to_ascii_lowercase).as_deref() {
        Some("svg") => Ok(PictureFormat::Svg),
        Some("png") => Ok(PictureFormat::Png),
        Some("pdf") => Ok(PictureFormat::Pdf),
        _ => Err(LabError::option("picture", format!("`{}` ends in none of .svg, .png and .pdf", path.display()))),
    }
}

/// Whether a picture of this name can be drawn.
///
/// # Errors
/// If its ending names no format.
pub fn check_ending(path: &Path) -> Result<(), LabError> {
    format(path).map(|_| ())
}

fn too_many(count: usize, what: &str, most: usize) -> LabError {
    LabError::option("picture", format!("{count} {what}; a picture has room for {most}"))
}

fn confusion(classes: &[String], table: &[Vec<u64>]) -> Result<String, LabError> {
    if classes.len() > MOST_CLASSES {
        return Err(too_many(classes.len(), "classes", MOST_CLASSES));
    }
    let short = |name: &String| {
        let cut: String = name.chars().take(LETTERS).collect();
        if cut.len() < name.len() { cut + "…" } else { cut }
    };
    let names: Vec<String> = classes.iter().map(short).collect();
    // Rows are drawn from the bottom up; a table is read from the top.
    let rows = table.iter().rev().map(|row| row.iter().map(|&n| Some(n as f64)).collect()).collect();
    let sides = Sides { x: ("predicted class", names.clone()), y: ("true class", names.into_iter().rev().collect()) };
    let most = table.iter().flatten().copied().max().unwrap_or(0).max(1);
    matrices(&[TitledMatrix { title: "samples".to_owned(), rows }], &sides, 1, 0, (0.0, most as f64))
}

fn scatter(evaluation: &Evaluation) -> Result<String, LabError> {
    let outputs = evaluation.pairs.len();
    if outputs > MOST_OUTPUTS {
        return Err(too_many(outputs, "outputs", MOST_OUTPUTS));
    }
    let chart = |(k, pairs): (usize, &Vec<(f64, f64)>)| {
        let axis = |label| Axis::around(label, Spread::Linear, pairs.iter().flat_map(|&(y, f)| [y, f]));
        let (x, y) = (axis("true value"), axis("predicted value"));
        let r2 = evaluation.r2_of_outputs.get(k).copied().flatten();
        let title = r2.map_or_else(|| format!("y{}", k + 1), |r2| format!("y{}, R² = {r2:.4}", k + 1));
        let shown = pairs.iter().step_by(pairs.len().div_ceil(MARKS).max(1)).copied();
        let (low, high) = x.range;
        Chart {
            title,
            series: vec![
                Series::plain("samples", 2, Ink::Marks, shown),
                Series::plain("predicted = true", 0, Ink::Line, [(low, low), (high, high)]),
            ],
            x,
            y,
            verticals: Vec::new(),
        }
    };
    let charts: Vec<Chart> = evaluation.pairs.iter().enumerate().map(chart).collect();
    match &charts[..] {
        [one] => line_chart(one),
        several => line_charts(several, 3),
    }
}
