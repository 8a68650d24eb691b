//! Real records of Windows through the whole way, from the shared test data; where that is missing a test says so and
//! counts as skipped. What they come to is kept as counts: the records stay where they are.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::{Cursor, Write as _};
use std::path::PathBuf;

use expect_test::{Expect, expect, expect_file};
use ntk_evidence::event::Event;
use ntk_windows::record::Record;
use ntk_windows::watch::Watches;
use proptest::prelude::*;
use serde_json::{Value, json};

use super::super::tests::skipped;
use super::super::{Format, Watched, replay as replay_files};
use super::*;

/// Watches of which real records know: a domain's password store, and what people and installers touch.
const WATCHED: &[&str] = &[
    r"C:\Windows\NTDS=system",
    r"C:\Windows\System32\sethc.exe=system",
    r"C:\Users=hr",
    r"C:\ProgramData=export",
];

/// The recordings of a form, by name.
fn recordings(form: &str) -> Vec<PathBuf> {
    let shared = std::env::var_os("NTK_SHARED").map(PathBuf::from);
    let shared = shared.unwrap_or_else(|| PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../shared"));
    let Ok(entries) = shared.join("data").join(form).read_dir() else {
        skipped(&format!("recordings of {form}"), "no shared test data");
        return Vec::new();
    };
    let mut files: Vec<PathBuf> = entries.map(|entry| entry.unwrap().path()).collect();
    files.sort();
    files
}

fn recording(form: &str, name: &str) -> Option<PathBuf> {
    recordings(form).into_iter().find(|path| path.file_name().is_some_and(|found| *found == *name))
}

fn watches(texts: &[&str]) -> Watches {
    Watches::new(texts.iter().map(|text| text.parse().unwrap()).collect()).unwrap()
}

fn events_of(format: Format, path: &Path, watched: &[&str]) -> (Vec<Event>, String) {
    let mut out = Vec::new();
    let watched = Watched::Windows(watches(watched));
    let summary = replay_files(format, &[path.to_owned()], &watched, &mut out).unwrap();
    let lines = String::from_utf8(out).unwrap();
    let events: Vec<Event> = lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    for event in &events {
        assert_eq!(event.unknown(), Vec::<String>::new());
        let source = event.source.as_ref();
        assert!(
            event.gap.is_some() || source.is_some_and(|source| source.recorded == Some(true)),
            "{event:?}"
        );
    }
    (events, summary.unwrap())
}

/// How many events of each kind, and what became of the records.
fn counted(events: &[Event], summary: &str) -> String {
    let mut counts = BTreeMap::<String, usize>::new();
    for event in events {
        let mut words = vec![event.kind.to_string()];
        words.extend(event.outcome.as_ref().map(ToString::to_string));
        words.extend(event.tamper.as_ref().map(|tamper| tamper.what.to_string()));
        words.extend(event.gap.as_ref().map(|gap| gap.cause.clone()));
        words.extend(event.action.as_ref().map(ToString::to_string));
        words.extend(event.object.as_ref().and_then(|object| object.via.as_ref()).map(ToString::to_string));
        *counts.entry(words.join(" ")).or_default() += 1;
    }
    let mut text = String::new();
    counts.iter().for_each(|(words, count)| writeln!(text, "{count} {words}").unwrap());
    format!("{text}= {summary}\n")
}

/// Every recording of a form, against a golden of counts.
fn check_all(form: &str, format: Format) {
    let mut text = String::new();
    for path in recordings(form) {
        let (events, summary) = events_of(format, &path, WATCHED);
        writeln!(text, "\n# {}", path.file_name().unwrap().to_string_lossy()).unwrap();
        text.push_str(&counted(&events, &summary));
    }
    if !text.is_empty() {
        let golden = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("fixtures/golden-windows");
        expect_file![golden.join(format!("{form}.txt"))].assert_eq(text.trim_start());
    }
}

#[test]
fn every_log_file_is_replayed_and_counted() {
    check_all("evtx", Format::Evtx);
}

#[test]
fn every_file_of_json_is_replayed_and_counted() {
    check_all("windows-json", Format::WindowsJson);
}

/// A record of a log file as three forwarders would write it.
fn forwarded(record: &Record, form: &str) -> Value {
    let fields: serde_json::Map<String, Value> =
        record.fields().map(|(name, text)| (name.to_owned(), text.into())).collect();
    let outcome = if record.is_failure() { "failure" } else { "success" };
    match form {
        "nested" => {
            json!({"@timestamp": "2000-01-01T00:00:00Z", "message": "x", "event": {"outcome": outcome}, "winlog": {
                "computer_name": record.computer, "channel": record.channel, "provider_name": record.provider,
                "event_id": record.event_id.to_string(), "record_id": record.record_id, "version": record.version,
                "time_created": record.time.rfc3339(), "event_data": fields,
                "user": {"identifier": record.user_sid},
            }})
        }
        "dotted" => {
            let mut line = json!({"@timestamp": "2000-01-01T00:00:00Z", "event.outcome": outcome,
                "winlog.computer_name": record.computer, "winlog.channel": record.channel,
                "winlog.provider_name": record.provider, "winlog.event_id": record.event_id,
                "winlog.record_id": record.record_id, "winlog.version": record.version,
                "winlog.time_created": record.time.rfc3339(), "winlog.user.identifier": record.user_sid});
            for (name, text) in fields {
                line[format!("winlog.event_data.{name}")] = text;
            }
            line
        }
        _ => {
            let mut line = json!({"EventTime": record.time.rfc3339(), "Hostname": record.computer,
                "Channel": record.channel, "SourceName": record.provider, "EventID": record.event_id,
                "RecordNumber": record.record_id, "Version": record.version, "UserID": record.user_sid,
                "Keywords": record.keywords.cast_signed(), "Message": "x"});
            for (name, text) in fields {
                // nxlog has one field of a name; that of the record's own system part goes first.
                let is_taken = line.get(&name).is_some();
                line[if is_taken { format!("{name}_") } else { name }] = text;
            }
            line
        }
    }
}

fn records_of(path: &Path) -> Vec<Record> {
    Records::open(File::open(path).unwrap()).unwrap().filter_map(Result::ok).collect()
}

#[test]
fn one_incident_gives_the_same_events_from_a_log_file_and_from_every_form_of_json() {
    for path in recordings("evtx") {
        // A damaged file has gaps that its records alone do not have.
        if path.to_string_lossy().contains("damaged") {
            continue;
        }
        let (expected, summary) = events_of(Format::Evtx, &path, WATCHED);
        let records = records_of(&path);
        for form in ["nested", "dotted", "nxlog"] {
            let mut file = tempfile::NamedTempFile::new().unwrap();
            for record in &records {
                writeln!(file, "{}", forwarded(record, form)).unwrap();
            }
            let (mut events, of_json) = events_of(Format::WindowsJson, file.path(), WATCHED);
            if form == "nxlog" {
                // There `Channel` is the log in which a 104 stands: which log was cleared is not told.
                let is_104 =
                    |event: &Event| event.source.as_ref().and_then(|source| source.event_id) == Some(104);
                for (event, expected) in events.iter_mut().zip(&expected).filter(|(event, _)| is_104(event)) {
                    event.tamper.clone_from(&expected.tamper);
                }
            }
            assert_eq!(events, expected, "{} as {form}", path.display());
            assert_eq!(of_json, summary, "{} as {form}", path.display());
        }
    }
}

/// What derived records come to, without times and records.
fn check_derived(records: &[Record], watched: &[&str], expected: Expect) {
    let mut room = Room::recorded(watches(watched), Numbers::Excerpt, String::new());
    let mut events: Vec<Event> = records.iter().flat_map(|record| room.feed(record)).collect();
    events.extend(room.finish());
    let shown = |event: &Event| {
        let (actor, object) =
            (event.actor.clone().unwrap_or_default(), event.object.clone().unwrap_or_default());
        let word = |text: Option<&str>| text.unwrap_or("-").to_owned();
        format!(
            "{} {} | {} from {} | {} {} [{}] of {} {} | {}\n",
            event.kind,
            word(event.outcome.as_ref().map(|outcome| outcome.as_str())),
            word(actor.login_user.as_deref()),
            word(actor.from.as_deref()),
            word(event.action.as_ref().map(|action| action.as_str())),
            word(object.path.as_deref()),
            word(object.class.as_ref().map(|class| class.as_str())),
            word(object.owner.as_deref()),
            word(object.via.as_ref().map(|via| via.as_str())),
            word(event.process.as_ref().and_then(|process| process.exe.as_deref())),
        )
    };
    let events = events.iter().filter(|event| event.gap.is_none());
    expected.assert_eq(&events.map(shown).collect::<String>());
}

/// Lines of a file of JSON that are this event.
fn lines_of(name: &str, event_id: u32, matches: impl Fn(&Record) -> bool) -> Vec<Record> {
    let Some(path) = recording("windows-json", name) else { return Vec::new() };
    let text = std::fs::read_to_string(path).unwrap();
    let records = text.lines().map(|line| Record::from_json(line.as_bytes()).unwrap());
    records.filter(|record| record.event_id == event_id && matches(record)).collect()
}

/// No sample shows a mailbox or an export being read on Windows. These records are real ones of other files, of which only
/// the name (`ObjectName`) is changed here.
#[test]
fn reads_of_mailboxes_and_exports_are_told_by_records_derived_from_real_ones() {
    let reads = |record: &Record| {
        record.number("AccessMask") == Some(1) && record.field("SubjectUserSid") != Some("S-1-5-18")
    };
    let Some(read) = lines_of("otrf-ntdsutil-4663-4656-file.ndjson", 4663, reads).into_iter().next() else {
        return;
    };
    let derived: Vec<Record> = [
        r"C:\Users\anna\Documents\Outlook Files\anna.pst",
        r"C:\Users\anna\AppData\Local\Microsoft\Outlook\anna.ost",
        r"C:\Practice\Exports\patients-2026.csv",
        r"\Device\HarddiskVolumeShadowCopy1\Practice\Exports\patients-2026.csv",
        r"C:\USERS\ANNA\DOCUME~1\OUTLOO~1\ANNA.PST",
        r"C:\Users\ben\Documents\Outlook Files\ben.pst",
    ]
    .iter()
    .map(|name| read.clone().with_field("ObjectName", name))
    .collect();
    check_derived(
        &derived,
        &[
            r"C:\Users\anna\Documents\Outlook Files=mailbox:anna",
            r"C:\Users\anna\AppData\Local\Microsoft\Outlook=mailbox:anna",
            r"C:\Practice\Exports=export",
        ],
        expect![[r#"
            file_access success | PANDALAB\Administrator from - | read C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna direct | C:\Windows\System32\ntdsutil.exe
            file_access success | PANDALAB\Administrator from - | read C:\Users\anna\AppData\Local\Microsoft\Outlook\anna.ost [mailbox] of anna direct | C:\Windows\System32\ntdsutil.exe
            file_access success | PANDALAB\Administrator from - | read C:\Practice\Exports\patients-2026.csv [export] of - direct | C:\Windows\System32\ntdsutil.exe
            file_access success | PANDALAB\Administrator from - | read \Device\HarddiskVolumeShadowCopy1\Practice\Exports\patients-2026.csv [export] of - shadow_copy | C:\Windows\System32\ntdsutil.exe
            file_access success | PANDALAB\Administrator from - | read C:\USERS\ANNA\DOCUME~1\OUTLOO~1\ANNA.PST [mailbox] of anna direct | C:\Windows\System32\ntdsutil.exe
        "#]],
    );
}

/// The same over a share: a real 5145 of which `RelativeTargetName` is changed, and a real refusal (4656).
#[test]
fn reads_over_a_share_and_refusals_are_told_by_records_derived_from_real_ones() {
    let Some(path) = recording("evtx", "cc0-5145-user-files-over-share.evtx") else { return };
    let records = records_of(&path);
    let is_read = |record: &&Record| {
        record.number("AccessMask").is_some_and(|mask| mask & 1 != 0)
            && record.field("ShareName").is_some_and(|name| name.ends_with(r"\C$"))
    };
    let read = records.iter().find(is_read).expect("a read over an administrative share").clone();
    let refused = recording("evtx", "cc0-4656-file-denied.evtx").unwrap();
    let refused = records_of(&refused).into_iter().find(|record| record.event_id == 4656).unwrap();
    // Each derived record has a number of its own, as a record that comes twice is told once.
    let over_share = |n: u64, name: &str| {
        let mut record = read.clone().with_field("RelativeTargetName", name);
        record.record_id = record.record_id.map(|id| id + n);
        record
    };
    check_derived(
        &[
            over_share(1, r"Users\anna\Documents\Outlook Files\anna.pst"),
            over_share(2, r"Practice\Exports\patients-2026.csv"),
            over_share(3, r"@GMT-2021.10.01-05.00.00\Practice\Exports\patients-2026.csv"),
            refused.with_field("ObjectName", r"C:\Users\anna\Documents\Outlook Files\anna.pst"),
        ],
        &[r"C:\Users\anna\Documents\Outlook Files=mailbox:anna", r"C:\Practice\Exports=export"],
        expect![[r#"
            file_access success | OFFSEC\admmig from 10.23.123.11 | read C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna share | -
            file_access success | OFFSEC\admmig from 10.23.123.11 | read C:\Practice\Exports\patients-2026.csv [export] of - share | -
            file_access success | OFFSEC\admmig from 10.23.123.11 | read C:\Practice\Exports\patients-2026.csv [export] of - shadow_copy | -
            file_access denied | OFFSEC\admmig from - | write C:\Users\anna\Documents\Outlook Files\anna.pst [mailbox] of anna direct | C:\Windows\System32\cmd.exe
        "#]],
    );
}

#[test]
fn a_damaged_log_file_gives_what_can_be_read_and_gaps() {
    let Some(path) = recording("evtx", "mit-damaged-bad-chunk-magic.evtx") else { return };
    let (events, summary) = events_of(Format::Evtx, &path, &[]);
    expect![[r#"
          2 gap damaged_record
          1 gap not_in_excerpt
          3 gap wrong_checksum
          = 300 records, 6 events; dropped by rule: 300 id_not_needed; 0 of 0 privileged sessions joined to their login
    "#]].assert_eq(&counted(&events, &summary));
    // The same file without its beginning, cut off within a chunk, and as nothing at all.
    let path = recording("evtx", "mit-new-user-security.evtx").unwrap();
    let bytes = std::fs::read(&path).unwrap();
    let replayed = |bytes: &[u8]| {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(bytes).unwrap();
        let (events, summary) = events_of(Format::Evtx, file.path(), &[]);
        counted(&events, &summary)
    };
    let mut headless = bytes.clone();
    headless.get_mut(..128).unwrap().fill(0xff);
    let cut = bytes.get(..4096 + 30_000).unwrap();
    let mut forged = bytes.clone();
    // One letter of a name in a record: the checksum says so, the records are told all the same.
    let name =
        records_of(&path).into_iter().find_map(|record| record.field("SubjectUserName").map(str::to_owned));
    let name: Vec<u8> = name.unwrap().encode_utf16().flat_map(u16::to_le_bytes).collect();
    let at = forged.windows(name.len()).position(|window| window == name).unwrap();
    forged[at] = b'o';
    expect![[r#"
        3 account_change success attributes
        1 account_change success create
        1 gap damaged_part
        1 gap not_in_excerpt
        = 4 records, 6 events; 0 of 0 privileged sessions joined to their login
        --
        3 account_change success attributes
        1 account_change success create
        1 gap damaged_part
        1 gap not_in_excerpt
        = 4 records, 6 events; 0 of 0 privileged sessions joined to their login
        --
        3 account_change success attributes
        1 account_change success create
        1 gap not_in_excerpt
        1 gap wrong_checksum
        = 4 records, 6 events; 0 of 0 privileged sessions joined to their login
        --
        1 gap damaged_part
        = 0 records, 1 events; 0 of 0 privileged sessions joined to their login
        --
        1 gap damaged_part
        = 0 records, 1 events; 0 of 0 privileged sessions joined to their login
        --
        1 gap damaged_part
        = 0 records, 1 events; 0 of 0 privileged sessions joined to their login
    "#]]
    .assert_eq(
        &[headless.as_slice(), cut, &forged, b"", b"hello\n", &[0; 100_000]].map(replayed).join("--\n"),
    );
}

#[test]
fn damaged_lines_become_gaps_and_the_rest_is_read() {
    let Some(path) = recording("windows-json", "covenant_copy_smb_CreateRequest.security.ndjson") else {
        return;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let mut lines: Vec<&str> = text.lines().collect();
    let half = lines[3].get(..lines[3].len() / 2).unwrap();
    lines[3] = half;
    lines.insert(5, "\u{1}\u{2}");
    lines.push("[]");
    let mut file = tempfile::NamedTempFile::new().unwrap();
    file.write_all(lines.join("\r\n").as_bytes()).unwrap();
    let (events, summary) = events_of(Format::WindowsJson, file.path(), &[]);
    let n_lost: u64 = events
        .iter()
        .filter_map(|event| event.gap.as_ref())
        .filter(|gap| gap.cause == "damaged_record")
        .filter_map(|gap| gap.lost)
        .sum();
    assert_eq!(n_lost, 3, "{summary}");
}

#[test]
fn files_that_overlap_are_told_once() {
    let Some(path) = recording("evtx", "mit-new-user-security.evtx") else { return };
    let print = |files: &[PathBuf]| {
        let mut out = Vec::new();
        replay_files(Format::Evtx, files, &Watched::Windows(Watches::default()), &mut out).unwrap();
        String::from_utf8(out).unwrap()
    };
    assert_eq!(print(&[path.clone(), path.clone()]), print(&[path]));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    // EV-2: a log file with bytes exchanged, anywhere, in headers of chunks and records, ends in records and damage.
    #[test]
    fn mutated_log_files_are_read_to_their_end(
        which in 0_usize..1000,
        flips in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 0..60),
        headers in proptest::collection::vec((4096_usize..5200, any::<u8>()), 0..20),
        cut in any::<prop::sample::Index>(),
    ) {
        let files: Vec<PathBuf> = recordings("evtx")
            .into_iter()
            .filter(|path| path.metadata().is_ok_and(|metadata| metadata.len() < 100_000))
            .collect();
        let Some(path) = files.get(which % files.len().max(1)) else { return Ok(()) };
        let mut bytes = std::fs::read(path).unwrap();
        for (at, byte) in flips {
            let at = at.index(bytes.len());
            bytes[at] = byte;
        }
        for (at, byte) in headers {
            bytes[at] = byte;
        }
        bytes.truncate(cut.index(bytes.len()).max(bytes.len() / 2));
        let n_records = Records::open(Cursor::new(bytes)).unwrap().count();
        prop_assert!(n_records < 10_000);
    }
}
