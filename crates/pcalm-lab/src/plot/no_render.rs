//! Stands for the drawing of PNG and PDF in a program without the feature `pictures`.

use crate::error::LabError;

fn absent<T>() -> Result<T, LabError> {
    let problem = "this program was built without PNG and PDF; build it with the feature `pictures`, or draw .svg";
    Err(LabError::option("figure", problem))
}

/// Not in this program.
///
/// # Errors
/// Always.
pub fn png(_svg: &str) -> Result<Vec<u8>, LabError> {
    absent()
}

/// Not in this program.
///
/// # Errors
/// Always.
pub fn pdf(_svg: &str) -> Result<Vec<u8>, LabError> {
    absent()
}
