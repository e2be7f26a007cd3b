#![doc = include_str!("../README.md")]

pub mod activation;
pub mod backend;
pub mod catalogue;
pub mod checkpoint;
mod dual_step;
pub mod error;
pub mod gradient;
pub mod infer;
pub mod lagrangian;
pub mod loss;
pub mod memory;
pub mod minibatch;
pub mod names;
pub mod network;
pub mod objective;
pub mod optimizer;
pub mod parametrization;
pub mod real;
pub mod rule;
pub mod stack;
pub mod state;
pub mod tensor_file;
#[cfg_attr(not(feature = "theory"), path = "theory/for_training.rs")]
pub mod theory;
pub mod train;
pub mod work;

pub use activation::{Activation, OwnActivation};
pub use backend::{Backend, Cpu, Host, Reference};
pub use catalogue::Catalogue;
pub use error::Error;
pub use gradient::Gradient;
pub use infer::{Rule, Step, Stop};
pub use lagrangian::{DualStep, Lagrangian};
pub use loss::{Loss, OwnLoss};
pub use minibatch::{Batch, Minibatch};
pub use names::Names;
pub use network::{Dense, Edge, Link, Map, Network, Placement};
pub use objective::{End, Objective};
pub use optimizer::Optimizer;
pub use parametrization::{Architecture, Parametrization};
pub use real::Real;
pub use rule::{RuleFacts, RuleSettings};
pub use state::State;
pub use train::Trainer;
pub use work::Work;
