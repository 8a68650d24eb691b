//! What runs at a time: crontab(5), the folders of cron, jobs of at(1).
//!
//! Of a command the program is told, never its arguments.

use ntk_evidence::event::{Holding, HoldingKind};
use ntk_evidence::time::Moment;

use super::accounts::People;
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Lines of one table that are read.
const LINES_MAX: usize = 2000;

/// Whether a table names the account of each line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Table {
    OfTheSystem,
    OfOneAccount,
}

/// One line of a table.
#[derive(Clone, Debug, PartialEq, Eq)]
struct Line {
    when: String,
    account: Option<String>,
    program: String,
}

/// Lists every job.
pub(super) fn list(root: &Root, people: &People, list: &mut List) {
    let mut tables = vec!["/etc/crontab".to_owned()];
    tables.extend(root.names("/etc/cron.d").into_iter().map(|name| format!("/etc/cron.d/{name}")));
    tables.push("/etc/anacrontab".to_owned());
    for path in tables {
        let text = root.read(&path).unwrap_or_default();
        let is_anacron = path.ends_with("anacrontab");
        for line in text.lines().take(LINES_MAX) {
            let found = if is_anacron { anacron_line(line) } else { cron_line(line, Table::OfTheSystem) };
            add(found, &path, "root", list);
        }
    }
    for folder in ["/var/spool/cron/crontabs", "/var/spool/cron"] {
        for name in root.names(folder) {
            let path = format!("{folder}/{name}");
            if root.is_plain_file(&path) {
                let text = root.read(&path).unwrap_or_default();
                for line in text.lines().take(LINES_MAX) {
                    add(cron_line(line, Table::OfOneAccount), &path, &name, list);
                }
            }
        }
    }
    for when in ["hourly", "daily", "weekly", "monthly"] {
        let folder = format!("/etc/cron.{when}");
        for name in root.names(&folder).into_iter().filter(|name| !name.starts_with('.')) {
            let line = Line { when: when.to_owned(), account: None, program: name };
            add(Some(line), &folder, "root", list);
        }
    }
    at_jobs(root, people, list);
    if root.is_plain_file("/etc/rc.local") {
        let line = Line { when: "at every start".to_owned(), account: None, program: "rc.local".to_owned() };
        add(Some(line), "/etc/rc.local", "root", list);
    }
}

fn add(line: Option<Line>, place: &str, account: &str, list: &mut List) {
    let Some(line) = line else { return };
    let account = line.account.as_deref().unwrap_or(account);
    list.add(Holding {
        place: Some(place.to_owned()),
        detail: Some(line.when),
        ..List::of(HoldingKind::ScheduledJob, &line.program, &[account])
    });
}

fn cron_line(line: &str, table: Table) -> Option<Line> {
    let line = line.trim();
    let first = line.split_whitespace().next()?;
    let n_of_time = if first.starts_with('@') { 1 } else { 5 };
    if line.starts_with('#')
        || (n_of_time == 5 && !first.starts_with(|c: char| c.is_ascii_digit() || c == '*'))
    {
        return None;
    }
    let mut words = line.split_whitespace();
    let when: Vec<&str> = words.by_ref().take(n_of_time).collect();
    let account = if table == Table::OfTheSystem { Some(words.next()?.to_owned()) } else { None };
    let program = program(words)?;
    Some(Line { when: when.join(" "), account, program })
}

/// `period delay name command`.
fn anacron_line(line: &str) -> Option<Line> {
    let mut words = line.split_whitespace();
    let period = words.next()?;
    let is_period = period.starts_with('@') || period.bytes().all(|digit| digit.is_ascii_digit());
    let (_delay, _name) = (words.next().filter(|_| is_period)?, words.next()?);
    let when = if period.starts_with('@') { period.to_owned() } else { format!("every {period} days") };
    Some(Line { when, account: None, program: program(words)? })
}

/// The program of a shell command: past assignments, `cd` and what only starts others.
pub(super) fn program<'a>(words: impl Iterator<Item = &'a str>) -> Option<String> {
    let (mut skip_next, mut in_test) = (false, false);
    for word in words {
        if std::mem::take(&mut in_test) && !matches!(word, "||" | "&&" | ";" | "then") && !word.ends_with(';')
        {
            in_test = true;
            continue;
        }
        if matches!(word, "[" | "[[" | "test" | "if" | "then") {
            in_test = matches!(word, "[" | "[[" | "test");
            continue;
        }
        let word = word.trim_matches(|letter| "\"'(){};&|[]".contains(letter));
        if std::mem::take(&mut skip_next) || word.is_empty() || word.starts_with('-') {
            continue;
        }
        let name = word.split('/').next_back().unwrap_or(word);
        match name {
            "cd" | "command" if !word.contains('/') => skip_next = name == "cd",
            _ if is_assignment(word) => {}
            "env" | "nice" | "ionice" | "nohup" | "exec" | "sudo" | "flock" | "chronic" | "timeout"
            | "sh" | "bash" | "dash" => {}
            // A value of an option before, such as a priority.
            _ if word.bytes().all(|letter| letter.is_ascii_digit()) => {}
            _ => return Some(word.to_owned()),
        }
    }
    None
}

fn is_assignment(word: &str) -> bool {
    word.split_once('=').is_some_and(|(name, _)| {
        !name.is_empty() && name.bytes().all(|letter| letter.is_ascii_alphanumeric() || letter == b'_')
    })
}

/// at names its files `a` + five hex digits of the number + eight of the minute; `=` while it runs.
fn at_jobs(root: &Root, people: &People, list: &mut List) {
    for folder in ["/var/spool/cron/atjobs", "/var/spool/at"] {
        for name in root.names(folder) {
            let Some((number, minute)) = at_name(&name) else { continue };
            let path = format!("{folder}/{name}");
            let account = root.owner(&path).and_then(|uid| people.name_of(uid)).unwrap_or("root").to_owned();
            let at = Moment::from_unix_seconds(minute.saturating_mul(60)).map(|at| at.to_rfc3339(0));
            list.add(Holding {
                place: Some(folder.to_owned()),
                detail: Some(format!("once at {}", at.unwrap_or_default())),
                ..List::of(HoldingKind::ScheduledJob, &format!("at job {number}"), &[account])
            });
        }
    }
}

fn at_name(name: &str) -> Option<(u32, i64)> {
    let is_queue = name.starts_with(|queue: char| queue.is_ascii_alphabetic() || queue == '=');
    let (number, minute) = (name.get(1..6)?, name.get(6..14)?);
    (is_queue && name.len() == 14)
        .then(|| Some((u32::from_str_radix(number, 16).ok()?, i64::from_str_radix(minute, 16).ok()?)))?
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn the_program_of_a_line_is_told_and_its_arguments_are_not() {
        let of = |line, table| cron_line(line, table).map(|line| (line.when, line.account, line.program));
        let system = of(
            "17 *\t* * *  root  cd / && PW=hunter2 run-parts --report /etc/cron.hourly",
            Table::OfTheSystem,
        );
        assert_eq!(system, Some(("17 * * * *".into(), Some("root".into()), "run-parts".into())));
        let tested = of(
            "30 3 * * 0 root test -e /run/systemd/system || SERVICE_MODE=1 /usr/lib/x/cron",
            Table::OfTheSystem,
        );
        assert_eq!(tested.map(|tested| tested.2), Some("/usr/lib/x/cron".into()));
        let tested = of("5 * * * * if [ -x /usr/bin/y ]; then /usr/bin/y; fi", Table::OfOneAccount);
        assert_eq!(tested.map(|tested| tested.2), Some("/usr/bin/y".into()));
        let own = of("@reboot nice -n 10 /home/bea/bin/sync.sh --token abc", Table::OfOneAccount);
        assert_eq!(own, Some(("@reboot".into(), None, "/home/bea/bin/sync.sh".into())));
        for none in ["# 1 2 3 4 5 root x", "MAILTO=root", "", "* * * * *", "SHELL=/bin/sh"] {
            assert_eq!(of(none, Table::OfOneAccount), None, "{none}");
        }
        assert_eq!(
            anacron_line("7 10 cron.weekly run-parts /etc/cron.weekly").map(|line| line.when),
            Some("every 7 days".into())
        );
        assert_eq!(at_name("a0000b01c3f2a4"), Some((11, 0x01c3_f2a4)));
        assert_eq!(at_name(".SEQ"), None);
    }

    proptest! {
        #[test]
        fn any_line_is_a_job_or_none(line in ".{0,200}") {
            let _ = (cron_line(&line, Table::OfTheSystem), anacron_line(&line), at_name(&line));
        }
    }
}
