//! Stands for pictures of how good a network is in a program without the feature `plot`.

use super::Evaluation;
use crate::error::LabError;
use std::path::Path;

/// Not in this program.
///
/// # Errors
/// Always.
pub fn picture(_evaluation: &Evaluation, path: &Path) -> Result<(), LabError> {
    check_ending(path)
}

/// No picture can be drawn.
///
/// # Errors
/// Always.
pub fn check_ending(_path: &Path) -> Result<(), LabError> {
    Err(LabError::option("picture", "this program was built without pictures; build it with the feature `plot`"))
}
