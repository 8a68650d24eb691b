//! Places to copy to, of this test's own.

use std::time::Duration;

/// How long a copy may take to be seen.
pub(super) const SEEN_WITHIN: Duration = Duration::from_secs(60);
