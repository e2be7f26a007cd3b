//! What an experiment's energy is made of, as users write it: penalties ρ, precisions Π and the shape h.

use crate::{
    choice::{choose, hint},
    error::LabError,
};
use pcalm::{
    energy_shape::{ENERGY_SHAPES, EnergyShape},
    loss::Loss,
    objective::Objective,
    precision::Precision,
    tensor_file::TensorFile,
};
use std::path::{Path, PathBuf};

/// The options that an energy follows from, as users write them.
#[derive(Clone, Copy, Debug)]
pub struct EnergyOptions<'a> {
    /// Penalties: one, or one per hidden layer.
    pub rho: &'a [f64],
    /// Precisions: one number, one per edge, or the path of a file.
    pub precision: Option<&'a str>,
    /// Precisions by one number: `output=π`, `hidden=p` or `geometric=s`.
    pub precision_profile: Option<&'a str>,
    /// λ of λℓ + (1 − λ)Ẽ.
    pub loss_share: Option<f64>,
    /// The name of h.
    pub energy: &'a str,
    /// Its δ.
    pub energy_scale: Option<f64>,
}

/// The same once it is understood; what is missing is the network's shape.
#[derive(Clone, Debug, PartialEq)]
pub struct EnergyChoice {
    rho: Vec<f64>,
    precision: PrecisionChoice,
    share: Option<f64>,
    shape: EnergyShape,
}

/// Where precisions come from.
#[derive(Clone, Debug, PartialEq)]
enum PrecisionChoice {
    Unit,
    Numbers(Vec<f64>),
    File(PathBuf),
    Profile(PrecisionProfile, f64),
}

/// Precisions of all edges by one number.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum PrecisionProfile {
    /// Π_L, the others 1.
    Output,
    /// Π_l for l < L, that of the output 1.
    Hidden,
    /// Π_l = s^(L − l).
    Geometric,
}

impl PrecisionProfile {
    const ALL: [(&'static str, Self); 3] =
        [("output", Self::Output), ("hidden", Self::Hidden), ("geometric", Self::Geometric)];

    /// Of every edge of a network with `depth` of them.
    fn at(self, number: f64, depth: usize) -> Vec<Precision> {
        let of = |l: usize| match (self, l == depth) {
            (Self::Output, true) | (Self::Hidden, false) => number,
            (Self::Output, false) | (Self::Hidden, true) => 1.0,
            (Self::Geometric, _) => number.powf((depth - l) as f64),
        };
        (1..=depth).map(|l| Precision::Scalar(of(l))).collect()
    }
}

impl EnergyChoice {
    /// Reads the options.
    ///
    /// # Errors
    /// If one is no value of its kind, or excludes another; the message names it. Precisions themselves are looked at
    /// once it is known what they are for.
    pub fn of(options: &EnergyOptions) -> Result<Self, LabError> {
        let shape = shape(options.energy, options.energy_scale)?;
        let precision = match (options.precision, options.precision_profile) {
            (Some(_), Some(_)) => {
                let problem = "says all precisions, as --precision does; give one of the two";
                return Err(LabError::option("precision-profile", problem));
            }
            (Some(text), None) => numbers_or_file(text)?,
            (None, Some(text)) => profile(text)?,
            (None, None) => PrecisionChoice::Unit,
        };
        if options.loss_share.is_some() {
            let beside = [
                ("--precision", options.precision.is_some()),
                ("--precision-profile", options.precision_profile.is_some()),
                ("--rho", options.rho != [1.0]),
                ("--energy", shape != EnergyShape::HalfSquare),
            ];
            if let Some((other, _)) = beside.iter().find(|(_, given)| *given) {
                let problem =
                    format!("is the whole energy, λℓ + (1 − λ)½Σ‖c‖², and contradicts {other}; leave one of them out");
                return Err(LabError::option("loss-share", problem));
            }
        }
        Ok(EnergyChoice { rho: options.rho.to_vec(), precision, share: options.loss_share, shape })
    }

    /// The objective for a network with hidden layers and an output of these widths.
    ///
    /// # Errors
    /// If a number is not positive, a matrix not symmetric and positive definite, one of the wrong size, or the loss or
    /// h are not for such precisions; the message names layer and file.
    pub fn at(&self, loss: Loss, widths: &[usize]) -> Result<Objective<f64>, LabError> {
        if let Some(share) = self.share {
            return Ok(Objective::with_loss_share(loss, share)?);
        }
        let precisions = match &self.precision {
            PrecisionChoice::Unit => Vec::new(),
            PrecisionChoice::Numbers(numbers) if ![1, widths.len()].contains(&numbers.len()) => {
                let (given, edges) = (numbers.len(), widths.len());
                let problem =
                    format!("{given} numbers for {edges} edges; give one, or one per edge, the output's last");
                return Err(LabError::option("precision", problem));
            }
            PrecisionChoice::Numbers(numbers) => numbers.iter().map(|&p| Precision::Scalar(p)).collect(),
            PrecisionChoice::Profile(profile, number) => profile.at(*number, widths.len()),
            PrecisionChoice::File(path) => read(path, widths)?,
        };
        Objective::weighted(loss, &self.rho, &precisions, self.shape).map_err(|e| match (e, &self.precision) {
            (pcalm::Error::Setting { name: "precision", problem }, PrecisionChoice::File(path)) => {
                LabError::run(path, format!("precision: {problem}"))
            }
            (pcalm::Error::Setting { name: "precision", problem }, PrecisionChoice::Profile(..)) => {
                LabError::option("precision-profile", problem)
            }
            (other, _) => other.into(),
        })
    }
}

/// The file that `--precision` names, where it is no list of numbers.
pub fn precision_file(text: &str) -> Option<&Path> {
    let path = Path::new(text);
    let named = path.extension().is_some_and(|e| e == "safetensors") || path.components().count() > 1;
    named.then_some(path)
}

/// A list of numbers or `name=number` in one way of writing it; other texts as they are.
pub(super) fn canonical(text: &str) -> String {
    let (name, numbers) = text.split_once('=').map_or((None, text), |(name, rest)| (Some(name.trim()), rest));
    let Ok(numbers) = list(numbers) else { return text.to_owned() };
    let numbers = numbers.iter().map(f64::to_string).collect::<Vec<_>>().join(",");
    name.map_or_else(|| numbers.clone(), |name| format!("{name}={numbers}"))
}

fn list(text: &str) -> Result<Vec<f64>, std::num::ParseFloatError> {
    text.split(',').map(|number| number.trim().parse()).collect()
}

fn numbers_or_file(text: &str) -> Result<PrecisionChoice, LabError> {
    if let Some(path) = precision_file(text) {
        return Ok(PrecisionChoice::File(path.to_owned()));
    }
    list(text).map(PrecisionChoice::Numbers).map_err(|_| {
        let problem = format!("`{text}` is neither numbers, one or one per edge, nor the path of a .safetensors file");
        LabError::option("precision", problem)
    })
}

fn profile(text: &str) -> Result<PrecisionChoice, LabError> {
    let bad = |problem: String| LabError::option("precision-profile", problem);
    let form = "output=π, hidden=p or geometric=s";
    let Some((name, number)) = text.split_once('=') else { return Err(bad(format!("`{text}` is none of {form}"))) };
    let known = PrecisionProfile::ALL;
    let profile = choose("precision-profile", name.trim(), known.iter().map(|p| p.0), |name| {
        known.iter().find(|p| p.0 == name).map(|p| p.1)
    })?;
    match number.trim().parse::<f64>() {
        Ok(number) if number.is_finite() && number > 0.0 => Ok(PrecisionChoice::Profile(profile, number)),
        _ => Err(bad(format!("`{}` of `{text}` is not a positive number; write {form}", number.trim()))),
    }
}

fn shape(name: &str, scale: Option<f64>) -> Result<EnergyShape, LabError> {
    let names = || ENERGY_SHAPES.iter().map(|shape| shape.name);
    let Some(info) = ENERGY_SHAPES.iter().find(|shape| shape.name == name) else {
        let problem = match EnergyShape::named(name, 1.0) {
            Err(pcalm::Error::Setting { problem, .. }) => problem,
            _ => name.to_owned(),
        };
        return Err(LabError::option("energy", format!("{problem}{}", hint(name, names()))));
    };
    if scale.is_some() && !info.scaled {
        let scaled: Vec<&str> = ENERGY_SHAPES.iter().filter(|shape| shape.scaled).map(|shape| shape.name).collect();
        let problem = format!("has no effect on `{name}`, which has no scale; it belongs to {}", scaled.join(", "));
        return Err(LabError::option("energy-scale", problem));
    }
    Ok(info.at(scale.unwrap_or(1.0))?)
}

/// The precisions in a file for layers of these widths, the output's last.
fn read(path: &Path, widths: &[usize]) -> Result<Vec<Precision>, LabError> {
    let file = TensorFile::<f64>::load(path)?;
    let wrong = |problem: String| LabError::run(path, problem);
    let name = |l: usize| format!("{PREFIX}.{}", l + 1);
    let known = |given: &str| (0..widths.len()).any(|l| given == name(l));
    if let Some(odd) = file.names().find(|given| given.starts_with(PREFIX) && !known(given)) {
        let last = name(widths.len() - 1);
        return Err(wrong(format!("tensor `{odd}` is none of {} … {last}, one per edge, the output's last", name(0))));
    }
    let tensor = |(l, &n): (usize, &usize)| {
        let Some((shape, values)) = file.tensors.get(&name(l)) else {
            let absent = file.vector(&name(l)).err().map_or_else(String::new, |e| e.to_string());
            return Err(wrong(absent));
        };
        match shape[..] {
            [1] => Ok(Precision::Scalar(values[0])),
            [units] if units == n => Ok(Precision::Diagonal(values.to_vec())),
            [rows, columns] if (rows, columns) == (n, n) => Ok(Precision::Full(values.to_vec())),
            _ => {
                let whose = if l + 1 == widths.len() { "the output".to_owned() } else { format!("layer {}", l + 1) };
                let problem = format!("tensor `{}` has shape {shape:?}", name(l));
                Err(wrong(format!("{problem}; that of {whose}, of {n} units, is [1], [{n}] or [{n}, {n}]")))
            }
        }
    };
    widths.iter().enumerate().map(tensor).collect()
}

/// What the tensors of a precision file are called, in front of their layer.
const PREFIX: &str = "precision";

#[cfg(test)]
mod tests {
    use super::*;

    const NONE: EnergyOptions = EnergyOptions {
        rho: &[1.0],
        precision: None,
        precision_profile: None,
        loss_share: None,
        energy: "half-square",
        energy_scale: None,
    };

    fn at(options: &EnergyOptions) -> Result<Objective<f64>, LabError> {
        EnergyChoice::of(options)?.at(Loss::SquaredError, &[2, 2, 3])
    }

    fn weights(text: &str) -> Vec<f64> {
        let objective = at(&EnergyOptions { precision_profile: Some(text), ..NONE }).unwrap();
        let hidden = (0..2).filter_map(|l| objective.penalty(l)?.rho());
        hidden.chain(objective.readout().scalar()).collect()
    }

    #[test]
    fn a_profile_is_precisions_by_one_number() {
        assert_eq!(weights("output=0.5"), [1.0, 1.0, 0.5]);
        assert_eq!(weights("hidden = 3"), [3.0, 3.0, 1.0]);
        assert_eq!(weights("geometric=10"), [100.0, 10.0, 1.0]);
    }

    #[test]
    fn without_options_it_is_the_energy_of_before() {
        assert_eq!(at(&NONE).unwrap(), Objective::new(Loss::SquaredError, &[1.0]).unwrap());
        let one = |text| at(&EnergyOptions { precision: Some(text), ..NONE }).unwrap();
        let rho = at(&EnergyOptions { rho: &[0.5, 0.25], ..NONE }).unwrap();
        let given = one("0.5, 0.25,1");
        assert!((0..2).all(|l| given.penalty(l) == rho.penalty(l)) && given.readout() == rho.readout());
        assert_eq!(one("2").readout().scalar(), Some(2.0));
    }

    #[test]
    fn options_that_exclude_one_another_or_do_nothing_are_named() {
        let share = EnergyOptions { loss_share: Some(0.5), ..NONE };
        for (options, words) in [
            (EnergyOptions { precision: Some("1"), ..share }, ["loss-share", "--precision"]),
            (EnergyOptions { precision_profile: Some("output=1"), ..share }, ["loss-share", "--precision-profile"]),
            (EnergyOptions { rho: &[2.0], ..share }, ["loss-share", "--rho"]),
            (EnergyOptions { energy: "log", ..share }, ["loss-share", "--energy"]),
            (
                EnergyOptions { precision: Some("1"), precision_profile: Some("output=1"), ..NONE },
                ["profile", "one of"],
            ),
            (EnergyOptions { energy: "log", energy_scale: Some(1.0), ..NONE }, ["energy-scale", "huber"]),
            (EnergyOptions { energy: "hubert", ..NONE }, ["energy", "did you mean `huber`"]),
            (EnergyOptions { energy: "log|c|", ..NONE }, ["energy", "−∞ at c = 0"]),
            (EnergyOptions { loss_share: Some(1.0), ..NONE }, ["loss-share", "between 0 and 1"]),
            (EnergyOptions { precision: Some("1,2"), ..NONE }, ["precision", "2 numbers for 3 edges"]),
            (EnergyOptions { precision: Some("1,0,1"), ..NONE }, ["layer 2", "not a positive number"]),
            (EnergyOptions { precision: Some("1,two"), ..NONE }, ["1,two", "neither"]),
            (EnergyOptions { precision_profile: Some("geometric=1e200"), ..NONE }, ["profile", "layer 1"]),
            (EnergyOptions { precision_profile: Some("outpt=1"), ..NONE }, ["profile", "did you mean `output`"]),
        ] {
            let said = at(&options).unwrap_err().to_string();
            assert!(words.iter().all(|word| said.contains(word)), "{options:?}: {said}");
        }
    }

    #[test]
    fn one_thing_is_written_in_one_way() {
        for (given, wanted) in
            [("2.0, 3", "2,3"), ("output = 0.10", "output=0.1"), ("a/b.safetensors", "a/b.safetensors")]
        {
            assert_eq!(canonical(given), wanted);
        }
    }
}
