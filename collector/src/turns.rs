//! Turns: how a task that looks now and then at whether something is due waits for the next look.

use std::time::Duration;

use tokio::time::{Interval, MissedTickBehavior};
use tokio_util::sync::CancellationToken;

/// Turns that come once a period, the first at once. One that was late, or took longer than a period, is not made up for.
#[derive(Debug)]
pub struct Turns {
    ticks: Interval,
    stop: CancellationToken,
}

/// A turn every `period`, longer than zero, until `stop` is cancelled.
pub fn every(period: Duration, stop: &CancellationToken) -> Turns {
    let mut ticks = tokio::time::interval(period);
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    Turns { ticks, stop: stop.clone() }
}

impl Turns {
    /// Waits for the next turn; false where it was stopped.
    pub async fn next(&mut self) -> bool {
        tokio::select! {
            biased;
            () = self.stop.cancelled() => false,
            _ = self.ticks.tick() => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn the_first_turn_comes_at_once_the_next_after_a_period_and_none_after_a_stop() {
        let (stop, began) = (CancellationToken::new(), tokio::time::Instant::now());
        let mut turns = every(Duration::from_millis(20), &stop);
        assert!(turns.next().await && turns.next().await);
        assert!(began.elapsed() >= Duration::from_millis(20));
        let mut turns = every(Duration::from_secs(3600), &stop);
        assert!(turns.next().await, "at once");
        let stopping = stop.clone();
        tokio::spawn(async move { stopping.cancel() });
        assert!(!turns.next().await, "an hour is not waited for");
        assert!(!turns.next().await);
        assert!(!every(Duration::from_secs(3600), &stop).next().await, "not even the first");
    }
}
