//! What a program adds to the lists: rules, activations and losses of its own. They go in by value and are passed down;
//! nothing is global.

use crate::{
    activation::{Activation, OwnActivation},
    backend::{Cpu, Host, Reference},
    error::Error,
    loss::{Loss, OwnLoss},
    names::{Names, free},
    rule::{BoxedRule, Build, Rule, RuleFacts, RuleInfo, RuleSettings, rules},
};
use std::{fmt, sync::Arc};

/// The listed rules, activations and losses, and a program's own.
///
/// ```
/// use pcalm::*;
///
/// let root = OwnActivation {
///     name: "root-sign",
///     value: |x| x / (1.0 + x * x).sqrt(),
///     slope: |x| (1.0 + x * x).powf(-1.5),
///     curvature: |x| -3.0 * x * (1.0 + x * x).powf(-2.5),
/// };
/// let catalogue = Catalogue::default().with_activation(root)?;
/// assert_eq!(catalogue.names().activation("root-sign"), Some(Activation::Own(root)));
/// # Ok::<(), Error>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct Catalogue {
    names: Names,
    rules: Vec<OwnRule>,
}

/// A program's own rule, to be built for either number type.
#[derive(Clone)]
pub struct OwnRule {
    facts: RuleFacts,
    single: Build<Cpu>,
    double: Build<Reference<f64>>,
}

impl fmt::Debug for OwnRule {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        f.debug_tuple("OwnRule").field(&self.facts.name).finish()
    }
}

/// A backend that a program's own rules are built for.
pub trait Engine: Host {
    /// What makes the rule for it.
    fn build(rule: &OwnRule) -> Build<Self>;
}

impl Engine for Cpu {
    fn build(rule: &OwnRule) -> Build<Self> {
        rule.single.clone()
    }
}

impl Engine for Reference<f64> {
    fn build(rule: &OwnRule) -> Build<Self> {
        rule.double.clone()
    }
}

impl Catalogue {
    /// The same with a rule, which `build` makes from the settings of a run.
    ///
    /// # Errors
    /// If its name is taken, or could not stand in a file.
    pub fn with_rule<T>(
        mut self,
        facts: RuleFacts,
        build: impl Fn(&RuleSettings) -> Result<T, Error> + Clone + Send + Sync + 'static,
    ) -> Result<Self, Error>
    where
        T: Rule<Cpu> + Rule<Reference<f64>> + 'static,
    {
        free("rule", facts.name, self.rules::<Cpu>().iter().any(|rule| rule.facts.name == facts.name))?;
        let (one, other) = (build.clone(), build);
        self.rules.push(OwnRule {
            facts,
            single: Arc::new(move |settings| Ok(Box::new(one(settings)?))),
            double: Arc::new(move |settings| Ok(Box::new(other(settings)?))),
        });
        Ok(self)
    }

    /// The same with an activation.
    ///
    /// # Errors
    /// If its name is taken, or could not stand in a file.
    pub fn with_activation(mut self, activation: OwnActivation) -> Result<Self, Error> {
        self.names.add_activation(Activation::Own(activation))?;
        Ok(self)
    }

    /// The same with a loss.
    ///
    /// # Errors
    /// If its name is taken, or could not stand in a file.
    pub fn with_loss(mut self, loss: OwnLoss) -> Result<Self, Error> {
        self.names.add_loss(Loss::Own(loss))?;
        Ok(self)
    }

    /// Activations and losses by name.
    pub fn names(&self) -> &Names {
        &self.names
    }

    /// Every rule, the listed ones first.
    pub fn rules<B: Engine>(&self) -> Vec<RuleInfo<B>> {
        let own = self.rules.iter().map(|rule| RuleInfo { facts: rule.facts, build: B::build(rule) });
        rules::<B>().into_iter().chain(own).collect()
    }

    /// The rule of that name.
    ///
    /// # Errors
    /// If no rule has the name, or it cannot run with these settings.
    pub fn rule<B: Engine>(&self, name: &str, settings: &RuleSettings) -> Result<BoxedRule<B>, Error> {
        crate::rule::of(&self.rules::<B>(), name, settings)
    }
}
