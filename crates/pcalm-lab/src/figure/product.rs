//! What a figure leaves: pictures in three formats, tables, claims, and how it was made.

use super::{FIGURES, Figure, Lab, Scale};
use crate::{
    claim::Claim,
    error::LabError,
    folder::Folder,
    machine::{Machine, machine},
    plot::{pdf, png},
    provenance::{Provenance, provenance},
    record::{csv, json},
    sweep::Key,
};
use serde::{Deserialize, Serialize};
use std::{path::Path, time::Instant};

/// What drawing a figure gives.
#[derive(Debug, Default)]
pub struct Product {
    /// Pictures as SVG, by name.
    pub pictures: Vec<(String, String)>,
    /// Tables as CSV, by name.
    pub tables: Vec<(String, Vec<u8>)>,
    /// Tables that are part of the figure, to be shown beside its pictures.
    pub shown: Vec<String>,
    /// Claims, judged.
    pub claims: Vec<Claim>,
    /// The runs it used.
    pub runs: Vec<Key>,
    /// What a reader has to know to understand it.
    pub notes: Vec<String>,
    /// Claims that cannot be judged with this scale and these data: `id: why and what would help`.
    pub unjudged: Vec<String>,
    /// The data sets it is made on, if they are others than the lab's.
    pub datasets: Vec<String>,
}

impl Product {
    /// Adds a table.
    ///
    /// # Errors
    /// If a row cannot be written as text.
    pub fn table<T: Serialize>(&mut self, name: &str, rows: &[T]) -> Result<(), LabError> {
        self.tables.push((name.to_owned(), csv(rows, Path::new(name))?));
        Ok(())
    }

    /// Adds a table that is part of the figure.
    ///
    /// # Errors
    /// As [`table`](Self::table).
    pub fn show<T: Serialize>(&mut self, name: &str, rows: &[T]) -> Result<(), LabError> {
        self.shown.push(name.to_owned());
        self.table(name, rows)
    }

    /// Adds a picture.
    pub fn picture(&mut self, name: &str, svg: String) {
        self.pictures.push((name.to_owned(), svg));
    }
}

/// The record of a figure, beside its files.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    /// The figure's name.
    pub name: String,
    /// What it shows.
    pub title: String,
    /// Where it comes from.
    pub source: String,
    /// How much was run.
    pub scale: Scale,
    /// Data sets.
    pub datasets: Vec<String>,
    /// Names of its pictures.
    pub pictures: Vec<String>,
    /// Names of its tables.
    pub tables: Vec<String>,
    /// Those of them that are part of it.
    pub shown: Vec<String>,
    /// Claims, judged.
    pub claims: Vec<Claim>,
    /// The runs it used.
    pub runs: Vec<Key>,
    /// What a reader has to know.
    pub notes: Vec<String>,
    /// Claims that could not be judged, and why; records of before have none.
    #[serde(default)]
    pub unjudged: Vec<String>,
    /// The program that made it.
    pub provenance: Provenance,
    /// The machine it was made on.
    pub machine: Machine,
    /// Seconds it took this time; runs that were there already took none.
    pub seconds: f64,
}

/// The record's file.
const RECORD: &str = "figure.json";
/// The folder of figures.
const FIGURES_FOLDER: &str = "figures";

/// Where a figure's files are.
pub fn place(folder: &Path, name: &str) -> std::path::PathBuf {
    folder.join(FIGURES_FOLDER).join(name)
}

/// Makes a figure and writes all its files to `figures/<name>` in the lab's folder.
///
/// # Errors
/// If a run fails, the work is interrupted, or a file cannot be written.
pub fn make(figure: &Figure, lab: &Lab) -> Result<Record, LabError> {
    let clock = Instant::now();
    let product = (figure.draw)(lab)?;
    let folder = Folder::create(&place(lab.store().path(), figure.name))?;
    for (name, svg) in &product.pictures {
        folder.write(&format!("{name}.svg"), svg.as_bytes())?;
        if cfg!(feature = "pictures") {
            folder.write(&format!("{name}.png"), &png(svg)?)?;
            folder.write(&format!("{name}.pdf"), &pdf(svg)?)?;
        }
    }
    for (name, bytes) in &product.tables {
        folder.write(&format!("{name}.csv"), bytes)?;
    }
    for (i, text) in lab.take_grids().iter().enumerate() {
        folder.write(&format!("grid-{}.toml", i + 1), text.as_bytes())?;
    }
    let names = |list: &[(String, _)]| list.iter().map(|(name, _)| name.clone()).collect();
    let record = Record {
        name: figure.name.to_owned(),
        title: figure.title.to_owned(),
        source: figure.source.to_owned(),
        scale: lab.scale(),
        datasets: if product.datasets.is_empty() { lab.datasets().to_vec() } else { product.datasets },
        pictures: product.pictures.iter().map(|p| p.0.clone()).collect(),
        tables: names(&product.tables),
        shown: product.shown,
        claims: product.claims,
        runs: product.runs,
        notes: product.notes,
        unjudged: product.unjudged,
        provenance: provenance(),
        machine: machine(),
        seconds: clock.elapsed().as_secs_f64(),
    };
    folder.write(RECORD, &json(&record, folder.path())?)?;
    Ok(record)
}

/// The records of all figures in a folder, in the order of [`FIGURES`].
///
/// # Errors
/// If there is none, or one is damaged.
pub fn read_records(folder: &Path) -> Result<Vec<Record>, LabError> {
    let mut records = Vec::new();
    for figure in FIGURES {
        let path = place(folder, figure.name).join(RECORD);
        if !path.exists() {
            continue;
        }
        let bytes = std::fs::read(&path).map_err(|e| LabError::io(&path, e))?;
        let cure = format!("`pcalm figure {} --out {}` makes it again", figure.name, folder.display());
        let record = serde_json::from_slice(&bytes);
        records.push(record.map_err(|e| LabError::run(&path, format!("damaged ({e}); {cure}")))?);
    }
    if records.is_empty() {
        let cure = format!("`pcalm figure all --out {}` makes them", folder.display());
        return Err(LabError::run(folder, format!("no figures here; {cure}")));
    }
    Ok(records)
}
