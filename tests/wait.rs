//! Waiting for a fact: a predicate, a deadline, and what to say when it did not come true.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// The shortest and the longest pause between two questions. In between it is three times as long as the question took: many
/// start a program, and whoever asks without a break takes the time from those that he waits for.
const PAUSE: (Duration, Duration) = (Duration::from_millis(40), Duration::from_millis(400));

/// Waits until the question has an answer; an error is asked again until the deadline, then told.
pub fn until<T>(what: &str, at_most: Duration, mut question: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        let asked = Instant::now();
        let answer = question();
        let took = asked.elapsed();
        if let Ok(Some(fact)) = answer {
            return Ok(fact);
        }
        if began.elapsed() > at_most {
            match answer {
                Err(error) => return Err(error.context(format!("waited {at_most:?} for {what}"))),
                _ => bail!("waited {at_most:?} in vain for {what}"),
            }
        }
        pause((3 * took).clamp(PAUSE.0, PAUSE.1));
    }
}

/// Waits until something is so.
pub fn until_so(what: &str, at_most: Duration, mut question: impl FnMut() -> Result<bool>) -> Result<()> {
    until(what, at_most, || Ok(question()?.then_some(())))
}

/// [`until_so`] for what lasts a moment only: asks without a pause.
pub fn at_once(what: &str, at_most: Duration, mut question: impl FnMut() -> Result<bool>) -> Result<()> {
    let began = Instant::now();
    while !question()? {
        if began.elapsed() > at_most {
            bail!("waited {at_most:?} in vain for {what}");
        }
        std::thread::yield_now();
    }
    Ok(())
}

#[expect(clippy::disallowed_methods, reason = "the one place that waits, and it has a deadline")]
fn pause(time: Duration) {
    std::thread::sleep(time);
}
