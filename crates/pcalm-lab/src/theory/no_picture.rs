//! Stands for the pictures of what the theory says where none are drawn: reports and tables say the same.

use super::{
    energies::EnergyRow,
    options::StepSizes,
    relaxation::{LayerPathRow, PathRow},
};
use crate::{LabError, folder::Folder};
use pcalm::theory::{Cell, Wave};

/// Eigenvalues of one kind, by name.
pub type NamedEigenvalues = (&'static str, Vec<(f64, f64)>);

/// Not in this program.
pub fn spectrum(_folder: &Folder, _clouds: Vec<NamedEigenvalues>, _radii: &[f64]) -> Result<(), LabError> {
    Ok(())
}

/// Not in this program.
pub fn relaxation(_folder: &Folder, _rows: &[PathRow], _layer: &[LayerPathRow]) -> Result<(), LabError> {
    Ok(())
}

/// Not in this program.
pub fn energies(_folder: &Folder, _rows: &[EnergyRow]) -> Result<(), LabError> {
    Ok(())
}

/// Not in this program.
pub fn stability(_folder: &Folder, _cells: &[Cell], _sizes: &StepSizes) -> Result<(), LabError> {
    Ok(())
}

/// Not in this program.
pub fn wave(_folder: &Folder, _alm: &Wave, _pc: &Wave, _budget: usize) -> Result<(), LabError> {
    Ok(())
}
