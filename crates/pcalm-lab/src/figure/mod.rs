//! Every figure of the PC-ALM paper and some beyond: a claim, a citation, a sweep or computation, a drawing.
//!
//! A figure is one file here and one line in [`FIGURES`].

mod accuracy;
mod alignment;
mod budget;
mod cost;
mod credit;
mod eigenvalues;
mod exponent;
mod lab;
mod measure;
mod path;
mod product;
mod published_cell;
mod richness;
mod runs;
mod scalar;
mod short_budget;

pub use lab::{Lab, Setting};
pub use product::{Product, Record, make, place, read_records};

use crate::error::LabError;
use serde::{Deserialize, Serialize};

/// One row of the list of figures.
#[derive(Clone, Copy, Debug)]
pub struct Figure {
    /// The name used on the command line and for files.
    pub name: &'static str,
    /// What it shows.
    pub title: &'static str,
    /// Where it comes from.
    pub source: &'static str,
    /// Runs, computes, judges and draws.
    pub draw: fn(&Lab) -> Result<Product, LabError>,
}

/// Every figure, in the order of the paper, then those beyond it.
pub const FIGURES: &[Figure] = &[
    scalar::FIGURE,
    accuracy::FIGURE,
    published_cell::FIGURE,
    credit::FIGURE,
    eigenvalues::FIGURE,
    alignment::FIGURE,
    path::FIGURE,
    richness::FIGURE,
    cost::FIGURE,
    short_budget::FIGURE,
    budget::FIGURE,
    exponent::FIGURE,
];

/// How much to run.
#[cfg_attr(feature = "cli", derive(clap::ValueEnum))]
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Scale {
    /// Seconds, on the embedded data: shows that everything works.
    Smoke,
    /// An hour on two cores: all claims, on part of the paper's grid.
    #[default]
    Default,
    /// The paper's whole grid and both of its data sets: days on two cores; can be stopped and resumed.
    Paper,
}

impl Scale {
    /// One of three values.
    pub fn pick<T>(self, smoke: T, default: T, paper: T) -> T {
        match self {
            Scale::Smoke => smoke,
            Scale::Default => default,
            Scale::Paper => paper,
        }
    }

    /// The name used on the command line.
    pub fn name(self) -> &'static str {
        self.pick("smoke", "default", "paper")
    }
}
