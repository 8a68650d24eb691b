//! The door with a screen: a display manager on an X server that draws into memory; name and password are typed there.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;
use std::process::{Command, Stdio};

use anyhow::{Result, ensure};
use ntk_tests::login_rig::{SEEN_WITHIN, SSH_AND_SUDO, can_run_without_login};
use ntk_tests::practice::Practice;
use ntk_tests::program::Running;
use ntk_tests::{audit_state, wait};

use super::{PASSWORD, USER, on_audit, sees, visitor};

const DISPLAY: &str = ":77";
const PROGRAMS: &[&str] = &["/usr/bin/xdm", "/usr/bin/Xvfb", "/usr/bin/xdotool"];

/// xdm with one screen; whoever signs in there reads a letter, and leaves.
fn screen(folder: &Path, letter: &str) -> Result<Running> {
    let at = |name: &str| folder.join(name);
    fs::create_dir_all(folder)?;
    fs::set_permissions(folder, fs::Permissions::from_mode(0o777))?;
    fs::write(
        at("servers"),
        format!("{DISPLAY} local /usr/bin/Xvfb {DISPLAY} -screen 0 800x600x24 -nolisten tcp\n"),
    )?;
    fs::write(at("session"), format!("#!/bin/sh\n/usr/bin/head -n1 {letter} >{}\n", at("read").display()))?;
    fs::set_permissions(at("session"), fs::Permissions::from_mode(0o755))?;
    fs::write(at("resources"), "")?;
    let mut config = "DisplayManager.requestPort: 0\nDisplayManager*authorize: false\n".to_owned();
    for (key, name) in [
        (".errorLogFile", "errors"),
        (".pidFile", "pid"),
        (".keyFile", "keys"),
        (".authDir", "."),
        (".servers", "servers"),
        ("*session", "session"),
        ("*resources", "resources"),
    ] {
        config.push_str(&format!("DisplayManager{key}: {}\n", at(name).display()));
    }
    for script in ["setup", "startup", "reset"] {
        config.push_str(&format!("DisplayManager*{script}:\n"));
    }
    fs::write(at("config"), config)?;
    let mut command = Command::new("/usr/bin/xdm");
    command.args(["-nodaemon", "-config"]).arg(at("config"));
    Running::spawn("xdm", command, &at("xdm.log"))
}

fn xdotool(arguments: &[&str]) -> Result<bool> {
    let mut command = Command::new("/usr/bin/xdotool");
    command.env("DISPLAY", DISPLAY).args(arguments).stdout(Stdio::null()).stderr(Stdio::null());
    Ok(command.status()?.success())
}

/// Types a name and a password where the screen asks for them.
fn sign_in(word: &str) -> Result<()> {
    wait::until_so("the screen to ask", SEEN_WITHIN, || {
        xdotool(&["search", "--onlyvisible", "--class", "xlogin"])
    })?;
    for text in [USER, word] {
        ensure!(xdotool(&["type", "--delay", "20", text])? && xdotool(&["key", "Return"])?, "typing");
    }
    Ok(())
}

#[test]
fn live_a_desktop_session_is_told_with_its_screen_and_its_end() -> Result<()> {
    let test = "live_a_desktop_session_is_told_with_its_screen_and_its_end";
    if !can_run_without_login(test, &[SSH_AND_SUDO, PROGRAMS].concat())? {
        return Ok(());
    }
    let before = audit_state::read()?;
    let practice = Practice::start()?;
    let folder = practice.folder().join("mail");
    fs::create_dir_all(&folder)?;
    let letter = folder.join("letter").to_string_lossy().into_owned();
    fs::write(&letter, "text\n")?;
    fs::set_permissions(practice.folder(), fs::Permissions::from_mode(0o755))?;
    let _visitor = visitor()?;
    let mut machine = on_audit(&practice, &folder)?;
    let xdm = screen(&practice.folder().join("screen"), &letter)?;

    let person = ("/actor/login_user", USER);
    let by_xdm = ("/process/exe", "/usr/bin/xdm");
    // The twin: a wrong word is a refused login and no session.
    sign_in("not-the-password")?;
    let refused = [("/kind", "login"), ("/outcome", "denied"), ("/actor/claims", USER), by_xdm];
    let denied = sees(&practice, "the wrong word at the screen", SEEN_WITHIN, &refused)?;
    ensure!(denied["event"]["actor"]["from"] == DISPLAY, "{denied}");
    sign_in(PASSWORD)?;
    let came = [("/kind", "login"), ("/outcome", "success"), person, by_xdm];
    let login = sees(&practice, "the session at the screen", SEEN_WITHIN, &came)?;
    ensure!(login["event"]["actor"]["from"] == DISPLAY, "{login}");
    let session = login["event"]["actor"]["session"].clone();
    let read = [("/kind", "file_access"), person, ("/process/exe", "/usr/bin/head")];
    let read = sees(&practice, "what was read there", SEEN_WITHIN, &read)?;
    ensure!(
        read["event"]["actor"]["session"] == session && read["event"]["actor"]["from"] == DISPLAY,
        "{read}"
    );
    let went = [("/kind", "logout"), person, by_xdm];
    let end = sees(&practice, "the session's end", SEEN_WITHIN, &went)?;
    ensure!(end["event"]["actor"]["session"] == session, "{end}");

    xdm.stop()?;
    ensure!(machine.stop()?.success(), "{}", machine.log());
    assert_eq!(audit_state::read()?, before, "the kernel's audit is as before");
    Ok(())
}
