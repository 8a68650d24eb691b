//! The box of `deploy/box`: its image is built and started as a consultant would, without a screen: `tests/vm/box.sh`.

use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use ntk_tests::practice::free_port;
use ntk_tests::{program, skip};

use crate::tidy::top;

const TEST: &str = "a_box_is_set_up_by_a_browser_survives_a_power_cut_and_its_disk_alone_tells_nothing";
/// What `deploy/box/build` ends with where it cannot be done here; the last line says why.
const CANNOT: i32 = 3;

#[test]
fn a_box_is_set_up_by_a_browser_survives_a_power_cut_and_its_disk_alone_tells_nothing() -> Result<()> {
    if !rustix::process::geteuid().is_root() {
        skip::skip(TEST, "debootstrap needs root");
        return Ok(());
    }
    let scratch = tempfile::tempdir()?;
    let out = scratch.path().join("out");
    let binaries = program::binary("ntk-collector")?;
    let built = Command::new(top().join("deploy/box/build"))
        .arg("--cloud")
        .arg(&out)
        .env("NTK_BINARIES", binaries.parent().unwrap_or(&binaries))
        .env("NTK_BOX_SCREEN", "ttyS0")
        .stdin(Stdio::null())
        .output()?;
    let said = program::text(&built.stdout) + &program::text(&built.stderr);
    if built.status.code() == Some(CANNOT) {
        skip::skip(TEST, said.lines().last().unwrap_or("the box cannot be built here"));
        return Ok(());
    }
    ensure!(built.status.success(), "{said}");
    let mut played = Command::new("bash");
    played.arg(top().join("tests/vm/box.sh")).arg(&out).arg(free_port()?.to_string());
    let played = played.stdin(Stdio::null()).output()?;
    let said = program::text(&played.stdout);
    print!("{said}");
    ensure!(played.status.success() && said.ends_with("done\n"), "{said}{}", program::text(&played.stderr));
    Ok(())
}
