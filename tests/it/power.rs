//! A power cut under the collector: whatever an agent holds a receipt for is in the log afterwards. LG-2, SP-1.

use std::time::Duration;

use anyhow::Result;
use ntk_tests::crafted::{Answer, Crafted, core, entry, message};
use ntk_tests::disk::Disk;
use ntk_tests::practice::{Practice, ROSTER};
use ntk_tests::skip;

const BATCHES: u64 = 60;
const ENTRIES: u64 = 8;

#[test]
fn what_was_acknowledged_before_a_power_cut_is_in_the_log_after_it() -> Result<()> {
    let scratch = tempfile::Builder::new().prefix("ntk-").tempdir()?;
    if !rustix::process::geteuid().is_root() {
        skip::skip("power cut", "needs root for a loop device");
        return Ok(());
    }
    let mut disk = match Disk::new(scratch.path(), 256) {
        Ok(disk) => disk,
        Err(error) => {
            skip::skip("power cut", &format!("no loop device: {error:#}"));
            return Ok(());
        }
    };
    let mut practice = Practice::make(disk.path(), None)?;
    practice.start_collector()?;
    practice.import_roster(ROSTER)?;
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build()?;
    let mut acknowledged = Vec::new();
    for round in 0..3u64 {
        let name = format!("ws-{round}");
        let token = practice.token(&name)?;
        let (address, dir) = (practice.address(), practice.dir());
        let size = runtime.block_on(async {
            let mut agent = Crafted::enroll(&address, &dir, &token).await?;
            let mut stream = agent.stream().await?;
            let mut size = 0;
            for batch in 0..BATCHES {
                let entries =
                    (0..ENTRIES).map(|n| entry(&core(batch * ENTRIES + n))).collect::<Result<_>>()?;
                stream.send(message(&agent.seal(entries)?)).await?;
                if batch % 2 == 1 {
                    match tokio::time::timeout(Duration::from_secs(20), stream.answer()).await?? {
                        Answer::Receipt(receipt) => size = receipt.size,
                        other => anyhow::bail!("{other:?}"),
                    }
                }
            }
            // Half of the answers are still under way: the power goes now.
            disk.cut()?;
            anyhow::Ok(size)
        })?;
        assert!(size > 0);
        acknowledged.push((name, size));
        practice.kill_collector()?;
        disk.switch_on()?;
        practice.start_collector()?;
        for (name, size) in &acknowledged {
            let held = practice.size_of(name)?;
            assert!(held >= *size, "{name}: {size} entries were acknowledged, {held} are there");
        }
        practice.collector(&["self-check"])?;
        practice.collector(&["rebuild"])?;
    }
    practice.stop_collector()?;
    Ok(())
}
