//! What this disk can do at most: append and fdatasync, with nothing in between.

use std::fs::File;
use std::io::Write as _;
use std::path::Path;
use std::time::Instant;

use anyhow::Result;

/// Groups a second that this disk takes when each is appended and synced.
pub(crate) fn groups_per_second(folder: &Path, group_bytes: usize, groups: u32) -> Result<f64> {
    let mut file = File::create(folder.join("raw"))?;
    let group = vec![0x5a; group_bytes];
    let began = Instant::now();
    for _ in 0..groups {
        file.write_all(&group)?;
        file.sync_data()?;
    }
    Ok(f64::from(groups) / began.elapsed().as_secs_f64())
}
