//! One page about everything a folder holds: claims with their verdicts, figures, and the runs behind them.

mod page;

use crate::{
    claim::Claim,
    error::LabError,
    figure::{Record, place, read_records},
    folder::Folder,
    sweep::{Finished, Key, Store},
};
use std::{fmt::Write, path::Path};

/// The page's file.
pub const PAGE: &str = "report.html";
/// The claims alone, as Markdown.
pub const CLAIMS: &str = "claims.md";

/// A run that some figure used.
#[derive(Clone, Debug, PartialEq)]
pub struct ReportedRun {
    /// What it is stored under.
    pub key: Key,
    /// Its configuration and results.
    pub result: Finished,
}

/// A table's head and rows, as text.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct TextTable {
    /// Names of the columns.
    pub head: Vec<String>,
    /// The fields of each row.
    pub rows: Vec<Vec<String>>,
}

/// A figure with what is shown of it.
#[derive(Debug)]
pub struct Shown {
    /// What it is.
    pub record: Record,
    /// Its pictures as SVG.
    pub pictures: Vec<String>,
    /// The tables that are part of it, with their names.
    pub tables: Vec<(String, TextTable)>,
}

/// All that a report is made of.
#[derive(Debug)]
pub struct ReportPage {
    /// The figures, in their order.
    pub figures: Vec<Shown>,
    /// Every run that a figure used, once.
    pub runs: Vec<ReportedRun>,
}

impl ReportPage {
    /// Reads the figures and runs in a folder.
    ///
    /// # Errors
    /// If there are no figures, or a file is missing or damaged; the message names it and the way out.
    pub fn read(folder: &Path) -> Result<Self, LabError> {
        let shown = |record: Record| {
            let files = Folder::existing(&place(folder, &record.name));
            let svg = |name: &String| files.read_text(&format!("{name}.svg"));
            let table = |name: &String| Ok((name.clone(), grid(&files.file(&format!("{name}.csv")))?));
            let pictures = record.pictures.iter().map(svg).collect::<Result<_, LabError>>()?;
            let tables = record.shown.iter().map(table).collect::<Result<_, LabError>>()?;
            Ok(Shown { record, pictures, tables })
        };
        let records = read_records(folder)?;
        let store = Store::existing(folder)?;
        let figures: Vec<Shown> = records.into_iter().map(shown).collect::<Result<_, LabError>>()?;
        let mut keys: Vec<Key> = figures.iter().flat_map(|f| f.record.runs.clone()).collect();
        keys.sort();
        keys.dedup();
        let run = |key: Key| Ok(ReportedRun { result: store.finished(&key)?, key });
        let runs = keys.into_iter().map(run).collect::<Result<_, LabError>>()?;
        Ok(ReportPage { figures, runs })
    }

    /// Writes `report.html` and `claims.md` to the folder.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn write(&self, folder: &Path) -> Result<(), LabError> {
        let folder = Folder::existing(folder);
        folder.write(PAGE, page::page(self).as_bytes())?;
        folder.write(CLAIMS, self.markdown().as_bytes())
    }

    /// What the figures are, in their order.
    fn records(&self) -> impl Iterator<Item = &Record> + Clone {
        self.figures.iter().map(|f| &f.record)
    }

    /// Every claim, in the order of the figures.
    pub fn claims(&self) -> impl Iterator<Item = &Claim> + Clone {
        self.records().flat_map(|r| &r.claims)
    }

    /// Seconds of training and evaluation in all runs, each as one process had them.
    pub fn seconds(&self) -> f64 {
        self.runs.iter().map(|r| r.result.cost.training + r.result.cost.evaluation).sum()
    }

    fn markdown(&self) -> String {
        let mut text = String::from(
            "| claim | verdict | measured | 95 % interval | wanted | seeds | paired test | remark |\n\
             | --- | --- | --- | --- | --- | --- | --- | --- |\n",
        );
        for c in self.claims() {
            // Writing to a string does not fail.
            let _ = writeln!(
                text,
                "| {} ({}) | **{}** | {} {} | {} | {} | {} | {} | {} |",
                c.statement,
                c.source,
                c.verdict.name(),
                number(c.measured),
                c.quantity,
                interval(c),
                c.wanted,
                seeds(c),
                test(c),
                c.remark
            );
        }
        text
    }
}

/// The text of a CSV file.
fn grid(path: &Path) -> Result<TextTable, LabError> {
    let bad = |e: csv::Error| LabError::run(path, e.to_string());
    let mut reader = csv::Reader::from_path(path).map_err(bad)?;
    let fields = |record: &csv::StringRecord| record.iter().map(str::to_owned).collect();
    let head = fields(reader.headers().map_err(bad)?);
    let rows = reader.records().map(|r| r.map(|r| fields(&r))).collect::<Result<_, _>>().map_err(bad)?;
    Ok(TextTable { head, rows })
}

/// A number with four digits that count.
fn number(value: f64) -> String {
    if !value.is_finite() {
        return "–".to_owned();
    }
    let size = value.abs();
    let text = match size {
        0.0 => "0".to_owned(),
        _ if !(1e-4..1e6).contains(&size) => return format!("{value:.2e}"),
        _ if size >= 100.0 => format!("{value:.1}"),
        _ if size >= 1.0 => format!("{value:.2}"),
        _ => format!("{value:.4}"),
    };
    text.replace('-', "−")
}

fn interval(claim: &Claim) -> String {
    claim.interval.map_or_else(|| "–".to_owned(), |[low, high]| format!("{} … {}", number(low), number(high)))
}

fn seeds(claim: &Claim) -> String {
    if claim.seeds == 0 { "–".to_owned() } else { claim.seeds.to_string() }
}

fn test(claim: &Claim) -> String {
    claim.test.map_or_else(
        || "–".to_owned(),
        |t| format!("t = {}, p = {}, n = {}", number(t.t), number(t.p), t.difference.count),
    )
}

#[cfg(test)]
mod tests {
    use super::number;

    #[test]
    fn numbers_are_short_and_keep_their_sign() {
        let cases = [
            (0.0, "0"),
            (-1.0, "−1.00"),
            (12.345, "12.35"),
            (1234.56, "1234.6"),
            (0.12345, "0.1235"),
            (3e-7, "3.00e-7"),
        ];
        for (value, wanted) in cases {
            assert_eq!(number(value), wanted);
        }
        assert_eq!(number(f64::NAN), "–");
    }
}
