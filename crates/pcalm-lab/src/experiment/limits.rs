//! How large a whole number may be.

use super::Experiment;
use crate::error::LabError;
use std::ops::RangeInclusive;

/// Threads and jobs that can be asked for; 0 leaves the number to the machine.
pub const WORKERS: RangeInclusive<u64> = 0..=1024;
/// The largest whole number that a configuration file can hold: TOML's are signed.
pub const WHOLE: u64 = i64::MAX as u64;

/// The value, if it lies in the range.
///
/// # Errors
/// If it does not; the message names the option and the range.
pub fn within(option: &str, value: usize, range: RangeInclusive<u64>) -> Result<usize, LabError> {
    let fits = u64::try_from(value).is_ok_and(|v| range.contains(&v));
    let problem = || format!("{value} is not in {} … {}", range.start(), range.end());
    fits.then_some(value).ok_or_else(|| LabError::option(option, problem()))
}

/// Refuses whole numbers that no configuration file can hold.
///
/// # Errors
/// If there is one; the message names the option.
pub fn recordable(experiment: &Experiment) -> Result<(), LabError> {
    let options = serde_json::to_value(experiment).map_err(|e| LabError::option("config", e.to_string()))?;
    let too_large = |value: &serde_json::Value| value.as_u64().filter(|v| *v > WHOLE);
    for (name, value) in options.as_object().into_iter().flatten() {
        let list = value.as_array().map_or(std::slice::from_ref(value), Vec::as_slice);
        if let Some(value) = list.iter().find_map(too_large) {
            return Err(LabError::option(name, format!("{value}; at most {WHOLE} can be written down")));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::experiment::{from_toml, to_toml};

    #[test]
    fn a_number_outside_its_range_is_refused_with_name_and_range() {
        assert_eq!(within("jobs", 1024, WORKERS).unwrap(), 1024);
        let error = within("jobs", 1025, WORKERS).unwrap_err().to_string();
        assert_eq!(error, "invalid option `jobs`: 1025 is not in 0 … 1024");
    }

    /// Whether the experiment can be written down and read again.
    fn comes_back(experiment: &Experiment) -> bool {
        let read = to_toml(experiment).and_then(|text| from_toml(&text, "x.toml".as_ref()));
        read.is_ok_and(|read| read == *experiment)
    }

    #[test]
    fn whole_numbers_that_toml_cannot_hold_are_named_wherever_they_are() {
        let fine = Experiment { seed: WHOLE, epochs: WHOLE, ..Experiment::default() };
        assert!(recordable(&fine).is_ok() && comes_back(&fine));
        let seed = Experiment { seed: WHOLE + 1, ..Experiment::default() };
        assert!(!comes_back(&seed));
        assert!(recordable(&seed).unwrap_err().to_string().contains("`seed`: 9223372036854775808"));
        let widths = Experiment { widths: Some(vec![3, usize::MAX]), ..Experiment::default() };
        assert!(recordable(&widths).unwrap_err().to_string().contains("`widths`"));
    }
}
