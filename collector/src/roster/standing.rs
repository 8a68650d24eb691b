//! Who stands for whom on a day: covers, leave, notices; and which computers are known.

use std::net::IpAddr;

use jiff::civil::Date;

use super::{Account, Cover, Notice, Person, Roster};

impl Roster {
    /// The covers that this person takes on a day.
    pub fn covers(&self, person: &str, on: Date) -> impl Iterator<Item = &Cover> {
        self.covers.iter().filter(move |cover| cover.person == person && cover.from <= on && on <= cover.to)
    }

    /// The person's own roles and, while a cover lasts, those of the covered person.
    pub fn roles_on(&self, person: &str, on: Date) -> Vec<String> {
        let covered = self.covers(person, on).map(|cover| cover.covers.as_str());
        let mut roles: Vec<String> = Vec::new();
        for person in std::iter::once(person).chain(covered).filter_map(|id| self.person(id)) {
            for role in &person.roles {
                if !roles.contains(role) {
                    roles.push(role.clone());
                }
            }
        }
        roles
    }

    /// The first day on which nothing of this person's is used any more.
    ///
    /// The last `[[leave]]` block wins. Without one, or where it is withdrawn, it is the earlier of the
    /// person's `leave_date` and the day after `contract_until`.
    pub fn leave_of(&self, person: &str) -> Option<Date> {
        self.person(person)?.leave_date
    }

    /// The day since which it is known that this person leaves.
    pub fn notice_of(&self, person: &str) -> Option<Date> {
        self.person(person)?.notice_given
    }

    /// The people of whom, on this day, nothing is used any more.
    pub fn gone(&self, on: Date) -> impl Iterator<Item = &Person> {
        self.persons.iter().filter(move |person| person.leave_date.is_some_and(|leave| leave <= on))
    }

    /// The firm whose technicians drive other computers through this tool.
    pub fn firm_behind(&self, tool: &str) -> Option<&Person> {
        let uses = |person: &&Person| person.remote_tools.iter().any(|own| own.eq_ignore_ascii_case(tool));
        self.persons.iter().filter(|person| person.is_organisation).find(uses)
    }

    /// Accounts that several people use.
    pub fn shared_accounts(&self) -> impl Iterator<Item = &Account> {
        self.accounts.iter().filter(|account| account.is_shared())
    }

    /// The version of a notice that holds on a day.
    pub fn notice_in_force(&self, notice: &str, on: Date) -> Option<&Notice> {
        let versions = self.notices.iter().filter(|other| other.id == notice && other.in_force_from <= on);
        // `max_by_key` gives the last of equals: later blocks win.
        versions.max_by_key(|version| version.in_force_from)
    }

    /// The notices that hold on a day, one version each.
    pub fn notices_in_force(&self, on: Date) -> Vec<&Notice> {
        let mut found: Vec<&Notice> = Vec::new();
        for notice in &self.notices {
            if let Some(version) = self.notice_in_force(&notice.id, on)
                && !found.contains(&version)
            {
                found.push(version);
            }
        }
        found
    }

    /// Whether the person had, by this day, acknowledged the version of the notice that held then.
    pub fn acknowledged(&self, person: &str, notice: &str, on: Date) -> bool {
        let Some(version) = self.notice_in_force(notice, on) else { return false };
        self.acknowledgements.iter().any(|said| {
            said.person == person && said.notice == notice && said.version == version.version && said.on <= on
        })
    }

    /// Whether what stands in a record's `from` is a computer that the practice wrote down.
    ///
    /// Known are: a console or terminal of the machine itself (`/dev/tty1`, `tty1`, `pts/0`, `:0`,
    /// `console`), the machine itself (`localhost`, 127.0.0.0/8, `::1`), and the names and addresses of every
    /// `[[machine]]`. Names are compared without case, a name also without its domain; an IPv4 address also in
    /// its IPv6 form. The names of enrolled machines are known as well, but stand in the ledger and not here:
    /// the caller asks for those.
    pub fn is_known_computer(&self, from: &str) -> bool {
        let from = from.trim();
        if is_own_console(from) {
            return true;
        }
        if let Ok(address) = from.parse::<IpAddr>() {
            let address = address.to_canonical();
            let mut known = self.machines.iter().flat_map(|machine| &machine.addresses);
            return address.is_loopback() || known.any(|known| known.to_canonical() == address);
        }
        let first_label = from.split('.').next().unwrap_or(from);
        from.eq_ignore_ascii_case("localhost")
            || self.machines.iter().any(|machine| {
                machine.name.eq_ignore_ascii_case(from) || machine.name.eq_ignore_ascii_case(first_label)
            })
    }

    /// Applies leave blocks and contracts to the people, once everything is read.
    pub(super) fn settle_leave(&mut self) {
        let leave = std::mem::take(&mut self.leave);
        for person in &mut self.persons {
            let last = leave.iter().rev().find(|block| block.person == person.id);
            let set = last.and_then(|block| block.on);
            person.leave_date = set.or_else(|| by_contract(person));
            person.notice_given = last
                .filter(|block| block.on.is_some())
                .and_then(|block| block.notice_given)
                .or(person.written.notice_given);
        }
        self.leave = leave;
    }
}

/// What the person's own block says.
fn by_contract(person: &Person) -> Option<Date> {
    let after = person.contract_until.and_then(|last| last.tomorrow().ok());
    person.written.leave_date.into_iter().chain(after).min()
}

fn is_own_console(from: &str) -> bool {
    let from = from.strip_prefix("/dev/").unwrap_or(from);
    let is_numbered = |rest: &str| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_alphanumeric());
    from.eq_ignore_ascii_case("console")
        || from.strip_prefix("tty").is_some_and(|rest| rest.is_empty() || is_numbered(rest))
        || from.strip_prefix("pts/").is_some_and(is_numbered)
        || from
            .strip_prefix(':')
            .is_some_and(|rest| !rest.is_empty() && rest.bytes().all(|c| c.is_ascii_digit() || c == b'.'))
}

#[cfg(test)]
mod tests {
    use super::*;
    use jiff::civil::date;

    const TEXT: &str = r#"
        [[person]]
        id = "sam"
        name = "Sam Ortiz"
        roles = ["frontdesk"]
        [[person]]
        id = "bea"
        name = "Bea Novak"
        roles = ["billing", "frontdesk"]
        contract_until = "2026-11-30"
        leave_date = "2026-12-24"
        notice_given = "2026-11-01"
        [[organisation]]
        id = "northwind"
        name = "Northwind IT"
        roles = ["itadmin"]
        contract_from = "2025-01-01"
        contract_until = "2026-12-31"
        remote_tools = ["AnyDesk"]
        [[cover]]
        person = "sam"
        covers = "bea"
        from = "2026-11-02"
        to = "2026-11-06"
        mailbox = true
        [[machine]]
        name = "ws-01"
        addresses = ["10.0.4.17", "fd00::17"]
        [[notice]]
        id = "monitoring"
        title = "Access is recorded"
        version = "1"
        kind = "monitoring"
        in_force_from = "2026-01-01"
        [[notice]]
        id = "monitoring"
        title = "Access is recorded"
        version = "2"
        kind = "monitoring"
        in_force_from = "2026-11-01"
        [[acknowledgement]]
        person = "sam"
        notice = "monitoring"
        version = "1"
        on = "2026-02-01"
    "#;

    fn roster(more: &str) -> Roster {
        Roster::parse(&format!("{TEXT}\n{more}")).unwrap()
    }

    #[test]
    fn a_cover_lends_roles_from_its_first_to_its_last_day() {
        let roster = roster("");
        assert_eq!(roster.roles_on("sam", date(2026, 11, 1)), ["frontdesk"]);
        for day in [date(2026, 11, 2), date(2026, 11, 6)] {
            assert_eq!(roster.roles_on("sam", day), ["frontdesk", "billing"]);
            assert!(roster.covers("sam", day).all(|cover| cover.covers == "bea" && cover.mailbox));
        }
        assert_eq!(roster.roles_on("sam", date(2026, 11, 7)), ["frontdesk"]);
        assert_eq!(roster.roles_on("nobody", date(2026, 11, 3)), Vec::<String>::new());
    }

    #[test]
    fn leaving_begins_the_day_after_the_contract_or_with_leave_date_whichever_is_earlier() {
        let roster = roster("");
        assert_eq!(roster.leave_of("bea"), Some(date(2026, 12, 1)));
        assert_eq!(roster.leave_of("northwind"), Some(date(2027, 1, 1)));
        assert_eq!(roster.leave_of("sam"), None);
        assert_eq!(roster.notice_of("bea"), Some(date(2026, 11, 1)));
        let gone = |on| roster.gone(on).map(|person| person.id.as_str()).collect::<Vec<_>>();
        assert_eq!((gone(date(2026, 11, 30)), gone(date(2026, 12, 1))), (vec![], vec!["bea"]));
    }

    #[test]
    fn the_last_leave_block_wins_and_can_be_withdrawn() {
        let set = "[[leave]]\nperson = \"bea\"\non = \"2026-12-15\"\n";
        let again = "[[leave]]\nperson = \"bea\"\non = \"2026-11-10\"\nnotice_given = \"2026-11-09\"\n";
        let withdrawn = "[[leave]]\nperson = \"bea\"\nwithdrawn = true\n";
        let leave = |more: &str| {
            let roster = roster(more);
            let person = roster.person("bea").unwrap();
            (person.leave_date, person.notice_given)
        };
        let known = Some(date(2026, 11, 1));
        assert_eq!(leave(set), (Some(date(2026, 12, 15)), known), "a block wins even where it is later");
        assert_eq!(leave(&[set, again].concat()), (Some(date(2026, 11, 10)), Some(date(2026, 11, 9))));
        assert_eq!(leave(&[set, again, withdrawn].concat()), (Some(date(2026, 12, 1)), known));
        assert_eq!(leave(&[set, withdrawn, set].concat()), (Some(date(2026, 12, 15)), known));
    }

    #[test]
    fn a_new_version_of_a_notice_is_acknowledged_anew() {
        let roster = roster("");
        assert!(!roster.acknowledged("sam", "monitoring", date(2026, 1, 31)), "not yet");
        assert!(roster.acknowledged("sam", "monitoring", date(2026, 10, 31)));
        assert!(!roster.acknowledged("sam", "monitoring", date(2026, 11, 1)), "version 2 holds now");
        assert!(!roster.acknowledged("bea", "monitoring", date(2026, 10, 31)));
        let versions: Vec<_> =
            roster.notices_in_force(date(2026, 11, 1)).into_iter().map(|n| &n.version).collect();
        assert_eq!(versions, ["2"]);
    }

    #[test]
    fn consoles_and_written_down_computers_are_known_and_others_are_not() {
        let roster = roster("");
        let known = [
            "/dev/tty1",
            "tty1",
            "tty",
            "ttyS0",
            "pts/0",
            ":0",
            ":0.0",
            "console",
            "localhost",
            "127.0.0.1",
            "127.9.9.9",
            "::1",
            "ws-01",
            "WS-01",
            "ws-01.maplestreet.example",
            "10.0.4.17",
            "::ffff:10.0.4.17",
            "fd00::17",
        ];
        for from in known {
            assert!(roster.is_known_computer(from), "{from}");
        }
        for from in ["10.0.4.18", "203.0.113.9", "ws-02", "tty.evil.example", "", ":", "ttys/1 x", "fd00::18"]
        {
            assert!(!roster.is_known_computer(from), "{from}");
        }
    }

    #[test]
    fn an_organisation_is_a_holder_with_contract_and_remote_tools() {
        let roster = roster("");
        let northwind = roster.person("northwind").unwrap();
        assert!(northwind.is_organisation);
        assert_eq!(northwind.in_words(), "Northwind IT");
        assert_eq!(northwind.employed_from, Some(date(2025, 1, 1)));
        assert_eq!(northwind.remote_tools, ["AnyDesk"]);
    }
}
