//! What training will hold, in bytes, known from the widths alone: a run too large for the machine
//! can be refused before it takes any memory.
//!
//! What a [`Trainer`](crate::train::Trainer) does hold is its
//! [`memory`](crate::train::Trainer::memory).

use crate::{
    backend::{Host, host::rows},
    parametrization::Architecture,
    real::Real,
    stack::LANES,
};

/// Weights and biases of a network; `None` if 64 bits cannot count them.
pub fn parameters(architecture: &Architecture) -> Option<u64> {
    let bias = u64::from(architecture.bias);
    architecture.widths.windows(2).try_fold(0u64, |sum, pair| {
        let inputs = u64::try_from(pair[0]).ok()?.checked_add(bias)?;
        sum.checked_add(inputs.checked_mul(u64::try_from(pair[1]).ok()?)?)
    })
}

/// Bytes of the weights, their gradient and the optimizer's
/// [`moments`](crate::optimizer::MethodInfo::moments) for so many `parameters` in numbers of
/// `number` bytes ([`Real::BYTES`]); `None` if 64 bits cannot count them.
pub fn weight_bytes(parameters: u64, number: usize, moments: usize) -> Option<u64> {
    let copies = u64::try_from(moments).ok()?.checked_add(2)?;
    parameters.checked_mul(u64::try_from(number).ok()?)?.checked_mul(copies)
}

/// Bytes of the blocks and states of a minibatch of `samples` samples on `backend`, for a network of this
/// architecture; `None` if 64 bits cannot count them, or there are less than two widths.
///
/// `memory`: how many stacks the rule [keeps](crate::rule::Rule::memory) besides.
pub fn state_bytes<B: Host>(backend: &B, architecture: &Architecture, samples: usize, memory: usize) -> Option<u64> {
    let size = backend.block_samples();
    let padded = |samples: usize| samples.checked_next_multiple_of(LANES);
    let columns = padded(size)?.checked_mul(samples / size)?.checked_add(padded(samples % size)?)?;
    // One number for each unit of the widest layer is kept once for each block.
    let widest = architecture.widths.iter().copied().max()? as u128;
    let each = widest.checked_mul(samples.div_ceil(size) as u128)?;
    let numbers = rows(architecture, memory)?.checked_mul(columns as u128)?.checked_add(each)?;
    u64::try_from(numbers.checked_mul(B::Real::BYTES as u128)?).ok()
}
