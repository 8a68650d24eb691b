//! A fleet of agents of three versions, its storms, and the liars among it: 0 lost, 0 doubled, every receipt verified.

use std::time::{Duration, Instant};

use anyhow::{Result, ensure};
use expect_test::expect;
use ntk_tests::fleet::{Arrival, Fleet, liars, room_for};
use ntk_tests::practice::Practice;

use crate::refusals::runtime;

/// Honest agents.
const AGENTS: usize = 200;
/// Connections that never say a word, while they come.
const HALF_OPEN: usize = 300;
/// The longest that an honest agent may wait for its receipts while others lie: a bound against being held up, not a promise.
const HONEST_WITHIN: Duration = Duration::from_secs(20);

#[test]
fn a_fleet_of_three_versions_loses_and_doubles_nothing_in_storms_and_among_liars() -> Result<()> {
    ensure!(room_for(AGENTS + HALF_OPEN)?, "more files may be open");
    let practice = Practice::start()?;
    runtime()?.block_on(async {
        let began = Instant::now();
        let mut fleet = Fleet::enrolled(&practice, AGENTS, AGENTS).await?;
        println!("{AGENTS} enrolled in {:?}", began.elapsed());

        // What was sealed while there was no connection comes with the storm.
        fleet.seal(2, 3).await?;
        let took = fleet.storm(Arrival::AtOnce).await?;
        println!("all at once, with six entries each: {:?} at most", took.iter().max());
        fleet.speak(3, 5).await?;
        let took = fleet.storm(Arrival::Within(Duration::from_secs(2))).await?;
        println!("spread over two seconds: {:?} at most", took.iter().max());
        ensure!(fleet.agrees(&practice.status()?)? == 200 * (2 * 3 + 3 * 5), "each entry once");

        // The crowd holds on while the honest come again, and the liars lie while they speak.
        let crowd = tokio::spawn({
            let address = fleet.address().to_owned();
            async move { liars::half_open_crowd(&address, HALF_OPEN).await }
        });
        fleet.seal(1, 4).await?;
        let took = fleet.storm(Arrival::AtOnce).await?;
        let slowest = took.into_iter().max().unwrap_or_default();
        println!("all at once among {HALF_OPEN} half-open connections: {slowest:?} at most");
        ensure!(slowest < HONEST_WITHIN, "an honest agent waited {slowest:?}");
        let lying = liars::Liars::enrolled(&fleet).await?;
        let lying = tokio::spawn(lying.lie());
        let spoken = fleet.speak(4, 5).await?;
        let answered = lying.await??;
        let slowest = spoken.into_iter().max().unwrap_or_default();
        ensure!(slowest < HONEST_WITHIN, "an honest agent waited {slowest:?} beside liars");
        let told = answered.iter().map(|one| format!("{}: {}\n", one.liar, one.told)).collect::<String>();
        expect![[r#"
            bad-signature: bad_signature
            cut-end: wrong_root
            cut-middle: gap
            fork: fork
            half-open: closed
            message-too-large: ResourceExhausted
            no-event: not_an_entry
            no-hello: DeadlineExceeded
            other-epoch: epoch
            replay: the old receipts: [2, 3, 2]
            slow-handshake: closed
            slow-hello: DeadlineExceeded
            stranger: no connection
            too-large: too_large
            too-many: too_large
            wrong-root: wrong_root
        "#]]
        .assert_eq(&told);
        for one in &answered {
            println!("{} after {:?}", one.liar, one.after);
        }
        ensure!(crowd.await?? == HALF_OPEN, "each half-open connection is closed");
        ensure!(fleet.agrees(&practice.status()?)? == 200 * (6 + 15 + 4 + 20), "each entry once");
        anyhow::Ok(())
    })?;
    practice.collector(&["self-check"])?;
    Ok(())
}
