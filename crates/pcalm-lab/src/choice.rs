//! Choices by name, with a suggestion when the name is close to one.

use crate::error::LabError;

/// `; did you mean …?` with the known name closest to `given`; nothing if none is close.
pub fn hint<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> String {
    suggestion(given, known).map(|s| format!("; did you mean `{s}`?")).unwrap_or_default()
}

fn suggestion<'a>(given: &str, known: impl IntoIterator<Item = &'a str>) -> Option<&'a str> {
    let scored = known.into_iter().map(|name| (strsim::jaro_winkler(given, name), name));
    let best = scored.max_by(|a, b| a.0.total_cmp(&b.0))?;
    (best.0 > 0.75).then_some(best.1)
}

/// `find(given)`, or an error that lists the known names and suggests the closest.
pub fn choose<T>(
    option: &str,
    given: &str,
    known: impl IntoIterator<Item = &'static str>,
    find: impl FnOnce(&str) -> Option<T>,
) -> Result<T, LabError> {
    if let Some(found) = find(given) {
        return Ok(found);
    }
    let known: Vec<&str> = known.into_iter().collect();
    let hint = hint(given, known.iter().copied());
    Err(LabError::option(option, format!("`{given}` is none of {}{hint}", known.join(", "))))
}
