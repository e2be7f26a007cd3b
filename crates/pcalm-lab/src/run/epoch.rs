//! The end of an epoch: the test set, a probe against BP, and a look for signs of instability.

use super::{RunNews, Sign, TrainingRun, begin};
use crate::{
    batches::Gathered,
    error::LabError,
    record::{EpochRow, LayerRow},
};
use pcalm::{Error, catalogue::Engine, minibatch::Score, train::Probe};
use std::time::Instant;

impl<B: Engine + Copy> TrainingRun<'_, B> {
    /// Evaluates and probes at the end of an epoch, and writes it down as a whole.
    pub(super) fn end_epoch(&mut self, epoch: u64, news: &mut dyn FnMut(RunNews)) -> Result<(), LabError> {
        let clock = Instant::now();
        let test = self.evaluate()?;
        self.note_memory();
        let probe = self.probe()?;
        self.note_memory();
        self.cost.evaluation += clock.elapsed().as_secs_f64();
        let clock = Instant::now();
        let sign = self.sign(epoch, &probe)?;
        self.cost.watching += clock.elapsed().as_secs_f64();
        // All that can be interrupted is done: from here on the epoch's end is written down as a whole.
        let (step, samples) = (self.progress.step, &self.job.data.test);
        let row = EpochRow::new((epoch, step), (samples, self.loss), &test, &probe, &self.progress.total);
        news(RunNews::Epoch { row: &row });
        self.tables.epochs.push(row.clone());
        self.epochs.push(row);
        LayerRow::of(epoch, &probe).for_each(|row| self.tables.layers.push(row));
        if let Some(sign) = sign {
            self.progress.unstable_epochs += 1;
            if self.progress.unstable_epochs == 1 {
                news(RunNews::Unstable { epoch, sign: &sign });
            }
        }
        self.progress.evaluated = epoch + 1;
        Ok(())
    }

    /// What shows at the end of an epoch that inference is unstable, if anything does.
    fn sign(&mut self, epoch: u64, probe: &Probe) -> Result<Option<Sign>, LabError> {
        // ℓ_Π is at most that many times ℓ.
        let weight = self.plan.objective.readout().bounds()[1];
        if let Some(sign) = Sign::of(probe, weight) {
            return Ok(Some(sign));
        }
        // The bound at the start was reported as training began.
        if epoch == 0 {
            return Ok(None);
        }
        let sigma_squared = begin::sigma_squared(&self.plan, &mut self.meter, self.trainer.network(), self.job)?;
        let bound = sigma_squared.map(|sigma_squared| begin::bound(&self.plan, self.progress.eta, sigma_squared));
        Ok(bound.filter(|bound| !bound.holds()).map(Sign::Bound))
    }

    /// Training holds no more than evaluation and diagnostics.
    fn note_memory(&mut self) {
        let held = self.trainer.memory();
        self.cost.memory.weights = held.weights as u64;
        self.cost.memory.states = self.cost.memory.states.max(held.states as u64);
    }

    fn evaluate(&mut self) -> Result<Score, LabError> {
        let (experiment, data) = (self.job.experiment, self.job.data);
        let mut sum = Score::default();
        for batch in crate::batches::chunks(&data.test, experiment.samples_at_once()) {
            if self.job.interrupt.is_raised() {
                return Err(Error::Interrupted.into());
            }
            sum += self.trainer.evaluate(&batch.batch()?)?;
        }
        Ok(sum)
    }

    fn probe(&mut self) -> Result<Probe, LabError> {
        let (experiment, data) = (self.job.experiment, self.job.data);
        let mut gathered = Gathered::default();
        gathered.gather(&data.train, 0..experiment.probe_samples.min(data.train.len()));
        Ok(self.trainer.probe(&gathered.batch()?)?)
    }
}
