//! Threads that log for the practice whose thread began them: where one process keeps many, each line names its own.

use std::cell::RefCell;
use std::io;
use std::thread::{Builder, JoinHandle};

use tracing::Span;
use tracing::span::EnteredSpan;

thread_local! {
    /// What a thread of a runtime logs within, from its start to its end.
    static WITHIN: RefCell<Option<EnteredSpan>> = const { RefCell::new(None) };
}

/// Begins a thread that logs as the one does that begins it.
///
/// # Errors
/// When the system has no thread left.
pub fn spawn<T: Send + 'static>(
    name: &str,
    work: impl FnOnce() -> T + Send + 'static,
) -> io::Result<JoinHandle<T>> {
    let within = Span::current();
    Builder::new().name(name.to_owned()).spawn(move || {
        let _within = within.entered();
        work()
    })
}

/// From now on this thread logs within `span`.
pub fn enter(span: &Span) {
    WITHIN.with_borrow_mut(|within| *within = Some(span.clone().entered()));
}

/// The end of [`enter`]. A thread that ends without it would leave the span to whichever thread gets its place.
pub fn leave() {
    WITHIN.with_borrow_mut(|within| *within = None);
}
