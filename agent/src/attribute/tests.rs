//! Whose act it is: names, sessions, forged identities, and what is never guessed.

use expect_test::{Expect, expect};

use super::*;
use crate::coalesce::Coalescer;

struct Passwd;

impl Names for Passwd {
    fn user_name(&self, uid: u32) -> Option<String> {
        [(0, "root"), (1001, "anna"), (1002, "ben")]
            .into_iter()
            .find(|(known, _)| *known == uid)
            .map(|(_, name)| name.into())
    }
}

fn run(lines: &str, names: Box<dyn Names>) -> String {
    let mut coalescer = Coalescer::default();
    let mut attribution = Attribution::new(names);
    let mut text = String::new();
    let actor = |actor: &Actor| {
        let mut words = vec![actor.login_uid.map_or("-".to_owned(), |uid| uid.to_string())];
        words.push(actor.login_user.clone().unwrap_or("-".into()));
        words.extend(actor.effective_user.iter().map(|name| format!("as {name}")));
        words.extend(actor.session.iter().map(|number| format!("ses {number}")));
        words.extend(actor.from.iter().map(|from| format!("from {from}")));
        words.extend(actor.claims.iter().map(|claims| format!("claims {claims}")));
        words.extend(actor.confidence.iter().map(|confidence| confidence.to_string()));
        words.join(" ")
    };
    let show = |fact: &Fact| {
        let command =
            fact.process.command.as_ref().map(|command| format!(" `{command}`")).unwrap_or_default();
        let count = fact.count.map(|count| format!(" x{count}")).unwrap_or_default();
        format!("  {:?} #{} {}{command}{count}\n", fact.kind, fact.stamp.serial(), actor(&fact.actor))
    };
    let mut moment = Duration::ZERO;
    let mut observations = Vec::new();
    for line in lines.lines().map(str::trim).filter(|line| !line.is_empty()) {
        let record = Record::from_line(line.as_bytes()).unwrap();
        moment = record.stamp().since_epoch();
        observations
            .extend(coalescer.take(record, moment).into_iter().map(|observation| (observation, moment)));
    }
    observations.extend(coalescer.flush().into_iter().map(|observation| (observation, moment)));
    for (observation, now) in observations {
        let attributed = attribution.observe(&observation, now);
        attributed.facts.iter().for_each(|fact| text.push_str(&show(fact)));
        text.push_str(&format!("#{} {}\n", observation.stamp.serial(), actor(&attributed.actor)));
    }
    attribution.flush().iter().for_each(|fact| text.push_str(&show(fact)));
    text
}

#[track_caller]
fn check(lines: &str, expected: Expect) {
    expected.assert_eq(&run(lines, Box::new(NoNames)));
}

const LOGIN: &str = r#"
    type=LOGIN msg=audit(1.000:1): pid=10 uid=0 old-auid=4294967295 auid=1001 tty=(none) old-ses=4294967295 ses=5 res=1
    type=USER_START msg=audit(1.000:2): pid=10 uid=0 auid=1001 ses=5 msg='op=PAM:session_open acct="itadmin1" exe="/usr/sbin/sshd" hostname=h addr=10.0.0.9 terminal=ssh res=success'
"#;

#[test]
fn without_a_login_uid_there_is_no_person() {
    check(
        "type=SYSCALL msg=audit(1.000:1): items=0 pid=1 auid=4294967295 uid=1001 euid=1001 ses=4294967295
         type=PROCTITLE msg=audit(1.000:1): proctitle=\"x\"
         type=SYSCALL msg=audit(1.000:2): items=0 pid=1 auid=-1 uid=0 euid=0 ses=-1
         type=PROCTITLE msg=audit(1.000:2): proctitle=\"x\"",
        expect![[r#"
            #1 - - as 1001 unattributed
            #2 - - as root unattributed
        "#]],
    );
}

#[test]
fn a_login_is_told_once_and_only_its_own_process_names_it() {
    let lines = format!(
        "{LOGIN}
        type=USER_LOGIN msg=audit(1.000:3): pid=10 uid=0 auid=1001 ses=5 msg='op=login id=1001 exe=\"/usr/sbin/sshd\" addr=10.0.0.9 res=success'
        type=USER_START msg=audit(1.000:4): pid=99 uid=0 auid=1001 ses=5 msg='op=PAM:session_open acct=\"frontdesk1\" exe=\"/usr/sbin/sshd\" addr=6.6.6.6 res=success'
        type=USER_END msg=audit(1.000:5): pid=99 uid=0 auid=1001 ses=5 msg='op=PAM:session_close acct=\"frontdesk1\" exe=\"/usr/sbin/sshd\" res=success'
        type=USER_END msg=audit(1.000:6): pid=10 uid=0 auid=1001 ses=5 msg='op=PAM:session_close acct=\"itadmin1\" exe=\"/usr/sbin/sshd\" res=success'
        type=USER_END msg=audit(1.000:7): pid=10 uid=0 auid=1001 ses=5 msg='op=PAM:session_close acct=\"itadmin1\" exe=\"/usr/sbin/sshd\" res=success'"
    );
    check(
        &lines,
        expect![[r#"
        #1 1001 - as root ses 5 kernel
          LoggedIn #2 1001 itadmin1 ses 5 from 10.0.0.9 kernel
        #2 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        #3 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        #4 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        #5 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
          LoggedOut #6 1001 itadmin1 ses 5 from 10.0.0.9 kernel
        #6 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        #7 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
    "#]],
    );
}

#[test]
fn a_forged_login_uid_stays_with_the_person_through_every_further_forgery() {
    let lines = format!(
        "{LOGIN}
        type=LOGIN msg=audit(1.000:3): pid=20 uid=0 old-auid=1001 auid=1002 tty=pts2 old-ses=5 ses=6 res=1
        type=USER_START msg=audit(1.000:4): pid=20 uid=0 auid=1002 ses=6 msg='op=PAM:session_open acct=\"frontdesk1\" exe=\"/usr/sbin/sshd\" addr=6.6.6.6 res=success'
        type=LOGIN msg=audit(1.000:5): pid=20 uid=0 old-auid=1002 auid=1003 tty=pts2 old-ses=6 ses=7 res=1
        type=SYSCALL msg=audit(1.000:6): items=0 pid=21 auid=1003 uid=0 euid=0 ses=7
        type=PROCTITLE msg=audit(1.000:6): proctitle=\"x\"
        type=LOGIN msg=audit(1.000:7): pid=20 uid=0 old-auid=1003 auid=4294967295 tty=pts2 old-ses=7 ses=4294967295 res=1
        type=LOGIN msg=audit(1.000:8): pid=30 uid=0 old-auid=1001 auid=1002 tty=pts2 old-ses=5 ses=4294967295 res=0
        type=USER_END msg=audit(1.000:9): pid=10 uid=0 auid=1001 ses=5 msg='acct=\"itadmin1\" exe=\"/usr/sbin/sshd\" res=success'"
    );
    check(
        &lines,
        expect![[r#"
            #1 1001 - as root ses 5 kernel
              LoggedIn #2 1001 itadmin1 ses 5 from 10.0.0.9 kernel
            #2 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
              LoginUidChanged #3 1001 itadmin1 as root ses 5 from 10.0.0.9 claims 1002 kernel
            #3 1001 itadmin1 as root ses 6 from 10.0.0.9 claims 1002 derived
            #4 1001 itadmin1 as root ses 6 from 10.0.0.9 claims 1002 derived
              LoginUidChanged #5 1001 itadmin1 as root ses 6 from 10.0.0.9 claims 1003 derived
            #5 1001 itadmin1 as root ses 7 from 10.0.0.9 claims 1003 derived
            #6 1001 itadmin1 as root ses 7 from 10.0.0.9 claims 1003 derived
              LoginUidChanged #7 1001 itadmin1 as root ses 7 from 10.0.0.9 claims unset derived
            #7 1001 itadmin1 as root ses 7 from 10.0.0.9 claims unset derived
              LoginUidChangeRefused #8 1001 itadmin1 as root ses 5 from 10.0.0.9 claims 1002 kernel
            #8 1002 - as root kernel
              LoggedOut #9 1001 itadmin1 ses 5 from 10.0.0.9 kernel
            #9 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        "#]],
    );
}

#[test]
fn live_names_come_from_the_machine_and_not_from_messages() {
    let text = run(LOGIN, Box::new(Passwd));
    expect![[r#"
        #1 1001 anna as root ses 5 kernel
          LoggedIn #2 1001 anna ses 5 from 10.0.0.9 kernel
        #2 1001 anna as root ses 5 from 10.0.0.9 kernel
    "#]]
    .assert_eq(&text);
}

#[test]
fn a_session_number_of_another_boot_brings_no_old_name() {
    let lines = format!(
        "{LOGIN}
        type=SYSCALL msg=audit(9.000:1): items=0 pid=21 auid=1002 uid=1002 euid=1002 ses=5
        type=PROCTITLE msg=audit(9.000:1): proctitle=\"x\""
    );
    check(
        &lines,
        expect![[r#"
        #1 1001 - as root ses 5 kernel
          LoggedIn #2 1001 itadmin1 ses 5 from 10.0.0.9 kernel
        #2 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        #1 1002 - ses 5 kernel
    "#]],
    );
}

#[test]
fn several_tries_of_one_process_are_one_refused_login_per_account() {
    let fail = |second: u32, serial: u32, kind: &str, account: &str| {
        format!(
            "type={kind} msg=audit({second}.000:{serial}): pid=7 uid=0 auid=4294967295 ses=4294967295 msg='op=x acct={account} exe=\"/usr/bin/login\" hostname=? addr=? terminal=/dev/tty1 res=failed'\n"
        )
    };
    let lines = [
        fail(1, 1, "USER_AUTH", "\"anna\""),
        fail(2, 2, "USER_LOGIN", "\"anna\""),
        fail(3, 3, "USER_AUTH", "\"anna\""),
        fail(4, 4, "USER_AUTH", "\"ben\""),
        fail(20, 5, "USER_LOGIN", "28756E6B6E6F776E29"),
    ];
    check(
        &lines.concat(),
        expect![[r#"
        #1 - - as root unattributed
        #2 - - as root unattributed
        #3 - - as root unattributed
          LoginRefused #1 - - from /dev/tty1 claims anna unattributed x2
        #4 - - as root unattributed
          LoginRefused #4 - - from /dev/tty1 claims ben unattributed
        #5 - - as root unattributed
          LoginRefused #5 - - from /dev/tty1 claims (unknown) unattributed
    "#]],
    );
}

#[test]
fn sudo_names_its_target_or_none_and_su_its_claim() {
    let lines = format!(
        "{LOGIN}
        type=USER_CMD msg=audit(1.100:3): pid=50 uid=1001 auid=1001 ses=5 msg='cwd=\"/\" cmd=\"id\" exe=\"/usr/bin/sudo\" terminal=pts/2 res=success'
        type=USER_START msg=audit(1.200:4): pid=50 uid=1001 auid=1001 ses=5 msg='op=PAM:session_open acct=\"postgres\" exe=\"/usr/bin/sudo\" res=success'
        type=USER_CMD msg=audit(2.000:5): pid=51 uid=1001 auid=1001 ses=5 msg='cwd=\"/\" cmd=\"ls\" exe=\"/usr/bin/sudo\" terminal=pts/2 res=success'
        type=USER_AUTH msg=audit(5.000:6): pid=52 uid=1001 auid=1001 ses=5 msg='op=PAM:authentication acct=\"root\" exe=\"/usr/bin/su\" res=failed'
        type=USER_AUTH msg=audit(6.000:7): pid=53 uid=1001 auid=1001 ses=5 msg='op=PAM:authentication acct=\"itadmin1\" exe=\"/usr/bin/sudo\" res=failed'
        type=SYSCALL msg=audit(6.000:8): items=0 ppid=50 pid=60 auid=1001 uid=26 euid=26 ses=5
        type=PROCTITLE msg=audit(6.000:8): proctitle=\"x\"
        type=SYSCALL msg=audit(6.000:9): items=0 ppid=60 pid=61 auid=1001 uid=33 euid=33 ses=5
        type=PROCTITLE msg=audit(6.000:9): proctitle=\"x\""
    );
    check(
        &lines,
        expect![[r#"
        #1 1001 - as root ses 5 kernel
          LoggedIn #2 1001 itadmin1 ses 5 from 10.0.0.9 kernel
        #2 1001 itadmin1 as root ses 5 from 10.0.0.9 kernel
        #3 1001 itadmin1 as itadmin1 ses 5 from 10.0.0.9 kernel
          Elevated #3 1001 itadmin1 as postgres ses 5 from 10.0.0.9 kernel `id`
        #4 1001 itadmin1 as itadmin1 ses 5 from 10.0.0.9 kernel
        #5 1001 itadmin1 as itadmin1 ses 5 from 10.0.0.9 kernel
          Elevated #5 1001 itadmin1 ses 5 from 10.0.0.9 kernel `ls`
          ElevationRefused #6 1001 itadmin1 ses 5 from 10.0.0.9 claims root kernel
        #6 1001 itadmin1 as itadmin1 ses 5 from 10.0.0.9 kernel
        #7 1001 itadmin1 as itadmin1 ses 5 from 10.0.0.9 kernel
        #8 1001 itadmin1 as postgres ses 5 from 10.0.0.9 kernel
        #9 1001 itadmin1 as 33 ses 5 from 10.0.0.9 kernel
          ElevationRefused #7 1001 itadmin1 ses 5 from 10.0.0.9 kernel
    "#]],
    );
}
