//! `deploy/container` without an engine: its instructions are played in a root of their own, as its account, with nothing
//! writable but the volume; its Compose file is read by another's parser.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::program::{self, text};
use ntk_tests::{skip, strangers};

use crate::tidy::top;

/// Plays an image: ROOT VOLUME USER HEALTH ENTRYPOINT CMD, each command in words. Engines make /proc and /tmp, and so does this.
const PLAY: &str = r#"
set -eu
root=$1 volume=$2 user=$3 health=$4 entry=$5 command=$6
ip link set lo up
mount --bind "$root" "$root"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount -t tmpfs -o mode=1777 none "$root/tmp"
mount --bind "$volume" "$root/var/lib/ntk-collector"
within="env -i PATH=/usr/sbin:/usr/bin:/sbin:/bin NTK_COLLECTOR_DIR=/var/lib/ntk-collector chroot --userspec=$user $root"
$within $entry init --name Maple --timezone UTC --listen 127.0.0.1:7443 --console none --decline-second trial --keys-to /tmp/keys.txt >/dev/null
if $within $health >/dev/null 2>&1; then echo "healthy although nothing runs"; exit 1; fi
if $within $entry --dir /etc/other init --name Other --timezone UTC --keys-to /tmp/other.txt >/dev/null 2>&1; then echo "the root can be written to"; exit 1; fi
$within $entry $command &
collector=$!
left=300
until $within $health >/dev/null 2>&1; do
  left=$((left - 1))
  if [ $left -eq 0 ] || ! kill -0 $collector; then echo "never healthy"; $within $health || true; exit 1; fi
  sleep 0.2
done
echo healthy
kill -TERM $collector
wait $collector
echo "ended in order"
if $within $health >/dev/null 2>&1; then echo "healthy although it ended"; exit 1; fi
echo played
"#;

fn containerfile() -> Result<Vec<(String, String)>> {
    let file = fs::read_to_string(top().join("deploy/container/Containerfile"))?;
    let lines = file.lines().filter(|line| !line.is_empty() && !line.starts_with('#'));
    let split = |line: &str| line.split_once(' ').map(|(name, rest)| (name.to_owned(), rest.to_owned()));
    lines.map(|line| split(line).with_context(|| format!("`{line}` is no instruction"))).collect()
}

fn instruction(all: &[(String, String)], name: &str) -> Result<String> {
    let mut found = all.iter().filter(|(known, _)| known == name);
    let (_, rest) = found.next().with_context(|| format!("no {name}"))?;
    ensure!(found.next().is_none(), "{name} twice");
    Ok(rest.clone())
}

/// The words of the form `["one", "two"]`, which no shell reads.
fn words(form: &str) -> Result<Vec<String>> {
    let begins = form.find('[').context("the form without a shell")?;
    Ok(serde_json::from_str(&form[begins..])?)
}

fn play(image: &Path, volume: &Path, instructions: &[(String, String)]) -> Result<Output> {
    let spoken = |name| -> Result<String> { Ok(words(&instruction(instructions, name)?)?.join(" ")) };
    let mut unshare = Command::new("unshare");
    unshare.args([
        "--mount",
        "--net",
        "--pid",
        "--ipc",
        "--uts",
        "--fork",
        "--kill-child",
        "sh",
        "-c",
        PLAY,
        "play",
    ]);
    unshare.arg(image).arg(volume).arg(instruction(instructions, "USER")?);
    unshare.args([spoken("HEALTHCHECK")?, spoken("ENTRYPOINT")?, spoken("CMD")?]);
    Ok(unshare.stdin(Stdio::null()).output()?)
}

#[test]
fn the_image_serves_as_an_account_without_rights_in_a_root_that_nobody_writes_to() -> Result<()> {
    let name = "the_image_serves_as_an_account_without_rights_in_a_root_that_nobody_writes_to";
    if !rustix::process::geteuid().is_root() {
        skip::skip(name, "a root of its own needs root");
        return Ok(());
    }
    let instructions = containerfile()?;
    ensure!(
        instruction(&instructions, "FROM")? == "scratch" && instruction(&instructions, "COPY")? == "image/ /"
    );
    ensure!(instruction(&instructions, "VOLUME")? == "/var/lib/ntk-collector");
    ensure!(instruction(&instructions, "ENV")? == "NTK_COLLECTOR_DIR=/var/lib/ntk-collector");
    let (image, volume) = (tempfile::tempdir()?, tempfile::tempdir()?);
    let root = image.path().join("image");
    let binaries = program::binary("ntk-collector")?;
    let mut files = Command::new(top().join("deploy/container/files"));
    files.arg("--strip").arg("--from").arg(binaries.parent().context("a folder")?).arg("--out").arg(&root);
    let made = files.output()?;
    ensure!(made.status.success(), "{}", text(&made.stderr));
    ensure!(
        !root.join("bin/sh").exists() && fs::read_dir(root.join("usr/bin"))?.count() == 1,
        "one program alone"
    );
    fs::set_permissions(image.path(), PermissionsExt::from_mode(0o755))?;
    fs::set_permissions(volume.path(), PermissionsExt::from_mode(0o700))?;
    // As engines do it: a new volume takes owner and mode of the image's folder.
    rustix::fs::chown(
        volume.path(),
        Some(rustix::process::Uid::from_raw(65_532)),
        Some(rustix::process::Gid::from_raw(65_532)),
    )?;
    fs::create_dir_all(root.join("proc"))?;
    let played = play(&root, volume.path(), &instructions)?;
    let said = text(&played.stdout) + &text(&played.stderr);
    ensure!(
        played.status.success() && text(&played.stdout).ends_with("healthy\nended in order\nplayed\n"),
        "{said}"
    );
    // Without its libraries the same instructions do not even begin.
    fs::remove_dir_all(root.join("lib64"))?;
    ensure!(!play(&root, volume.path(), &instructions)?.status.success());
    Ok(())
}

#[test]
fn the_compose_file_asks_for_what_the_image_needs_and_another_parser_takes_it() -> Result<()> {
    let text_of = fs::read_to_string(top().join("deploy/container/compose.yaml"))?;
    let instructions = containerfile()?;
    for asked in [
        "read_only: true",
        "cap_drop:\n      - ALL",
        "no-new-privileges:true",
        "- ledger:/var/lib/ntk-collector",
    ] {
        ensure!(text_of.contains(asked), "`{asked}` is not asked for");
    }
    ensure!(text_of.contains(&format!("user: \"{}\"", instruction(&instructions, "USER")?)));
    let health: Vec<String> = serde_json::from_str(
        text_of.lines().find_map(|line| line.trim().strip_prefix("test: ")).context("a healthcheck")?,
    )?;
    ensure!(health.get(1..) == Some(&words(&instruction(&instructions, "HEALTHCHECK")?)?), "{health:?}");
    for port in instruction(&instructions, "EXPOSE")?.split(' ') {
        ensure!(text_of.contains(&format!("{port}:{port}\"")), "port {port}");
    }
    let name = "the_compose_file_asks_for_what_the_image_needs_and_another_parser_takes_it";
    let reads = "import sys, compose_spec; compose_spec.PyCompose.from_yaml(sys.argv[1])";
    let Some(python) = std::env::var_os("NTK_PYTHON") else {
        skip::skip(name, "no Python of the tests");
        return Ok(());
    };
    let asked = |script: &str, file: &str| Command::new(&python).args(["-c", script, file]).output();
    if !asked("import compose_spec", "")?.status.success() {
        skip::skip(name, "compose-spec is not installed");
        return Ok(());
    }
    let taken = asked(reads, &text_of)?;
    ensure!(taken.status.success(), "{}", text(&taken.stderr));
    for (right, wrong) in [("read_only: true", "reed_only: true"), ("- \"7443:7443\"", "- \"7443:many\"")] {
        let refused = asked(reads, &text_of.replacen(right, wrong, 1))?;
        ensure!(!refused.status.success(), "`{wrong}` was taken");
    }
    strangers::judged(strangers::Checks::Shape, "compose-spec");
    Ok(())
}
