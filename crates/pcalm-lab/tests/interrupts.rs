//! A run interrupted at every kind of moment goes on to the files of one that was not.

use pcalm::Catalogue;
use pcalm_lab::{
    LabError,
    experiment::{Experiment, Loaded},
    folder::Folder,
    interrupt::Interrupt,
    outcome::RunEnd,
    run::{RunNews, TrainingJob, run},
};
use std::{
    path::Path,
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
    },
    time::Duration,
};

fn experiment() -> Experiment {
    Experiment {
        width: 8,
        depth: 6,
        epochs: 3,
        train_samples: Some(256),
        test_samples: Some(40),
        probe_samples: 32,
        metrics_every: 3,
        ..Experiment::default()
    }
}

/// Runs until `stop` asks for an end, or to the end.
fn go(
    loaded: &Loaded,
    place: &Path,
    interrupt: &Interrupt,
    stop: &mut dyn FnMut(&RunNews),
) -> Result<RunEnd, LabError> {
    let (experiment, folder) = (experiment(), Folder::create(place)?);
    let contents = loaded.contents(&experiment)?;
    let (catalogue, data) = (Catalogue::default(), &*loaded.data);
    let job = TrainingJob {
        experiment: &experiment,
        catalogue: &catalogue,
        data,
        contents: &contents,
        folder: &folder,
        interrupt,
    };
    Ok(run(&job, &mut |news| stop(&news))?.summary.end)
}

fn assert_same(a: &Path, b: &Path, when: &str) {
    for name in ["metrics.csv", "epochs.csv", "layers.csv", "summary.json", "checkpoint.safetensors"] {
        let read = |folder: &Path| std::fs::read(folder.join(name)).unwrap();
        assert!(read(a) == read(b), "{name}, interrupted {when}");
    }
}

#[test]
fn a_run_interrupted_when_anything_is_told_goes_on_as_if_it_had_not_been() {
    let place = tempfile::tempdir().unwrap();
    let loaded = Loaded::new(&experiment()).unwrap();
    let whole = place.path().join("whole");
    let mut told = 0;
    assert_eq!(go(&loaded, &whole, &Interrupt::default(), &mut |_| told += 1).unwrap(), RunEnd::Done);
    // Twelve steps, four evaluations, the measurement and the beginning.
    assert_eq!(told, 18);
    for at in 1..=told {
        let cut = place.path().join(format!("cut-{at}"));
        let (interrupt, mut count) = (Interrupt::default(), 0);
        let first = go(&loaded, &cut, &interrupt, &mut |_| {
            count += 1;
            if count == at {
                interrupt.raise();
            }
        });
        assert!(
            matches!(first, Ok(RunEnd::Interrupted | RunEnd::Done) | Err(LabError::Interrupted)),
            "{at}: {first:?}"
        );
        assert_eq!(go(&loaded, &cut, &Interrupt::default(), &mut |_| {}).unwrap(), RunEnd::Done);
        assert_same(&whole, &cut, &format!("at news {at}"));
    }
}

/// The wish comes from another thread, whatever is going on.
#[test]
fn a_run_interrupted_at_any_time_goes_on_as_if_it_had_not_been() {
    let place = tempfile::tempdir().unwrap();
    let loaded = Loaded::new(&experiment()).unwrap();
    let whole = place.path().join("whole");
    go(&loaded, &whole, &Interrupt::default(), &mut |_| {}).unwrap();
    let interrupted = Arc::new(AtomicUsize::new(0));
    for round in 0..40u64 {
        let cut = place.path().join(format!("cut-{round}"));
        loop {
            let interrupt = Interrupt::default();
            let raised = interrupt.clone();
            let raiser = std::thread::spawn(move || {
                // Between half a millisecond and ten, evenly.
                std::thread::sleep(Duration::from_micros(500 + 250 * ((7 * round) % 40)));
                raised.raise();
            });
            let end = go(&loaded, &cut, &interrupt, &mut |_| {});
            raiser.join().unwrap();
            match end {
                Ok(RunEnd::Done) => break,
                Ok(RunEnd::Interrupted) | Err(LabError::Interrupted) => interrupted.fetch_add(1, Ordering::Relaxed),
                other => panic!("{other:?}"),
            };
            if interrupted.load(Ordering::Relaxed) > 2000 {
                // On a slow machine ten milliseconds may not be enough for a step.
                go(&loaded, &cut, &Interrupt::default(), &mut |_| {}).unwrap();
                break;
            }
        }
        assert_same(&whole, &cut, &format!("in round {round}"));
    }
    assert!(interrupted.load(Ordering::Relaxed) > 20);
}
