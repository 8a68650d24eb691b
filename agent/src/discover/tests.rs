//! Proposals, decisions and what is watched because of them, on machines in folders.

use super::book::Book;
use super::homes::{self, homes};
use super::look::{Look, look};
use super::templates::Templates;
use super::*;
use crate::inventory::root::Root;
use crate::uplink::wire::WatchDecision;
use crate::watch_list::WatchList;
use crate::whole_file::{Files, Readable, RealFiles};
use expect_test::expect;
use std::fs;
use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU8, Ordering};

fn put(root: &Root, path: &str, text: &str) {
    let path = root.path(path);
    fs::create_dir_all(path.parent().unwrap()).unwrap();
    fs::write(path, text).unwrap();
}

const PATIENTS: &str = "MRN,Last Name,First Name,DOB\n";

fn machine() -> (tempfile::TempDir, Root) {
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::at(scratch.path());
    put(&root, "/etc/passwd", "bea:x:1001:1001::/home/bea:/bin/bash\n");
    put(&root, "/home/bea/Maildir/cur/1:2,S", "From: a@b\n");
    put(&root, "/var/mail/bea", "From root Fri Nov 20 08:00:00 2026\nTo: x\n");
    put(&root, "/var/mail/empty", "");
    put(&root, "/var/vmail/maple.example/sam/new/1", "");
    put(&root, "/home/bea/.thunderbird/x1.default/prefs.js", "");
    put(&root, "/home/bea/.thunderbird/Crash Reports/x", "");
    put(&root, "/home/bea/Documents/old.pst", "!BDN....SM");
    put(&root, "/var/spool/asterisk/voicemail/default/101/INBOX/msg0000.wav", "");
    put(&root, "/var/www/html/openemr/sites/default/documents/1", "");
    put(&root, "/srv/backups/monday.tar", "");
    put(&root, "/home/bea/Downloads/list.csv", PATIENTS);
    put(&root, "/home/bea/Downloads/photo.jpg", "\u{1}");
    put(&root, "/home/bea/Downloads/readme.txt", "hello");
    for n in 0..6 {
        put(&root, &format!("/srv/weekly/{n}.csv"), PATIENTS);
    }
    (scratch, root)
}

fn lines(found: &[Proposal]) -> String {
    let line = |one: &Proposal| {
        format!("{} {} {} {}", one.path, one.class, one.owner.as_deref().unwrap_or("-"), one.because)
    };
    found.iter().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn a_machine_s_mailboxes_voicemail_records_exports_and_backups_are_found() {
    let (_scratch, root) = machine();
    let found = look(&root, &homes(&root), &Templates::known(), &WatchList::default()).proposals;
    expect![[r#"
        /home/bea/.thunderbird/x1.default mailbox bea looks like a profile of Thunderbird, by its place
        /home/bea/Documents/old.pst mailbox - looks like an Outlook mailbox (PST or OST), by its place
        /home/bea/Downloads/list.csv export - looks like a table of patients, by its first bytes
        /home/bea/Maildir mailbox bea looks like a Maildir, by its place
        /srv/backups backup - looks like backups, by its place
        /srv/weekly export - 6 of its 6 files look like exports of health records, by their first bytes
        /var/mail/bea mailbox bea looks like a mail spool (mbox), by its place
        /var/spool/asterisk/voicemail voicemail - looks like the voicemail of Asterisk or FreePBX, by its place
        /var/vmail/maple.example/sam mailbox sam looks like a Maildir, by its place
        /var/www/html/openemr/sites/default/documents ehr - looks like the documents of OpenEMR, by its place"#]].assert_eq(&lines(&found));
}

#[test]
fn what_is_watched_is_not_proposed_and_a_link_is_not_followed() {
    let (_scratch, root) = machine();
    let watched = ["/home/bea=mailbox", "/srv=export", "/var=backup"];
    let watched = WatchList::new(watched.iter().map(|watch| watch.parse().unwrap()).collect()).unwrap();
    assert_eq!(look(&root, &homes(&root), &Templates::known(), &watched), Look::default());
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::at(scratch.path());
    put(&root, "/etc/passwd", "bea:x:1001:1001::/home/bea:/bin/bash\n");
    put(&root, "/elsewhere/list.csv", PATIENTS);
    fs::create_dir_all(root.path("/home/bea")).unwrap();
    std::os::unix::fs::symlink("/elsewhere", root.path("/home/bea/Downloads")).unwrap();
    assert_eq!(look(&root, &homes(&root), &Templates::known(), &WatchList::default()), Look::default());
}

#[test]
fn a_folder_full_of_false_exports_crowds_out_nothing_and_what_is_left_out_is_counted() {
    let (_scratch, root) = machine();
    let before = look(&root, &homes(&root), &Templates::known(), &WatchList::default());
    for n in 0..100 {
        put(&root, &format!("/home/bea/Desktop/{n}.csv"), PATIENTS);
        put(&root, &format!("/home/bea/Desktop/{n}.txt"), "x");
    }
    let after = look(&root, &homes(&root), &Templates::known(), &WatchList::default());
    assert!(before.proposals.iter().all(|proposal| after.proposals.contains(proposal)));
    assert_eq!(after.proposals.len(), before.proposals.len() + 16);
    assert_eq!((before.left_out, after.left_out), (0, 84));
}

/// Files that fail when told to: before anything is written, or after.
#[derive(Debug, Default)]
struct Failing {
    how: AtomicU8,
}

impl Files for Failing {
    fn replace(&self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()> {
        match self.how.load(Ordering::Relaxed) {
            1 => Err(io::Error::other("not done")),
            2 => RealFiles
                .replace(path, content, readable)
                .and(Err(io::Error::other("done, though it failed"))),
            _ => RealFiles.replace(path, content, readable),
        }
    }

    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        RealFiles.read(path)
    }

    fn destroy(&self, path: &Path) -> io::Result<()> {
        RealFiles.destroy(path)
    }
}

fn now() -> Moment {
    Moment::parse("2026-11-27T12:00:00Z").unwrap()
}

fn proposal(path: &str) -> Proposal {
    Proposal::new(path.to_owned(), Class::Export, None, "looks like a table of patients".to_owned())
}

fn decision(proposal: &Proposal, is_confirmed: bool) -> WatchDecision {
    WatchDecision { id: proposal.id.clone(), is_confirmed }
}

fn told(events: impl IntoIterator<Item = Event>) -> Vec<String> {
    let one = |event: Event| {
        let path = event.object.unwrap().path.unwrap();
        format!("{} {path}", event.inventory.unwrap().reason)
    };
    events.into_iter().map(one).collect()
}

fn paths(book: &Book) -> Vec<String> {
    book.watches().into_iter().map(|watch| watch.path).collect()
}

#[test]
fn a_proposal_is_watched_after_a_person_confirmed_it_and_not_before() {
    let scratch = tempfile::tempdir().unwrap();
    let mut book = Book::open(scratch.path(), Arc::new(RealFiles));
    let (a, b) = (proposal("/a"), proposal("/b"));
    let events = book.found(vec![a.clone(), b.clone()], now());
    assert_eq!(told(events), ["watch_proposed /a", "watch_proposed /b"]);
    assert_eq!(told(book.found(vec![a.clone(), b.clone()], now())), [""; 0], "once a start");
    assert_eq!(paths(&book), [""; 0]);
    let stranger = WatchDecision { id: "0123456789ab".into(), is_confirmed: true };
    let events = book.decided(&[decision(&a, true), decision(&b, false), stranger], now());
    assert_eq!(told(events), ["watch_begun /a", "watch_declined /b"]);
    assert_eq!(paths(&book), ["/a"]);
    // What is watched stays watched, whatever the collector says afterwards.
    assert_eq!(told(book.decided(&[decision(&a, false)], now())), [""; 0]);
    assert_eq!(paths(&book), ["/a"]);
    // A declined one may still be confirmed, and a new start asks neither again.
    let mut book = Book::open(scratch.path(), Arc::new(RealFiles));
    assert_eq!(told(book.found(vec![a, b.clone()], now())), [""; 0]);
    assert_eq!(told(book.decided(&[decision(&b, true)], now())), ["watch_begun /b"]);
    assert_eq!(paths(&book), ["/a", "/b"]);
}

#[test]
fn a_lost_or_broken_book_is_filled_again_by_the_collector_and_the_next_look() {
    let scratch = tempfile::tempdir().unwrap();
    for broken in ["", "{", "{\"decisions\":{\"x\":\"perhaps\"}}", "[]"] {
        fs::write(book::path_in(scratch.path()), broken).unwrap();
        let mut book = Book::open(scratch.path(), Arc::new(RealFiles));
        assert_eq!(paths(&book), [""; 0]);
        assert_eq!(told(book.decided(&[decision(&proposal("/a"), true)], now())), [""; 0]);
        assert_eq!(told(book.found(vec![proposal("/a")], now())), ["watch_begun /a"]);
        assert_eq!(paths(&book), ["/a"]);
    }
}

#[test]
fn a_question_that_was_answered_is_not_answered_again_after_a_new_start() {
    let scratch = tempfile::tempdir().unwrap();
    let mut book = Book::open(scratch.path(), Arc::new(RealFiles));
    assert!(!book.has_answered("0a1b"));
    book.answered("0a1b");
    let again = Book::open(scratch.path(), Arc::new(RealFiles));
    assert!(again.has_answered("0a1b") && !again.has_answered("0a1c"));
}

#[test]
fn a_new_export_is_watched_at_once_and_too_many_are_proposed() {
    let scratch = tempfile::tempdir().unwrap();
    let mut book = Book::open(scratch.path(), Arc::new(RealFiles));
    for n in 0..64 {
        let path = scratch.path().join(format!("{n}.csv"));
        fs::write(&path, "").unwrap();
        let event = book.arrived(proposal(path.to_str().unwrap()), now());
        assert_eq!(event.unwrap().inventory.unwrap().reason, InventoryReason::WatchBegun);
    }
    assert_eq!(told(book.arrived(proposal("/more.csv"), now())), ["watch_proposed /more.csv"]);
    assert_eq!(book.watches().len(), 64);
    // Files that are gone make room.
    fs::remove_file(scratch.path().join("7.csv")).unwrap();
    assert_eq!(told(book.arrived(proposal("/next.csv"), now())), ["watch_begun /next.csv"]);
    assert_eq!(told(book.arrived(proposal("/next.csv"), now())), [""; 0]);
    let declined = proposal("/declined.csv");
    book.decided(&[decision(&declined, false)], now());
    assert_eq!(told(book.arrived(declined, now())), [""; 0]);
}

#[test]
fn a_book_that_cannot_be_written_holds_in_memory_and_is_written_with_the_next_step() {
    for how in [1, 2] {
        let scratch = tempfile::tempdir().unwrap();
        let files = Arc::new(Failing::default());
        let mut book = Book::open(scratch.path(), Arc::<Failing>::clone(&files));
        let a = proposal("/a");
        book.found(vec![a.clone()], now());
        files.how.store(how, Ordering::Relaxed);
        assert_eq!(
            told(book.decided(&[decision(&a, true)], now())),
            ["watch_begun /a"],
            "the event is not lost"
        );
        assert!(book.take_trouble().unwrap().to_string().contains("watches.json"));
        assert_eq!(paths(&book), ["/a"]);
        files.how.store(0, Ordering::Relaxed);
        assert_eq!(told(book.decided(&[decision(&a, true)], now())), [""; 0]);
        assert!(book.take_trouble().is_none());
        assert_eq!(paths(&Book::open(scratch.path(), files)), ["/a"]);
    }
}

/// A Windows machine in a folder.
fn windows() -> (tempfile::TempDir, Root, Vec<templates::Place>) {
    use crate::inventory::windows::fake::{Fake, text};
    let scratch = tempfile::tempdir().unwrap();
    let root = Root::with_drives(scratch.path());
    let bea = r"C:\Users\bea.MAPLE";
    put(&root, &format!(r"{bea}\AppData\Local\Microsoft\Outlook\bea@maple.OST"), "!BDN");
    put(&root, &format!(r"{bea}\AppData\Local\Microsoft\Outlook\RoamCache\x.dat"), "");
    put(&root, &format!(r"{bea}\AppData\Roaming\Thunderbird\Profiles\x1.default\prefs.js"), "");
    put(&root, &format!(r"{bea}\Downloads\list.csv"), PATIENTS);
    put(&root, &format!(r"{bea}\Downloads\photo.jpg"), "\u{1}");
    put(&root, r"C:\Users\gone\AppData\Local\Microsoft\Outlook\old.pst", "!BDN");
    put(&root, r"C:\Users\empty\AppData\Local\Microsoft\Outlook\x.xml", "");
    put(&root, r"C:\Users\Public\Documents\all.ndjson", "{\"resourceType\":\"Patient\",\"id\":\"1\"}\n");
    put(&root, r"C:\Users\Default\AppData\Local\Microsoft\Outlook\x.ost", "!BDN");
    put(&root, r"D:\OpenDentImages\A\1.jpg", "");
    put(&root, r"D:\mysql\data\opendental\a.MYD", "");
    put(&root, r"D:\Backups\monday.bak", "");
    let mut system = Fake::default();
    let profiles = r"HKLM\SOFTWARE\Microsoft\Windows NT\CurrentVersion\ProfileList";
    system.put(
        &format!(r"{profiles}\S-1-5-21-1-2-3-1001"),
        &[("ProfileImagePath", text(r"%SystemDrive%\Users\bea.MAPLE"))],
    );
    system.put(
        &format!(r"{profiles}\S-1-5-18"),
        &[("ProfileImagePath", text(r"%systemroot%\system32\config\systemprofile"))],
    );
    system.put(profiles, &[("ProfilesDirectory", text(r"%SystemDrive%\Users"))]);
    let homes = homes::of_windows(&system, &root);
    (scratch, root, homes)
}

#[test]
fn the_mailboxes_records_exports_and_backups_of_a_windows_machine_are_found() {
    let (_scratch, root, homes) = windows();
    let found = look(&root, &homes, &Templates::of_windows(), &WatchList::default()).proposals;
    expect![[r#"
        C:\Users\Public\Documents\all.ndjson export - looks like FHIR health records, by its first bytes
        C:\Users\bea.MAPLE\AppData\Local\Microsoft\Outlook mailbox bea looks like the mailboxes of Outlook, by its place
        C:\Users\bea.MAPLE\AppData\Roaming\Thunderbird\Profiles\x1.default mailbox bea looks like a profile of Thunderbird, by its place
        C:\Users\bea.MAPLE\Downloads\list.csv export - looks like a table of patients, by its first bytes
        C:\Users\gone\AppData\Local\Microsoft\Outlook mailbox gone looks like the mailboxes of Outlook, by its place
        D:\Backups backup - looks like backups, by its place
        D:\OpenDentImages ehr - looks like the images and letters of Open Dental, by its place
        D:\mysql\data ehr - looks like the database of Open Dental, by its place"#]].assert_eq(&lines(&found));
}

#[test]
fn what_is_watched_on_windows_already_is_not_proposed_whatever_the_case_of_its_name() {
    let (_scratch, root, homes) = windows();
    let found = look(&root, &homes, &Templates::of_windows(), &WatchList::default()).proposals;
    let watches = found
        .iter()
        .map(|one| crate::watch_list::Watch::new(&one.path.to_uppercase(), one.class.clone(), None).unwrap());
    let watched = WatchList::new(watches.collect()).unwrap();
    assert_eq!(look(&root, &homes, &Templates::of_windows(), &watched), Look::default());
}
