//! Collectors that share a database: a recovery key that was replaced at one of them is in force at all, and a machine that is
//! let in by any of them puts away for it.

use ntk_tests::postgres::Postgres;
use ntk_tests::skip;

use super::*;

fn replaced(practice: &Practice, keys: &Path, new: &Path) -> Result<TrustFile> {
    let order = ["keys", "replace-recovery", "--keys", &text(keys), "--new-keys", &text(new)];
    practice.collector(&[&order[..], &["--why", "a stick was lost"]].concat())?;
    trust_of(practice)
}

fn follows(practice: &Practice, newest: &TrustFile) -> Result<()> {
    wait::until_so("the other collector to follow", WITHIN, || Ok(trust_of(practice)? == *newest))
        .with_context(|| practice.collector_log())
}

#[test]
fn a_recovery_key_that_was_replaced_at_one_collector_is_in_force_at_all_that_share_its_ledger() -> Result<()>
{
    let Some(server) = Postgres::start()? else {
        skip::skip("replaced_recovery: shared", "no PostgreSQL server is installed");
        return Ok(());
    };
    let mut one = Practice::start()?;
    one.stop_collector()?;
    one.migrate(&server.database("ntk")?)?;
    one.start_collector()?;
    let mut two = one.second()?;
    two.start_collector()?;
    // Copied now, started when everything is over.
    let mut late = one.second()?;
    let (old, new) = (one.folder().join("keys-to-take-away.txt"), one.folder().join("stick-1.txt"));
    let before = fs::read(two.dir().join("trust.txt"))?;
    let after = replaced(&one, &old, &new)?;
    follows(&two, &after)?;

    // A machine that is let in by the second one puts away for the new key from its first segment on.
    let mut machine = two.enroll("ws-01")?;
    ensure!(TrustFile::parse(&fs::read(machine.dir().join("identity/trust.txt"))?)? == after, "it was told");
    plays(&two, &mut machine, 0, 0)?;
    wait::until_so("segments to be put away", WITHIN, || Ok(!kept(&machine)?.is_empty()))
        .with_context(|| machine.log())?;
    let (with_old, with_new) = (only(&old)?, only(&new)?);
    for path in kept(&machine)? {
        ensure!(!opens(&with_old, &path)? && opens(&with_new, &path)?, "{}", path.display());
    }
    machine.stop()?;

    // Replaced once more, at the one that stands by: the one that leads follows.
    let newest = replaced(&two, &new, &one.folder().join("stick-2.txt"))?;
    ensure!(newest.retired.len() == 2, "{newest:?}");
    follows(&one, &newest)?;

    // Whoever puts an older trust file into a collector's folder, or starts one that was copied long ago, has the newest one.
    two.stop_collector()?;
    fs::write(two.dir().join("trust.txt"), &before)?;
    two.start_collector()?;
    late.start_collector()?;
    for practice in [&one, &two, &late] {
        ensure!(trust_of(practice)? == newest, "{}", practice.collector_log());
        practice.collector(&["self-check"])?;
    }
    Ok(())
}
