//! What inference changes: activities, duals and the credit read from them.

use crate::{
    backend::{Backend, Held, Host, Moving},
    network::Network,
    stack::Matrix,
    work::Work,
};

/// Activities z, duals λ and credit q of one block of samples, with what the primitives leave for one another. Lives as
/// long as its owner, so that the inference loop allocates nothing.
///
/// Hidden layers are 0-based: layer `l` of the activities is the paper's z_{l+1}.
#[derive(Debug)]
pub struct State<B: Backend> {
    pub(crate) activities: B::Stack,
    pub(crate) duals: B::Stack,
    /// λ + ρc per hidden layer, then the output edge's credit −e.
    pub(crate) credit: B::Stack,
    /// ∂𝓛/∂z on its way into z; a fused pass never has all of it.
    pub(crate) gradient: B::Stack,
    pub(crate) memo: B::Memo,
    /// As [`Moving::front`].
    pub(crate) front: usize,
    pub(crate) work: Work,
    /// Whether credit, slopes and output are those of the present z and λ.
    pub(crate) current: bool,
    /// What the rule keeps from step to step.
    pub(crate) memory: Vec<B::Stack>,
}

impl<B: Backend> Clone for State<B> {
    fn clone(&self) -> Self {
        State {
            activities: self.activities.clone(),
            duals: self.duals.clone(),
            credit: self.credit.clone(),
            gradient: self.gradient.clone(),
            memo: self.memo.clone(),
            memory: self.memory.clone(),
            ..*self
        }
    }
}

impl<B: Backend> State<B> {
    /// Zeros, shaped for `samples` samples of `network`.
    pub fn zeros(backend: &B, network: &Network<B::Real>, samples: usize) -> Self {
        let hidden = || backend.stack(&network.widths()[..network.hidden()], samples);
        State {
            activities: hidden(),
            duals: hidden(),
            credit: backend.stack(network.widths(), samples),
            gradient: hidden(),
            memo: backend.memo(network, samples),
            front: 0,
            work: Work::default(),
            current: false,
            memory: Vec::new(),
        }
    }

    /// z, one matrix per hidden layer.
    pub fn activities(&self) -> &B::Stack {
        &self.activities
    }

    /// z, to be changed at will.
    pub fn activities_mut(&mut self) -> &mut B::Stack {
        self.touch();
        &mut self.activities
    }

    /// λ, one matrix per hidden layer.
    pub fn duals(&self) -> &B::Stack {
        &self.duals
    }

    /// λ, to be changed at will.
    pub fn duals_mut(&mut self) -> &mut B::Stack {
        self.touch();
        &mut self.duals
    }

    /// q = λ + ρc per hidden layer, then the output edge's credit −e, as the last credit or
    /// adjoint pass left them; a [fused](Backend::fused) cycle does not.
    pub fn credit(&self) -> &B::Stack {
        &self.credit
    }

    /// q, to be changed at will: for operators on a direction. Inference takes none from here.
    pub fn credit_mut(&mut self) -> &mut B::Stack {
        self.current = false;
        &mut self.credit
    }

    /// The stacks that the rule [keeps](crate::rule::Rule::memory) from step to step.
    pub fn memory(&self) -> &[B::Stack] {
        &self.memory
    }

    /// z, λ and what the rule keeps, all to be changed at will.
    pub fn parts_mut(&mut self) -> (&mut B::Stack, &mut B::Stack, &mut [B::Stack]) {
        self.touch();
        (&mut self.activities, &mut self.duals, &mut self.memory)
    }

    /// What a cycle changes.
    pub(crate) fn moving(&mut self) -> Moving<'_, B> {
        let State { activities, duals, credit, memo, front, .. } = self;
        Moving { activities, duals, credit, memo, front }
    }

    /// Makes ready for an inference by a rule that keeps so many stacks: what an earlier one knew does not
    /// hold for other weights or samples.
    pub(crate) fn begin(&mut self, backend: &B, memory: usize) {
        self.touch();
        self.memory.resize_with(memory, || self.activities.clone());
        self.memory.iter_mut().for_each(|stack| backend.clear(stack));
    }

    /// Nothing more is known of z and λ.
    pub(crate) fn touch(&mut self) {
        (self.front, self.current) = (0, false);
    }

    /// Work done since the counter was last reset.
    pub fn work(&self) -> Work {
        self.work
    }
}

impl<B: Host> State<B> {
    /// f_L(z_{L-1}), the network's output where it was last computed.
    pub fn output(&self) -> &Matrix<B::Real> {
        &self.memo.output
    }
}

impl<B: Backend> Held for State<B> {
    fn bytes(&self) -> usize {
        let stacks = [&self.activities, &self.duals, &self.credit, &self.gradient];
        self.memo.bytes() + stacks.into_iter().chain(&self.memory).map(Held::bytes).sum::<usize>()
    }
}
