//! Installing into a folder that stands for a machine, each step of it failing in two ways, and back again.

use std::collections::BTreeMap;

use super::*;

/// A machine below a folder; the nth change of it fails.
struct Machine {
    root: tempfile::TempDir,
    /// The change that fails, counted from 0, and whether it is done all the same.
    fault: Option<(usize, bool)>,
    n_changes: usize,
    ran: Vec<String>,
    /// It runs, under a service manager that only takes down what it is asked.
    is_live: bool,
    is_active: bool,
}

impl Machine {
    fn new() -> Self {
        let root = tempfile::tempdir().unwrap();
        let machine =
            Self { root, fault: None, n_changes: 0, ran: Vec::new(), is_live: false, is_active: false };
        for (path, text) in [
            ("opt/ntk-agent", "the program"),
            ("etc/default/grub", "GRUB_TIMEOUT=5\n"),
            ("var/lib/ntk-agent/agent.toml", "# ours\n[sensor]\nlogs = false\n"),
        ] {
            let path = machine.root.path().join(path);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(path, text).unwrap();
        }
        machine
    }

    /// One that runs and is enrolled.
    fn live() -> Self {
        let machine = Self { is_live: true, ..Self::new() };
        let (_scratch, files) = crate::identity::tests::finished();
        let from = files.enrolled().parent().unwrap().to_owned();
        let to = IdentityFiles::of(&machine.plan().at(config::DEFAULT_DIR))
            .enrolled()
            .parent()
            .unwrap()
            .to_owned();
        std::fs::rename(from, to).unwrap();
        machine
    }

    fn plan(&self) -> Plan {
        Plan {
            root: self.root.path().to_owned(),
            is_image: !self.is_live,
            dir: config::DEFAULT_DIR.into(),
            program: self.root.path().join("opt/ntk-agent"),
            sealed: true,
            boot_parameters: true,
            dry_run: false,
        }
    }

    fn change(&mut self, act: impl FnOnce() -> io::Result<()>) -> io::Result<()> {
        let nth = self.n_changes;
        self.n_changes += 1;
        match self.fault {
            Some((fails, false)) if fails == nth => Err(io::ErrorKind::StorageFull.into()),
            Some((fails, true)) if fails == nth => {
                act()?;
                Err(io::ErrorKind::StorageFull.into())
            }
            _ => act(),
        }
    }

    /// Every file and link below the folder.
    fn files(&self) -> BTreeMap<String, String> {
        fn below(folder: &Path, root: &Path, files: &mut BTreeMap<String, String>) {
            for entry in std::fs::read_dir(folder).unwrap() {
                let path = entry.unwrap().path();
                let name = path.strip_prefix(root).unwrap().display().to_string();
                if path.is_symlink() {
                    files.insert(name, format!("-> {}", std::fs::read_link(&path).unwrap().display()));
                } else if path.is_dir() {
                    below(&path, root, files);
                } else {
                    files.insert(name, std::fs::read_to_string(&path).unwrap());
                }
            }
        }
        let mut files = BTreeMap::new();
        below(self.root.path(), self.root.path(), &mut files);
        files
    }

    fn install(&mut self) -> Result<String, InstallError> {
        let (plan, mut said) = (self.plan(), String::new());
        install(&plan, self, &mut |line| said.push_str(&format!("{line}\n"))).map(|()| said)
    }

    fn uninstall(&mut self, kept: Kept) -> Result<String, InstallError> {
        let (plan, mut said) = (self.plan(), String::new());
        uninstall(&plan, kept, self, &mut |line| said.push_str(&format!("{line}\n"))).map(|()| said)
    }
}

impl Hands for Machine {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        RealHands.read(path)
    }

    fn replace(&mut self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()> {
        self.change(|| RealHands.replace(path, content, readable))
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        self.change(|| RealHands.remove(path))
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        self.change(|| RealHands.remove_folder(path))
    }

    fn link(&mut self, at: &Path, to: &Path) -> io::Result<()> {
        self.change(|| RealHands.link(at, to))
    }

    fn has(&self, _program: &str) -> bool {
        true
    }

    fn run(&mut self, words: &[&str]) -> io::Result<Ran> {
        let command = words.join(" ");
        if command.contains("is-active") {
            return Ok(Ran { is_done: self.is_active, said: String::new() });
        }
        let (ran, is_active) = (&mut Vec::new(), &mut self.is_active.clone());
        let did = self.change(|| {
            *is_active = command.contains("start") || *is_active && !command.contains("disable");
            ran.push(command);
            Ok(())
        });
        self.ran.append(ran);
        self.is_active = *is_active;
        Ok(Ran { is_done: did.is_ok(), said: "it said why\n".to_owned() })
    }
}

#[test]
fn an_image_gets_program_unit_and_boot_parameters_and_loses_them_again() {
    let mut machine = Machine::new();
    let before = machine.files();
    let said = machine.install().unwrap();
    assert!(said.contains("unit: /etc/systemd/system/ntk-agent.service written"), "{said}");
    let files = machine.files();
    let unit = &files["etc/systemd/system/ntk-agent.service"];
    assert!(unit.contains("ExecStart=/usr/local/sbin/ntk-agent run --dir /var/lib/ntk-agent\n"));
    let wanted = &files["etc/systemd/system/multi-user.target.wants/ntk-agent.service"];
    assert_eq!(wanted, "-> /etc/systemd/system/ntk-agent.service");
    assert_eq!(files["usr/local/sbin/ntk-agent"], "the program");
    assert!(files["etc/default/grub.d/ntk-agent.cfg"].contains("audit=1 audit_backlog_limit=8192"));
    assert_eq!(files["var/lib/ntk-agent/agent.toml"], "# ours\n[sensor]\nsealed = true\nlogs = false\n");
    // A second time nothing changes.
    let said = machine.install().unwrap();
    assert!(said.contains("unit: /etc/systemd/system/ntk-agent.service is as it should be"), "{said}");
    assert_eq!(machine.files(), files);
    let said = machine.uninstall(Kept::Data).unwrap();
    assert!(said.contains("stays, with identity, configuration and entries"), "{said}");
    let mut after = machine.files();
    let text =
        after.insert("var/lib/ntk-agent/agent.toml".into(), before["var/lib/ntk-agent/agent.toml"].clone());
    assert_eq!(text.unwrap(), "# ours\n[sensor]\nsealed = false\nlogs = false\n");
    assert_eq!(after, before);
    // Nothing to take away is no fault.
    machine.uninstall(Kept::Nothing).unwrap();
    assert!(!machine.root.path().join("var/lib/ntk-agent").exists());
    assert_eq!(machine.ran, Vec::<String>::new(), "an image has no service manager");
}

#[test]
fn each_step_may_fail_and_the_same_command_goes_on_from_there() {
    let mut whole = Machine::new();
    whole.install().unwrap();
    let (installed, n_install) = (whole.files(), whole.n_changes);
    whole.n_changes = 0;
    whole.uninstall(Kept::Data).unwrap();
    let (uninstalled, n_uninstall) = (whole.files(), whole.n_changes);
    assert!(n_install >= 9 && n_uninstall >= 6, "{n_install} {n_uninstall}");
    for is_done_all_the_same in [false, true] {
        for nth in 0..n_install {
            let mut machine = Machine::new();
            machine.fault = Some((nth, is_done_all_the_same));
            let failure = machine.install().unwrap_err().to_string();
            assert!(failure.contains("then run this again"), "{failure}");
            machine.fault = None;
            machine.install().unwrap();
            assert_eq!(machine.files(), installed, "install, change {nth}");
        }
        for nth in 0..n_uninstall {
            let mut machine = Machine::new();
            machine.install().unwrap();
            (machine.n_changes, machine.fault) = (0, Some((nth, is_done_all_the_same)));
            machine.uninstall(Kept::Data).unwrap_err();
            machine.fault = None;
            machine.uninstall(Kept::Data).unwrap();
            assert_eq!(machine.files(), uninstalled, "uninstall, change {nth}");
        }
    }
}

#[test]
fn a_machine_that_runs_has_its_service_started_once_for_what_changed() {
    let mut machine = Machine::live();
    let before = machine.files();
    machine.install().unwrap();
    let commands = [
        "update-grub",
        "systemctl daemon-reload",
        "systemctl enable ntk-agent.service",
        "systemctl restart ntk-agent.service",
    ];
    assert_eq!(machine.ran, commands);
    machine.ran.clear();
    machine.install().unwrap();
    assert_eq!(
        machine.ran.last().unwrap(),
        "systemctl start ntk-agent.service",
        "it runs what is there already"
    );
    machine.ran.clear();
    let said = machine.uninstall(Kept::Data).unwrap();
    assert!(said.contains("its last entries say so, and by whose session"), "{said}");
    let commands = ["systemctl disable --now ntk-agent.service", "systemctl daemon-reload", "update-grub"];
    assert_eq!(machine.ran, commands);
    let mut after = machine.files();
    after.insert("var/lib/ntk-agent/agent.toml".into(), before["var/lib/ntk-agent/agent.toml"].clone());
    assert_eq!(after, before, "no note stays behind either");
    let said = machine.uninstall(Kept::Data).unwrap();
    assert!(said.contains("service: none is installed"), "{said}");
    // One that is not enrolled is told how.
    std::fs::remove_dir_all(machine.plan().at("/var/lib/ntk-agent/identity")).unwrap();
    let failure = machine.install().unwrap_err().to_string();
    assert!(failure.contains("ntk-agent enroll"), "{failure}");
}

#[test]
fn each_command_to_the_service_manager_may_fail_too() {
    let mut whole = Machine::live();
    whole.install().unwrap();
    let (installed, n_install) = (whole.files(), whole.n_changes);
    whole.n_changes = 0;
    whole.uninstall(Kept::Data).unwrap();
    let (uninstalled, n_uninstall) = (whole.files(), whole.n_changes);
    for is_done_all_the_same in [false, true] {
        for nth in 0..n_install {
            let mut machine = Machine::live();
            machine.fault = Some((nth, is_done_all_the_same));
            let failure = machine.install().unwrap_err().to_string();
            assert!(failure.contains("run this again"), "{failure}");
            machine.fault = None;
            machine.install().unwrap();
            assert_eq!(machine.files(), installed, "install, change {nth}");
            assert!(machine.is_active && machine.ran.iter().any(|command| command.contains("restart")));
            assert!(machine.ran.iter().any(|command| command == "update-grub"), "change {nth}");
        }
        for nth in 0..n_uninstall {
            let mut machine = Machine::live();
            machine.install().unwrap();
            (machine.n_changes, machine.fault) = (0, Some((nth, is_done_all_the_same)));
            machine.uninstall(Kept::Data).unwrap_err();
            machine.fault = None;
            machine.ran.clear();
            machine.uninstall(Kept::Data).unwrap();
            assert_eq!((machine.files(), machine.is_active), (uninstalled.clone(), false), "change {nth}");
            // The record goes last: as long as it was there, the boot loader heard of it.
            let heard = machine.ran.iter().any(|command| command == "update-grub");
            assert!(heard || nth + 1 == n_uninstall && is_done_all_the_same, "change {nth}");
        }
    }
}

#[test]
fn files_of_other_people_are_neither_written_over_nor_removed() {
    for path in [UNIT, BOOT_FILE, PROGRAM] {
        let mut machine = Machine::new();
        let at = machine.plan().at(path);
        std::fs::create_dir_all(at.parent().unwrap()).unwrap();
        std::fs::write(&at, "theirs").unwrap();
        let before = machine.files();
        let failure = machine.install().unwrap_err().to_string();
        assert!(failure.contains("was not written by `ntk-agent install`"), "{failure}");
        assert_eq!(machine.files(), before, "nothing was changed");
        machine.uninstall(Kept::Data).unwrap();
        assert_eq!(machine.files(), before);
        std::fs::remove_file(&at).unwrap();
        machine.install().unwrap();
        std::fs::write(&at, "changed since").unwrap();
        assert!(machine.install().is_err());
        let said = machine.uninstall(Kept::Data).unwrap();
        assert!(said.contains("was not written by install, or was changed since; it stays"), "{said}");
        assert_eq!(std::fs::read_to_string(&at).unwrap(), "changed since");
    }
}

#[test]
fn a_newer_program_replaces_the_one_that_an_install_put_there() {
    let mut machine = Machine::new();
    machine.install().unwrap();
    std::fs::write(machine.root.path().join("opt/ntk-agent"), "the next program").unwrap();
    machine.install().unwrap();
    assert_eq!(machine.files()["usr/local/sbin/ntk-agent"], "the next program");
    machine.uninstall(Kept::Data).unwrap();
    assert!(!machine.files().contains_key("usr/local/sbin/ntk-agent"));
}

#[test]
fn a_dry_run_says_the_steps_and_changes_nothing() {
    let mut machine = Machine::new();
    let before = machine.files();
    let plan = Plan { dry_run: true, ..machine.plan() };
    let mut said = Vec::new();
    install(&plan, &mut machine, &mut |line| said.push(line.to_owned())).unwrap();
    assert_eq!(said.iter().filter(|line| line.contains("would be")).count(), 5, "{said:#?}");
    assert_eq!((machine.files(), machine.n_changes), (before, 0));
    machine.install().unwrap();
    let (before, n_changes) = (machine.files(), machine.n_changes);
    uninstall(&plan, Kept::Data, &mut machine, &mut |_| {}).unwrap();
    assert_eq!((machine.files(), machine.n_changes), (before, n_changes));
}

#[test]
fn entries_that_wait_are_not_thrown_away_unasked() {
    let mut machine = Machine::new();
    machine.install().unwrap();
    let status = serde_json::json!({
        "life": "stopped", "pid": 1, "version": "0", "author": "agent/a", "since": "t", "updated": "t", "sensors": [],
        "cannot_see": [], "durable": 5, "released": 2, "waiting": 3, "spool_bytes": 0, "lost": 0, "connected": false,
        "halted": false, "log_size": 0
    });
    let dir = machine.plan().at(config::DEFAULT_DIR);
    std::fs::write(dir.join("status.json"), status.to_string()).unwrap();
    let before = machine.files();
    assert!(
        machine
            .uninstall(Kept::Nothing)
            .unwrap_err()
            .to_string()
            .starts_with("3 entries were not acknowledged")
    );
    assert_eq!(machine.files(), before);
    machine.uninstall(Kept::NothingWhateverWaits).unwrap();
    assert!(!dir.exists());
}

#[test]
fn the_unit_is_the_shipped_one_but_for_its_two_places() {
    let shipped = include_str!("../../../deploy/systemd/ntk-agent.service");
    assert_eq!(texts::unit(Path::new(PACKAGED), Path::new(config::DEFAULT_DIR)), shipped);
    let other = texts::unit(Path::new("/opt/a b/ntk-agent"), Path::new("/srv/ntk%1"));
    let lines: Vec<&str> = other.lines().filter(|line| !shipped.contains(*line)).collect();
    assert_eq!(
        lines,
        ["ExecStart=\"/opt/a b/ntk-agent\" run --dir /srv/ntk%%1", "ReadWritePaths=/srv/ntk%%1"]
    );
    assert!(!other.contains("StateDirectory"));
}
