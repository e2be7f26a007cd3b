//! A wish to stop, raised by a signal or an error and heard wherever work takes long.

use std::sync::{
    Arc,
    atomic::{AtomicBool, AtomicUsize, Ordering},
};

/// The wish, shared by all who may raise or hear it.
#[derive(Clone, Debug, Default)]
pub struct Interrupt {
    raised: Arc<AtomicBool>,
    /// Pieces of work under way that will stop by themselves and leave something worth keeping.
    careful: Arc<AtomicUsize>,
}

/// Held by work that hears the wish within a moment and has something to save: while one is held, nobody ends the
/// process from outside.
#[derive(Debug)]
pub struct Careful {
    count: Arc<AtomicUsize>,
}

impl Interrupt {
    /// Asks everyone to stop.
    pub fn raise(&self) {
        self.raised.store(true, Ordering::SeqCst);
    }

    /// Whether everyone was asked to stop.
    pub fn is_raised(&self) -> bool {
        self.raised.load(Ordering::Relaxed)
    }

    /// The bare flag, for the core's inference loops.
    pub fn flag(&self) -> Arc<AtomicBool> {
        self.raised.clone()
    }

    /// Says that careful work begins; it ends when the value is dropped.
    pub fn careful(&self) -> Careful {
        self.careful.fetch_add(1, Ordering::SeqCst);
        Careful { count: self.careful.clone() }
    }

    /// Whether ending the process now could lose something.
    pub fn is_careful(&self) -> bool {
        self.careful.load(Ordering::SeqCst) > 0
    }
}

impl Drop for Careful {
    fn drop(&mut self) {
        self.count.fetch_sub(1, Ordering::SeqCst);
    }
}
