#![doc = include_str!("../README.md")]

pub mod activation;
pub mod backend;
pub mod checkpoint;
mod dual_step;
pub mod error;
pub mod gradient;
pub mod infer;
pub mod lagrangian;
pub mod loss;
pub mod memory;
pub mod minibatch;
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

pub use activation::Activation;
pub use backend::{Backend, Cpu, Reference};
pub use error::Error;
pub use gradient::Gradient;
pub use infer::{Rule, Step, Stop};
pub use lagrangian::{DualStep, Lagrangian};
pub use loss::Loss;
pub use minibatch::{Batch, Minibatch};
pub use network::{Dense, Edge, Link, Map, Network, Placement};
pub use objective::Objective;
pub use optimizer::Optimizer;
pub use parametrization::{Architecture, Parametrization};
pub use real::Real;
pub use rule::RuleSettings;
pub use state::State;
pub use train::Trainer;
