//! A network file to start from, and the options that it decides.

use super::{Experiment, choices::Topology};
use crate::error::LabError;
use pcalm::{
    activation::Activation,
    names::Names,
    network::{Network, Placement, file::NetworkFile},
    parametrization::Architecture,
    real::Real,
};

/// The experiment with the options that its `--init` file decides set to what the file says; without such a file the
/// experiment as it is. `is_given` tells which options were asked for, which must then agree with the file.
///
/// # Errors
/// If the file cannot be used, or an option that was given contradicts it.
pub fn fit_to_init(e: &Experiment, names: &Names, is_given: impl Fn(&str) -> bool) -> Result<Experiment, LabError> {
    let Some(path) = &e.init else { return Ok(e.clone()) };
    let file = NetworkFile::<f64>::load_known_by(names, path)?;
    let shape = shape(&file.network);
    let hidden = &shape.widths[1..shape.widths.len() - 1];
    let uniform = hidden.iter().all(|n| *n == hidden[0]);
    let refuse = |option: &str, asked: String, found: String| {
        let problem = format!("{asked} contradicts {}, which has {found}; leave it out", path.display());
        Err(LabError::option(option, problem))
    };
    let topology = Topology::of(&file.network).name();
    let chosen = [
        ("topology", &e.topology, topology),
        ("activation", &e.activation, shape.activation.name()),
        ("placement", &e.placement, shape.placement.name()),
        ("loss", &e.loss, file.loss.name()),
    ];
    for (option, asked, found) in chosen {
        if is_given(option) && asked != found {
            return refuse(option, format!("`{asked}`"), format!("`{found}`"));
        }
    }
    if is_given("bias") && e.bias && !shape.bias {
        return refuse("bias", "it".to_owned(), "no biases".to_owned());
    }
    match &e.widths {
        Some(asked) if is_given("widths") && asked.as_slice() != hidden => {
            return refuse("widths", format!("{asked:?}"), format!("hidden widths {hidden:?}"));
        }
        Some(_) => {}
        None if is_given("depth") && e.depth != shape.depth() => {
            return refuse("depth", e.depth.to_string(), format!("{} weight matrices", shape.depth()));
        }
        None if is_given("width") && !(uniform && e.width == hidden[0]) => {
            return refuse("width", e.width.to_string(), format!("hidden widths {hidden:?}"));
        }
        None => {}
    }
    Ok(Experiment {
        topology: topology.to_owned(),
        activation: shape.activation.name().to_owned(),
        placement: shape.placement.name().to_owned(),
        loss: file.loss.name().to_owned(),
        bias: shape.bias,
        depth: shape.depth(),
        width: if uniform { hidden[0] } else { e.width },
        widths: (!uniform).then(|| hidden.to_vec()),
        ..e.clone()
    })
}

/// The architecture of a network; of one that is no chain, as far as it has one.
pub fn shape<R: Real>(network: &Network<R>) -> Architecture {
    let mut widths = vec![network.inputs()];
    widths.extend(network.widths());
    let chain = network.as_chain();
    let curved = network.dense().into_iter().find(|dense| dense.activation() != Activation::Identity);
    let (activation, placement) = match (chain, curved) {
        (Some(chain), _) => (chain.activation(), chain.placement()),
        (None, Some(dense)) => (dense.activation(), dense.placement()),
        (None, None) => (Activation::Identity, Placement::Pre),
    };
    let (residual, bias) = (chain.is_some_and(|chain| chain.is_residual()), network.has_biases());
    Architecture { widths, residual, activation, placement, bias }
}
