//! When a log is due for another line of progress.

use indicatif::FormattedDuration;
use std::{
    fmt,
    time::{Duration, Instant},
};

/// Time between two lines of progress where there is no terminal to draw on.
const PERIOD: Duration = Duration::from_secs(30);

/// The pace of a log about one piece of work.
pub struct LogPace {
    begin: Instant,
    /// The share of the work that was done at the beginning.
    from: f64,
    last: Instant,
}

/// How long the work has taken, and will at this rate.
#[derive(Debug, PartialEq)]
pub struct Times {
    elapsed: Duration,
    left: Option<Duration>,
}

impl LogPace {
    /// Of work that begins at `now`, with a share of it done before.
    pub fn new(now: Instant, from: f64) -> Self {
        LogPace { begin: now, from, last: now }
    }

    /// The times to tell, if a line is due at `now`; the next is a period later.
    pub fn due(&mut self, now: Instant, share: f64) -> Option<Times> {
        if now.duration_since(self.last) < PERIOD {
            return None;
        }
        self.last = now;
        let elapsed = now.duration_since(self.begin);
        let rest = (1.0 - share).max(0.0) / (share - self.from);
        // No rate to go by, or centuries: better nothing than nonsense.
        let left = Duration::try_from_secs_f64(elapsed.as_secs_f64() * rest).ok();
        Some(Times { elapsed, left })
    }
}

impl fmt::Display for Times {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} elapsed", FormattedDuration(self.elapsed))?;
        self.left.map_or(Ok(()), |left| write!(f, ", {} left", FormattedDuration(left)))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_is_due_once_a_period_however_often_one_asks() {
        let start = Instant::now();
        let mut pace = LogPace::new(start, 0.0);
        let asked = (0..=100).filter(|s| pace.due(start + Duration::from_secs(*s), 0.5).is_some());
        assert_eq!(asked.collect::<Vec<_>>(), [30, 60, 90]);
    }

    #[test]
    fn the_time_left_is_reckoned_by_what_was_done_since_the_beginning() {
        let start = Instant::now();
        // A fifth was there before; two fifths in 60 seconds leave two for another 60.
        let mut pace = LogPace::new(start, 0.2);
        let times = pace.due(start + Duration::from_secs(60), 0.6).unwrap();
        assert!(times.left.unwrap().abs_diff(Duration::from_secs(60)) < Duration::from_millis(1));
        assert_eq!(
            Times { left: Some(Duration::from_secs(61)), ..times }.to_string(),
            "00:01:00 elapsed, 00:01:01 left"
        );
    }

    #[test]
    fn where_nothing_has_moved_there_is_no_time_left_to_tell() {
        let start = Instant::now();
        let times = LogPace::new(start, 0.5).due(start + PERIOD, 0.5).unwrap();
        assert_eq!(times.to_string(), "00:00:30 elapsed");
    }
}
