#![doc = include_str!("../../../README.md")]

pub mod activation;
pub mod backend;
pub mod checkpoint;
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

pub use error::Error;
