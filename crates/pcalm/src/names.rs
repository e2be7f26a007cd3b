//! Activations and losses by name: the listed ones, and a program's own.

use crate::{
    activation::{ACTIVATIONS, Activation},
    error::Error,
    loss::Loss,
};

/// Finds what a name in a file or an option stands for. As it is made, it knows what is listed.
#[derive(Clone, Debug, PartialEq)]
pub struct Names {
    activations: Vec<Activation>,
    losses: Vec<Loss>,
}

impl Default for Names {
    fn default() -> Self {
        Names { activations: ACTIVATIONS.to_vec(), losses: Loss::ALL.to_vec() }
    }
}

impl Names {
    /// All activations, the listed ones first.
    pub fn activations(&self) -> &[Activation] {
        &self.activations
    }

    /// All losses, the listed ones first.
    pub fn losses(&self) -> &[Loss] {
        &self.losses
    }

    /// The activation of that name.
    pub fn activation(&self, name: &str) -> Option<Activation> {
        self.activations.iter().copied().find(|a| a.name() == name)
    }

    /// The loss of that name.
    pub fn loss(&self, name: &str) -> Option<Loss> {
        self.losses.iter().copied().find(|l| l.name() == name)
    }

    /// Adds an activation.
    ///
    /// # Errors
    /// If its name is taken, or could not stand in a file.
    pub fn add_activation(&mut self, activation: Activation) -> Result<(), Error> {
        free("activation", activation.name(), self.activation(activation.name()).is_some())?;
        self.activations.push(activation);
        Ok(())
    }

    /// Adds a loss.
    ///
    /// # Errors
    /// As [`add_activation`](Self::add_activation).
    pub fn add_loss(&mut self, loss: Loss) -> Result<(), Error> {
        free("loss", loss.name(), self.loss(loss.name()).is_some())?;
        self.losses.push(loss);
        Ok(())
    }
}

/// Refuses a name for an `option` that is taken, or that other spellings would not lead back to.
pub(crate) fn free(option: &'static str, name: &str, taken: bool) -> Result<(), Error> {
    if taken {
        return Err(Error::setting(option, format!("there is a `{name}` already")));
    }
    let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if name.is_empty() || !name.chars().all(plain) {
        return Err(Error::setting(option, format!("`{name}` is no name of lower-case letters, digits and hyphens")));
    }
    Ok(())
}
