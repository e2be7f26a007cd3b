//! How an experiment wants its inputs shifted and scaled.

use super::Experiment;
use crate::{
    choice::choose,
    dataset::{By, DataError, Dataset, Normalisation},
    error::LabError,
};

const NONE: &str = "none";
const STANDARD: &str = "standardise";

/// Shifts and scales the inputs as the experiment says.
pub(super) fn normalise(e: &Experiment, data: &mut Dataset) -> Result<(), LabError> {
    let standard = |by| Ok(Some(Normalisation::standard(&data.train, by)));
    match wanted(e, data.dim(), standard)? {
        Some(normalisation) => Ok(data.normalise(normalisation)?),
        None => Ok(()),
    }
}

/// How the experiment wants inputs of `dim` features shifted and scaled; `standard` measures the moments.
pub(crate) fn wanted(
    e: &Experiment,
    dim: usize,
    standard: impl FnOnce(By) -> Result<Option<Normalisation>, LabError>,
) -> Result<Option<Normalisation>, LabError> {
    let by = choose("normalise-by", &e.normalise_by, ["set", "feature"], |name| match name {
        "set" => Some(By::Set),
        "feature" => Some(By::Feature),
        _ => None,
    })?;
    if e.standardise && ![NONE, STANDARD].contains(&e.normalise.as_str()) {
        let problem = format!("`{}` contradicts --standardise; give one of the two", e.normalise);
        return Err(LabError::option("normalise", problem));
    }
    let chosen = if e.standardise { STANDARD } else { &e.normalise };
    match chosen {
        NONE if by == By::Feature => Err(LabError::option("normalise-by", "has no effect without --normalise")),
        NONE => Ok(None),
        STANDARD => standard(by),
        numbers => given(numbers, by, dim).map(Some),
    }
}

/// Whether the experiment says anything about it.
pub(crate) fn is_asked_for(e: &Experiment) -> bool {
    e.standardise || e.normalise != NONE
}

/// All means, followed by all standard deviations.
fn given(text: &str, by: By, dim: usize) -> Result<Normalisation, LabError> {
    let wrong = |problem: String| LabError::option("normalise", problem);
    let numbers: Result<Vec<f64>, _> = text.split(',').map(|t| t.trim().parse()).collect();
    let numbers = numbers.map_err(|_| wrong(format!("`{text}` is none of {NONE}, {STANDARD} and MEAN,STD")))?;
    let groups = match by {
        By::Set => 1,
        By::Feature => dim,
    };
    if numbers.len() != 2 * groups {
        return Err(wrong(format!(
            "{} numbers; {} are needed: {groups} means, then {groups} standard deviations (--normalise-by {})",
            numbers.len(),
            2 * groups,
            if by == By::Set { "set" } else { "feature" },
        )));
    }
    let (mean, deviation) = numbers.split_at(groups);
    Normalisation::given(mean, deviation).map_err(|e| match e {
        DataError::Normalisation { problem } => wrong(problem),
        other => other.into(),
    })
}
