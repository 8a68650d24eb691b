//! Each hole of a plain watch, for real: the access is made that way, and its event names person, path and way.

use ntk_evidence::event::Via;

use super::*;

const WAYS: &str = include_str!("ways.py");

/// Runs `ways.py` as root in the session of a person.
fn by_way(way: &str, path: &str) -> String {
    let dir = tempfile::tempdir().unwrap();
    let script = dir.path().join("ways.py");
    std::fs::write(&script, WAYS).unwrap();
    root_person(&format!("exec python3 '{}' {way} '{path}'", script.display()))
}

impl Sensing {
    /// The event of an access by a way, of which the person is the one of the tests.
    #[track_caller]
    fn access_by(&mut self, via: Via, path: &str) -> Event {
        let event = self.wait_for(&format!("{via} {path}"), |event| {
            let object = event.object.as_ref();
            object.is_some_and(|object| {
                object.path.as_deref() == Some(path) && object.via.as_ref() == Some(&via)
            })
        });
        assert_eq!(event.actor.as_ref().and_then(|actor| actor.login_uid), Some(LOGIN_UID), "{event:#?}");
        event
    }
}

#[test]
fn live_an_open_through_io_uring_is_seen_with_its_person() {
    let Some(_turn) = turn("live_an_open_through_io_uring_is_seen_with_its_person") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    let said = by_way("io_uring", &practice.path("week.csv"));
    let event = sensing.access_by(Via::IoUring, &practice.path("week.csv"));
    assert_eq!(event.action, Some(Action::Read), "{said}");
    assert_eq!(event.outcome, Some(Outcome::Success), "{said}");
    let said = by_way("sqpoll", &practice.path("sub/one"));
    let event = sensing.access_by(Via::IoUring, &practice.path("sub/one"));
    assert_eq!(event.outcome, Some(Outcome::Success), "{said}");
    sensing.end();
    assert_eq!(snapshot(), before);
}

#[test]
fn live_an_open_by_handle_without_a_name_is_known_by_its_inode() {
    let Some(_turn) = turn("live_an_open_by_handle_without_a_name_is_known_by_its_inode") else { return };
    let practice = Practice::new();
    let mut sensing = Sensing::start(&practice);
    let said = by_way("handle", &practice.path("week.csv"));
    assert!(said.contains("opened"), "{said}");
    let event = sensing.access_by(Via::Handle, &practice.path("week.csv"));
    assert_eq!(event.outcome, Some(Outcome::Success));
    sensing.end();
}

#[test]
#[cfg(target_arch = "x86_64")]
fn live_a_32_bit_programs_open_and_refusal_are_seen() {
    let Some(_turn) = turn("live_a_32_bit_programs_open_and_refusal_are_seen") else { return };
    let practice = Practice::new();
    let mut sensing = Sensing::start(&practice);
    let said = by_way("int80", &practice.path("week.csv"));
    if !said.contains("result") || said.contains("-38") {
        return skipped(
            "live_a_32_bit_programs_open_and_refusal_are_seen",
            "this kernel runs no 32-bit programs",
        );
    }
    sensing.access_by(Via::Direct, &practice.path("week.csv"));
    let secret = practice.path("secret/deep.csv");
    // The distribution's own: another one may lie where this person may not go.
    person(&["/usr/bin/python3", "-c", WAYS, "int80", &secret], "/");
    let event = sensing.wait_for("the refusal to a 32-bit call", |event| {
        let at = event.object.as_ref().and_then(|object| object.path.as_deref());
        at == Some(&secret) && event.outcome == Some(Outcome::Denied)
    });
    assert_eq!(event.actor.unwrap().login_uid, Some(LOGIN_UID));
    sensing.end();
}

#[test]
fn live_the_disk_below_a_watch_is_seen_by_every_node_of_it() {
    let name = "live_the_disk_below_a_watch_is_seen_by_every_node_of_it";
    let Some(_turn) = turn(name) else { return };
    let practice = Practice::new();
    let device = std::os::unix::fs::MetadataExt::dev(&std::fs::metadata(&practice.root).unwrap());
    let (major, minor) = (rustix::fs::major(device), rustix::fs::minor(device));
    if !Path::new(&format!("/sys/dev/block/{major}:{minor}")).exists() {
        return skipped(name, "the scratch folder lies on no block device");
    }
    let mut sensing = Sensing::start(&practice);
    let node = practice._dir.path().join("a-node-of-my-own");
    let said =
        root_person(&format!("mknod '{0}' b {major} {minor} && head -c 512 '{0}' | wc -c", node.display()));
    // A kernel may refuse it while the file system is in use; that is told, too.
    let event = sensing.access_by(Via::RawDisk, node.to_str().unwrap());
    let expected = if said.contains("512") { Outcome::Success } else { Outcome::Denied };
    assert_eq!(event.outcome, Some(expected), "{said}");
    let object = event.object.unwrap();
    assert_eq!((object.class.unwrap().as_str(), object.owner), ("export", None));
    assert!(object.holds.contains(&"export:anna".to_owned()), "{:?}", object.holds);
    assert_eq!(event.action, Some(Action::Read));
    sensing.end();
}

#[test]
fn live_links_and_renames_out_of_a_watch_are_watched_where_they_lead() {
    let Some(_turn) = turn("live_links_and_renames_out_of_a_watch_are_watched_where_they_lead") else {
        return;
    };
    let practice = Practice::new();
    let before = snapshot();
    let elsewhere = practice._dir.path().join("elsewhere");
    std::fs::create_dir(&elsewhere).unwrap();
    let at = |name: &str| elsewhere.join(name).to_str().unwrap().to_owned();
    let mut sensing = Sensing::start(&practice);
    root_person(&format!("ln '{}' '{}'", practice.path("week.csv"), at("linked")));
    sensing.access_by(Via::Direct, &practice.path("week.csv"));
    root_person(&format!("mv '{}' '{}'", practice.path("sub"), at("moved")));
    sensing.access_by(Via::Direct, &practice.path("sub"));
    // The rule stands when the event is out.
    root_person(&format!("cat '{}' '{}'", at("linked"), at("moved/deeper/two")));
    for name in ["linked", "moved/deeper/two"] {
        let event = sensing.access_by(Via::Direct, &at(name));
        let object = event.object.unwrap();
        assert_eq!(
            (object.class.unwrap().as_str(), object.owner.as_deref()),
            ("export", Some("anna")),
            "{name}"
        );
    }
    sensing.end();
    assert_eq!(snapshot(), before);
    // They are still there after a restart, and still watched.
    let mut again = Sensing::start(&practice);
    root_person(&format!("cat '{}'", at("linked")));
    again.access_by(Via::Direct, &at("linked"));
    again.end();
    assert_eq!(snapshot(), before);
}

#[test]
fn live_an_overlay_over_a_watch_is_said_and_then_seen_through() {
    let Some(_turn) = turn("live_an_overlay_over_a_watch_is_said_and_then_seen_through") else { return };
    let practice = Practice::new();
    let before = snapshot();
    let dir = practice._dir.path();
    // The upper folder must lie on a file system that can carry one.
    let made = root_person(&format!(
        "cd '{0}' && mkdir tmp over && mount -t tmpfs tmpfs tmp && mkdir tmp/upper tmp/work",
        dir.display()
    ));
    assert_eq!(made, "");
    let mut sensing = Sensing::start(&practice);
    let said = root_person(&format!(
        "cd '{0}' && mount -t overlay overlay -o lowerdir={0}/exports,upperdir={0}/tmp/upper,workdir={0}/tmp/work over",
        dir.display()
    ));
    let event = sensing.wait_for(&format!("the overlay {said}"), |event| {
        event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::MountChanged)
    });
    assert_eq!(event.tamper.as_ref().unwrap().detail.as_deref(), Some("overlay overlay"));
    let object = event.object.unwrap();
    assert_eq!(object.path.as_deref(), practice.root.to_str());
    assert_eq!(event.actor.unwrap().login_uid, Some(LOGIN_UID));
    let over = dir.join("over/week.csv").to_str().unwrap().to_owned();
    root_person(&format!("cat '{over}'"));
    let event = sensing.wait_for("a read through the overlay", |event| {
        event.object.as_ref().is_some_and(|object| object.path.as_deref() == Some(&over))
    });
    assert_eq!(event.object.unwrap().owner.as_deref(), Some("anna"));
    // A bind mount is the same files: seen under its name, and said.
    root_person(&format!(
        "cd '{0}' && mkdir bound && mount --bind exports bound && cat bound/week.csv",
        dir.display()
    ));
    let bound = dir.join("bound/week.csv").to_str().unwrap().to_owned();
    sensing.access_by(Via::Direct, &bound);
    root_person(&format!("cd '{0}' && umount bound over tmp", dir.display()));
    sensing.end();
    assert_eq!(snapshot(), before);
}

#[test]
fn live_an_overlay_in_another_mount_namespace_is_said_and_that_nothing_is_seen_through_it() {
    let name = "live_an_overlay_in_another_mount_namespace_is_said_and_that_nothing_is_seen_through_it";
    let Some(_turn) = turn(name) else { return };
    let practice = Practice::new();
    let before = snapshot();
    let mut sensing = Sensing::start(&practice);
    let overlay = "mount -t tmpfs tmpfs tmp && mkdir tmp/upper tmp/work && mount -t overlay overlay -o lowerdir=$PWD/exports,upperdir=$PWD/tmp/upper,workdir=$PWD/tmp/work over";
    let said = root_person(&format!(
        "cd '{}' && mkdir tmp over && exec unshare -m --propagation private sh -c '{overlay} && sleep 2'",
        practice._dir.path().display()
    ));
    let event = sensing.wait_for(&format!("the overlay {said}"), |event| {
        event.tamper.as_ref().is_some_and(|tamper| tamper.what == TamperKind::MountChanged)
    });
    assert_eq!(
        event.tamper.as_ref().unwrap().detail.as_deref(),
        Some("overlay overlay, in another mount namespace: what is opened through it is not seen")
    );
    assert_eq!(event.object.unwrap().path.as_deref(), practice.root.to_str());
    assert_eq!(event.actor.unwrap().login_uid, Some(LOGIN_UID));
    sensing.end();
    assert_eq!(snapshot(), before);
}
