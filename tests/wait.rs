//! Waiting for a fact: a predicate, a deadline, and what to say when it did not come true.

use std::time::{Duration, Instant};

use anyhow::{Result, bail};

/// How often a predicate is asked.
const ASK_EVERY: Duration = Duration::from_millis(40);

/// Waits until the question has an answer; an error is asked again until the deadline, then told.
pub fn until<T>(what: &str, at_most: Duration, mut question: impl FnMut() -> Result<Option<T>>) -> Result<T> {
    let began = Instant::now();
    loop {
        let answer = question();
        if let Ok(Some(fact)) = answer {
            return Ok(fact);
        }
        if began.elapsed() > at_most {
            match answer {
                Err(error) => return Err(error.context(format!("waited {at_most:?} for {what}"))),
                _ => bail!("waited {at_most:?} in vain for {what}"),
            }
        }
        pause();
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
fn pause() {
    std::thread::sleep(ASK_EVERY);
}
