//! A whole machine in a folder: everything is found, nothing secret is repeated, and changes are told.

use super::*;
use expect_test::expect;
use std::fs;

const SECRET: &str = "hunter2-is-planted";

fn put(root: &Root, path: &str, text: &str) {
    let path = root.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

/// A machine on which everything is held that an inventory knows, with a secret in each file.
fn machine() -> (tempfile::TempDir, Root) {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::at(scratch.path());
    let me = rustix::process::getuid().as_raw();
    put(
        &root,
        "/etc/passwd",
        &format!(
            "root:x:0:0:root:/root:/bin/bash\nbea:x:{}:1001:{SECRET}:/home/bea:/bin/bash\n",
            me.max(1001)
        ),
    );
    put(&root, "/etc/group", "sudo:x:27:bea\ndocker:x:998:\n");
    put(&root, "/etc/shadow", &format!("root:*:1::::::\nbea:{SECRET}:1::::::\n"));
    put(&root, "/etc/sudoers", &format!("# {SECRET}\n%sudo ALL=(ALL:ALL) NOPASSWD: /bin/x --pw={SECRET}\n"));
    let key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIOMqqnkVzrm0SdG6UOoqKLsabgH5C9okWi0dh2l9GKJl bea@laptop";
    put(
        &root,
        "/home/bea/.ssh/authorized_keys",
        &format!("command=\"/bin/y {SECRET}\",no-pty {key}\n# {SECRET}\n"),
    );
    put(&root, "/home/bea/.ssh/id_ed25519", SECRET);
    put(
        &root,
        "/etc/crontab",
        &format!("TOKEN={SECRET}\n0 3 * * * root PW={SECRET} /usr/local/bin/night --key {SECRET}\n"),
    );
    put(
        &root,
        "/var/spool/cron/crontabs/bea",
        &format!("*/5 * * * * curl -H {SECRET} https://example.org\n"),
    );
    put(&root, "/var/spool/cron/atjobs/a0000201c3f2a4", SECRET);
    put(
        &root,
        "/etc/systemd/system/push.service",
        &format!("[Service]\nUser=bea\nEnvironment=K={SECRET}\nExecStart=/home/bea/push {SECRET}\n"),
    );
    put(&root, "/etc/systemd/system/push.timer", "[Timer]\nOnCalendar=daily\n");
    put(&root, "/home/bea/.config/systemd/user/sync.service", "[Service]\nExecStart=/usr/bin/rclone sync\n");
    put(&root, "/opt/teamviewer/x", "");
    put(
        &root,
        "/home/bea/.forward",
        &format!("bea, out@example.org, \"|/bin/z {SECRET}\"\n{SECRET} {SECRET}\n"),
    );
    put(&root, "/etc/aliases", "billing: bea\n");
    put(&root, "/home/bea/.dovecot.sieve", "redirect :copy \"copy@example.org\";");
    put(&root, "/etc/wireguard/wg0.conf", &format!("PrivateKey = {SECRET}\n"));
    put(
        &root,
        "/etc/NetworkManager/system-connections/office",
        &format!("[connection]\nid=Office\ntype=vpn\npermissions=user:bea:;\npassword={SECRET}\n"),
    );
    put(&root, "/home/bea/.aws/credentials", SECRET);
    put(&root, "/home/bea/.netrc", SECRET);
    put(&root, "/home/bea/shop/prod.env", SECRET);
    put(
        &root,
        "/var/log/auth.log",
        "2026-11-20T08:00:00+00:00 ws sshd[1]: Accepted publickey for bea from 10.0.0.1 port 5 ssh2: ED25519 SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU\n",
    );
    (scratch, root)
}

fn now() -> Moment {
    Moment::parse("2026-11-27T12:00:00Z").unwrap()
}

#[test]
fn everything_that_is_held_is_listed_and_nothing_secret_is_repeated() {
    let (_scratch, root) = machine();
    let found = take(&root, &Running::default(), now());
    let text = text::text(&found)
        .replace(&format!("uid {}", rustix::process::getuid().as_raw().max(1001)), "uid 1001");
    expect![[r#"
        bea  (can act as an administrator)
          account         uid 1001, shell /bin/bash, password set
          group           sudo  may act as root with sudo
          sudo rule       %sudo  as anybody, without a password: /bin/x; /etc/sudoers
          SSH key         SHA256:+DiY3wvvV6TuJJhbpZisF/zLDA0zPMSvHdkr4UvCOqU  ssh-ed25519, options command, no-pty, “bea@laptop”; last used 2026-11-20T08:00:00Z; ~/.ssh/authorized_keys
          private key     id_ed25519  ~/.ssh/id_ed25519
          job             curl  */5 * * * *; /var/spool/cron/crontabs/bea
          service         push.service  starts /home/bea/push; /etc/systemd/system
                          sync.service  starts /usr/bin/rclone; ~/.config/systemd/user
          mail goes to    bea  forward; ~/.forward
                          copy@example.org  redirect by sieve; ~/.dovecot.sieve
                          out@example.org  forward; ~/.forward
                          the program /bin/z  forward; ~/.forward
          VPN             Office  NetworkManager; /etc/NetworkManager/system-connections
          secrets lie in  *.env  1 in the home folder
                          ~/.aws/credentials  Amazon Web Services
                          ~/.netrc  network programs

        root  (can act as an administrator)
          account         uid 0, shell /bin/bash, no password, has the rights of root
          job             /usr/local/bin/night  0 3 * * *; /etc/crontab
                          at job 2  once at 2026-04-25T15:32:00Z; /var/spool/cron/atjobs
                          push.timer  at daily; /etc/systemd/system

        billing
          mail goes to    bea  alias; /etc/aliases

        The machine as a whole
          remote access   TeamViewer  installed (/opt/teamviewer)
          VPN             wg0  WireGuard; /etc/wireguard

    "#]].assert_eq(&text);
    let all = format!("{text}{}", serde_json::to_string(&found.holdings).unwrap());
    assert!(!all.contains(SECRET), "{all}");
}

#[test]
fn the_first_event_tells_everything_and_the_next_ones_what_changed() {
    let (_scratch, root) = machine();
    let mut watch = Watch::default();
    let mut look =
        || watch.event(&take(&root, &Running::default(), now()), now()).and_then(|event| event.inventory);
    let first = look().unwrap();
    assert_eq!(first.reason, InventoryReason::Start);
    assert!(first.holdings.len() > 20 && first.gone.is_empty());
    assert_eq!(look(), None, "nothing changed");
    put(&root, "/var/log/auth.log", "");
    assert_eq!(look(), None, "a later use is no change");
    put(&root, "/etc/sudoers.d/new", "sam ALL=(ALL) ALL\n");
    put(&root, "/etc/sudoers", "@includedir /etc/sudoers.d\n");
    let change = look().unwrap();
    let lines = |holdings: &[Holding]| holdings.iter().map(text::line).collect::<Vec<_>>();
    assert_eq!(change.reason, InventoryReason::Change);
    assert_eq!(lines(&change.holdings), ["sudo_rule sam [sam] as anybody: everything (/etc/sudoers.d/new)"]);
    assert_eq!(
        lines(&change.gone),
        ["sudo_rule %sudo [bea] as anybody, without a password: /bin/x (/etc/sudoers)"]
    );
}

#[test]
fn an_answer_tells_everything_again_and_names_the_question() {
    let (_scratch, root) = machine();
    let found = take(&root, &Running::default(), now());
    let told = answer(&found, "0a1b", now()).inventory.unwrap();
    assert_eq!((told.reason, told.asked.as_deref()), (InventoryReason::Asked, Some("0a1b")));
    assert_eq!(told.holdings, found.holdings);
    // What changed before somebody asked is still told as a change, too: the answer takes nothing from it.
    let mut watch = Watch::default();
    watch.event(&found, now());
    put(&root, "/etc/sudoers.d/new", "sam ALL=(ALL) ALL\n");
    put(&root, "/etc/sudoers", "@includedir /etc/sudoers.d\n");
    let found = take(&root, &Running::default(), now());
    answer(&found, "0a1c", now());
    assert!(watch.event(&found, now()).is_some());
}

#[test]
fn an_inventory_at_its_bounds_still_fits_into_an_entry() {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::at(scratch.path());
    let long = "ü".repeat(300);
    let passwd: String =
        (0..3000).map(|n| format!("{n}{long}:x:{}:0::/h{n}:/bin/{long}\n", 1000 + n)).collect();
    put(&root, "/etc/passwd", &passwd);
    let rules: String = (0..3000).map(|n| format!("{n}{long} ALL=(ALL) {long}\n")).collect();
    put(&root, "/etc/sudoers", &rules);
    put(
        &root,
        "/etc/crontab",
        &(0..3000).map(|n| format!("{n} * * * * {long} {n}{long}\n")).collect::<String>(),
    );
    let mut watch = Watch::default();
    let event = watch.event(&take(&root, &Running::default(), now()), now()).unwrap();
    assert!(event.inventory.as_ref().unwrap().left_out.is_some());
    let entry = ntk_evidence::entry::Entry::freeze(event).unwrap();
    assert!(entry.part(ntk_evidence::entry::Part::Core).len() < 1 << 20);
}

#[test]
fn a_machine_without_anything_has_an_empty_inventory() {
    let scratch = tempfile::tempdir().unwrap();
    let found = take(&Root::at(scratch.path()), &Running::default(), now());
    assert_eq!(found, Found::default());
    assert_eq!(text::text(&found), "");
}

/// Files that an inventory reads, each of which somebody may have filled with anything.
const FILES: &[&str] = &[
    "/etc/passwd",
    "/etc/group",
    "/etc/shadow",
    "/etc/sudoers",
    "/etc/ssh/sshd_config",
    "/etc/crontab",
    "/etc/anacrontab",
    "/etc/cron.d/x",
    "/etc/fstab",
    "/etc/nsswitch.conf",
    "/etc/systemd/system/x.service",
    "/etc/systemd/system/x.service.d/y.conf",
    "/etc/aliases",
    "/etc/postfix/main.cf",
    "/etc/postfix/virtual",
    "/etc/NetworkManager/system-connections/x",
    "/var/spool/cron/crontabs/bea",
    "/var/log/auth.log",
    "/var/log/wtmp",
    "/proc/net/tcp",
    "/home/bea/.ssh/authorized_keys",
    "/home/bea/.forward",
    "/home/bea/.procmailrc",
    "/home/bea/.dovecot.sieve",
    "/home/bea/.config/autostart/x.desktop",
];

proptest::proptest! {
    #![proptest_config(proptest::prelude::ProptestConfig::with_cases(48))]
    #[test]
    fn whatever_stands_in_its_files_a_machine_has_an_inventory(
        lines in proptest::collection::vec("[ -~\n\t\\\\=:%@|\"#,]{0,60}", 1..8),
        pieces in proptest::collection::vec(
            "(bea|ALL|=|:|NOPASSWD:|%sudo|User_Alias X = X, bea|@include /etc/sudoers|ssh-ed25519 AAAA|\\*|Exec=|ExecStart=|redirect \"|/|\n| ){0,12}",
            1..8,
        ),
    ) {
        let scratch = tempfile::tempdir().unwrap();
        let root = Root::at(scratch.path());
        for (n, file) in FILES.iter().enumerate() {
            let text = format!("{}\n{}\n", lines[n % lines.len()], pieces[n % pieces.len()]);
            let account = if *file == "/etc/passwd" { "bea:x:1001:1001::/home/bea:/bin/sh\n" } else { "" };
            put(&root, file, &format!("{account}{text}"));
        }
        let found = take(&root, &Running::now(&root), now());
        let _ = text::text(&found);
        let _ = crate::discover::look::look(
            &root,
            &crate::discover::homes::homes(&root),
            &crate::discover::templates::Templates::known(),
            &crate::watch_list::WatchList::default(),
        );
    }
}
