//! The clock as a value, so that a test can be next Tuesday.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use ntk_evidence::time::Moment;

/// Tells what time it is.
#[derive(Clone)]
pub struct Clock(Arc<dyn Fn() -> Moment + Send + Sync>);

impl Clock {
    /// The machine's own clock.
    pub fn system() -> Self {
        Self(Arc::new(|| {
            #[expect(clippy::disallowed_methods, reason = "the one real clock of the collector")]
            let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH).unwrap_or_default();
            Moment::from_unix_nanos(i64::try_from(now.as_nanos()).unwrap_or(i64::MAX))
        }))
    }

    /// A clock that stands still.
    pub fn fixed(moment: Moment) -> Self {
        Self(Arc::new(move || moment))
    }

    /// A clock that shows what was put there last, in nanoseconds since 1970.
    pub fn set_by(nanos: Arc<AtomicI64>) -> Self {
        Self(Arc::new(move || Moment::from_unix_nanos(nanos.load(Ordering::Acquire))))
    }

    /// Now.
    pub fn now(&self) -> Moment {
        (self.0)()
    }
}

impl std::fmt::Debug for Clock {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Clock")
    }
}
