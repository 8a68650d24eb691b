//! What is missing, what waits, and what would be too much.

use super::*;

#[test]
fn holes_in_a_whole_log_are_told_at_once_and_of_an_excerpt_at_the_end() {
    let lines = r"
        4634 08:00:00.1#5 TargetLogonId=0x1
        4634 08:00:01.1#6 TargetLogonId=0x1
        4634 08:00:02.1#9 TargetLogonId=0x1
        4634 08:00:02.1#9 TargetLogonId=0x1
        4634 08:00:03.1#10 TargetLogonId=0x1
        4634 08:00:04.1#20 TargetLogonId=0x1
        4634 08:09:04.1#3 TargetLogonId=0x1
    ";
    expect![[r#"
        08:00:02.1Z tamper success | record_gap: numbers missing after 6: 2 | record_gap lost 2 from 2026-11-20T08:00:01.1Z to 2026-11-20T08:00:02.1Z
        08:00:04.1Z tamper success | record_gap: numbers missing after 10: 9 | record_gap lost 9 from 2026-11-20T08:00:03.1Z to 2026-11-20T08:00:04.1Z
        08:09:04.1Z tamper success | record_gap: record numbers fell from 20 to 3"#]].assert_eq(&told(Numbers::Whole, lines).0.join("\n"));
    expect![[r#"
        08:00:01.1Z gap - | not_in_excerpt lost 11 from 2026-11-20T08:00:01.1Z to 2026-11-20T08:00:04.1Z
        08:09:04.1Z tamper success | record_gap: record numbers fell from 20 to 3"#]]
    .assert_eq(&told(Numbers::Excerpt, lines).0.join("\n"));
}

#[test]
fn what_cannot_be_read_is_a_gap_between_its_neighbours() {
    let mut room = Room::recorded(watches(), Numbers::Excerpt, "2026-11-20T00:00:00Z".to_owned());
    room.damaged(Damage::Part);
    let mut events = room.feed(&record(1, "4608 08:00:00.1"));
    room.damaged(Damage::Record);
    room.damaged(Damage::Record);
    room.damaged(Damage::Checksum);
    events.extend(room.feed(&record(2, "4608 08:00:01.1")));
    room.damaged(Damage::Record);
    events.extend(room.finish());
    let mut alone = Room::recorded(watches(), Numbers::Excerpt, "2026-11-20T00:00:00Z".to_owned());
    alone.damaged(Damage::Part);
    events.extend(alone.finish());
    expect![[r#"
        08:00:00.1Z gap - | damaged_part lost - from - to 2026-11-20T08:00:00.1Z
        08:00:00.1Z gap - | damaged_record lost 2 from 2026-11-20T08:00:00.1Z to 2026-11-20T08:00:01.1Z
        08:00:00.1Z gap - | wrong_checksum lost - from 2026-11-20T08:00:00.1Z to 2026-11-20T08:00:01.1Z
        08:00:01.1Z gap - | damaged_record lost 1 from 2026-11-20T08:00:01.1Z to -
        00:00:00Z gap - | damaged_part lost - from - to -"#]]
    .assert_eq(&events.iter().map(shown).collect::<Vec<_>>().join("\n"));
}

#[test]
fn events_of_a_recording_name_their_computer_as_it_calls_itself() {
    let computers = |mut room: Room| {
        // A session, then a hole: of which a recording tells at its end.
        let mut events = room.feed(&record(1, "4672 08:00:00.1 $ADMIN"));
        events.extend(room.feed(&record(9, "1102 08:00:09.1")));
        events.extend(room.finish());
        let named = |event: Event| (event.kind, event.source.and_then(|source| source.computer));
        events.into_iter().map(named).collect::<Vec<_>>()
    };
    let computer = Some(record(1, "1102 08:00:00.1").computer);
    for (room, computer) in [
        (Room::recorded(watches(), Numbers::Excerpt, String::new()), computer),
        (Room::new(watches(), Numbers::Excerpt), None),
    ] {
        let kinds = [Kind::Elevation, Kind::Tamper, Kind::Gap];
        assert_eq!(computers(room), kinds.map(|kind| (kind, computer.clone())));
    }
}

#[test]
fn what_waits_for_another_record_is_told_when_time_passes() {
    let mut room = Room::new(watches(), Numbers::Whole);
    assert_eq!(room.feed(&record(1, "4672 08:00:00.1 $ADMIN")), []);
    assert_eq!(room.expire(Moment::parse("2026-11-20T08:00:05Z").unwrap()), []);
    assert_eq!(room.expire(Moment::parse("2026-11-20T08:00:06Z").unwrap()).len(), 1);
}

#[test]
fn a_log_goes_on_after_a_restart_where_it_was() {
    let mut room = Room::new(watches(), Numbers::Whole);
    room.resume("SRV01", "Security", 10, Stamp::parse("2026-11-20T07:00:00Z").unwrap());
    let events = room.feed(&record(14, "4608 08:00:00.1"));
    expect!["08:00:00.1Z tamper success | record_gap: numbers missing after 10: 3 | record_gap lost 3 from 2026-11-20T07:00:00Z to 2026-11-20T08:00:00.1Z"].assert_eq(&events.iter().map(shown).collect::<String>());
    assert_eq!(room.feed(&record(15, "4608 08:00:00.1")), []);
}

#[test]
fn tables_are_bounded() {
    let mut room = Room::new(watches(), Numbers::Excerpt);
    for n in 0..SESSIONS_MAX + 2000 {
        let line = format!(
            "4624 08:00:00.1 TargetUserSid=S-1-5-21-1-2-3-{n} | TargetUserName=u{n} | TargetLogonId={} | LogonType=3",
            n + 1
        );
        room.feed(&record(n + 1, &line));
        if n < 2 * HELD_MAX {
            let line = format!("4776! 08:00:00.1 TargetUserName=v{n} | Status=1");
            room.feed(&record(1_000_000 + n, &line));
        }
    }
    assert!(room.held.len() <= HELD_MAX);
    assert!(room.sessions.len() <= SESSIONS_MAX);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    // EV-2: records in any order, with fields of others, end in events, never in a panic.
    #[test]
    fn any_records_are_taken(
        ids in proptest::collection::vec((0_usize..46, 0_u64..6, 0_u32..90, any::<bool>(), r"[A-Za-z0-9%\\:$. -]{0,12}"), 0..120),
    ) {
        const IDS: &[u32] = &[
            104, 1100, 1102, 4608, 4612, 4616, 4624, 4625, 4634, 4647, 4648, 4656, 4663, 4664, 4670, 4672, 4688, 4689,
            4697, 4719, 4720, 4726, 4728, 4732, 4738, 4771, 4776, 4778, 4779, 4906, 4907, 5145, 7036, 7045,
        ];
        const SIDS: &[&str] = &["S-1-5-18", "S-1-5-21-1-2-3-4", "S-1-0-0", "-", "S-1-5-21-1-2-3-5", "S-1-5-7"];
        let mut room = Room::new(watches(), Numbers::Whole);
        let mut n_events = 0;
        for (which, who, second, failed, text) in ids {
            let id = IDS[which % IDS.len()];
            let sid = SIDS[usize::try_from(who).unwrap() % SIDS.len()];
            let mut line = format!("{id}{} 08:0{}:{:02}.1 LogonType={who}", if failed { "!" } else { "" }, second / 60, second % 60);
            for name in ["SubjectUserSid", "TargetUserSid", "TargetSid", "MemberSid"] {
                write!(line, " | {name}={sid}").unwrap();
            }
            for name in ["SubjectLogonId", "TargetLogonId", "TargetLinkedLogonId", "LogonID", "AccessMask", "ProcessId", "NewProcessId"] {
                write!(line, " | {name}={who}").unwrap();
            }
            for name in [
                "SubjectUserName", "TargetUserName", "ObjectName", "RelativeTargetName", "CommandLine", "NewProcessName",
                "Binary", "NewTime", "ServiceName", "ImagePath", "AuditPolicyChanges", "SubcategoryGuid",
            ] {
                write!(line, " | {name}={text}").unwrap();
            }
            let events = room.feed(&record(usize::try_from(second).unwrap(), &line));
            events.iter().for_each(|event| { shown(event); });
            n_events += events.len();
        }
        n_events += room.finish().len();
        prop_assert_eq!(room.tally().n_events, u64::try_from(n_events).unwrap());
    }
}
