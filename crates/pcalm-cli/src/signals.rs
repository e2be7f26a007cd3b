//! Ctrl-C, and the signals of a system that wants the process to end, as a wish that work hears.
//!
//! Training hears it within a moment and leaves a checkpoint. Whatever else is under way has nothing to lose: files
//! are whole or not there, and the same command makes the rest. So the process is ended if nothing careful is going
//! on, or if the wish is repeated.

use crate::{commands::Failure, output};
use pcalm_lab::interrupt::Interrupt;
use std::time::{Duration, Instant};

/// How long the program may go on without doing anything careful.
const GRACE: Duration = Duration::from_millis(800);
/// How often that is looked at.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// The wish, raised by SIGINT, SIGTERM or SIGHUP; those that the process was started to ignore (by `nohup`) stay
/// ignored.
#[cfg(unix)]
pub fn interrupt() -> Result<Interrupt, Failure> {
    use signal_hook::{
        consts::{SIGHUP, SIGINT, SIGTERM},
        iterator::Signals,
    };
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    let heard = [SIGINT, SIGTERM, SIGHUP].into_iter().filter(|signal| !is_ignored(*signal));
    let mut signals = Signals::new(heard)?;
    std::thread::spawn(move || {
        if signals.forever().next().is_some() {
            stop(&raised, || signals.pending().next().is_some());
        }
    });
    Ok(interrupt)
}

/// Whether this process was started with the signal ignored, where the system says so.
#[cfg(unix)]
fn is_ignored(signal: i32) -> bool {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let mask = status.lines().find_map(|line| u64::from_str_radix(line.strip_prefix("SigIgn:")?.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (signal - 1) & 1 == 1)
}

/// The wish, raised by Ctrl-C.
#[cfg(not(unix))]
pub fn interrupt() -> Result<Interrupt, Failure> {
    use std::sync::atomic::{AtomicBool, Ordering};
    let interrupt = Interrupt::default();
    let raised = interrupt.clone();
    static AGAIN: AtomicBool = AtomicBool::new(false);
    ctrlc::set_handler(move || {
        if raised.is_raised() {
            AGAIN.store(true, Ordering::SeqCst);
        } else {
            let raised = raised.clone();
            std::thread::spawn(move || stop(&raised, || AGAIN.load(Ordering::SeqCst)));
        }
    })?;
    Ok(interrupt)
}

/// Raises the wish, and sees that the process ends.
fn stop(interrupt: &Interrupt, again: impl FnMut() -> bool) {
    interrupt.raise();
    output::note_below("stopping (once more to stop at once)");
    let mut again = again;
    let mut careless_since = Instant::now();
    loop {
        std::thread::sleep(LOOK_EVERY);
        if interrupt.is_careful() {
            careless_since = Instant::now();
        }
        if again() || careless_since.elapsed() > GRACE {
            output::note("interrupted");
            std::process::exit(1);
        }
    }
}
