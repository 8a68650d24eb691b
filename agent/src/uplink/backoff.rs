//! How long to wait before the next attempt: full jitter, so that a fleet does not return in step.

use std::time::Duration;

const MIN: Duration = Duration::from_millis(500);
const MAX: Duration = Duration::from_secs(60);

/// A wait before attempt number `n_failed`, chosen by 64 random bits from half a second up to a bound that is a
/// second at first and doubles until it is a minute: the first attempts of a fleet are spread, too.
pub fn wait(n_failed: u32, random: u64) -> Duration {
    let bound = MIN.saturating_mul(2u32.saturating_pow(n_failed.min(16).saturating_add(1))).min(MAX);
    let span = u64::try_from(bound.saturating_sub(MIN).as_millis()).unwrap_or(u64::MAX).saturating_add(1);
    MIN.saturating_add(Duration::from_millis(random % span))
}

/// 64 random bits; the worst that a failing system does here is to wait the shortest time.
pub fn random() -> u64 {
    let mut bytes = [0; 8];
    let _ = getrandom::fill(&mut bytes);
    u64::from_le_bytes(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn waits_lie_between_half_a_second_and_a_bound_that_grows_to_a_minute() {
        for n_failed in 0..40 {
            for random in [0, 1, 77_777, u64::MAX] {
                let wait = wait(n_failed, random);
                assert!(wait >= MIN && wait <= MAX, "{n_failed} {wait:?}");
            }
        }
        assert_eq!((wait(0, 0), wait(0, 500)), (MIN, Duration::from_secs(1)));
        assert_eq!(wait(3, 3_500), Duration::from_secs(4));
        assert_eq!(wait(30, 59_500), MAX);
    }
}
