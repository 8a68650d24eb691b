//! Whether a job's permit explains an access: the program that was confirmed, and nobody who logged in.

use ntk_evidence::event::Actor;

use super::Access;
use crate::roster::Job;

/// The login uid that the kernel gives to processes outside any login.
const LOGIN_UID_UNSET: u32 = u32::MAX;
/// What stands as the origin of a session that a timer or a service manager opened: nobody sits there.
const TIMERS: &[&str] = &["cron", "crond", "atd", "anacron", "systemd-user"];

/// Why a job does not explain an access.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Misfit {
    /// Another machine, account, class of asset, or program altogether: the job is not about this.
    Elsewhere,
    /// A program of the same name in another folder.
    OtherFolder,
    /// Somebody logged in: from an address or console, with a key.
    LoggedIn,
    /// A remote-support tool was driving the session or the computer.
    RemoteControl(String),
    /// It was started by another program, or the record does not say by which.
    OtherParent,
    /// The program's file is another one, or the record does not show which.
    OtherFile,
    /// Signed by somebody else, or the record does not show by whom.
    OtherSigner,
    /// Outside the job's hours, or at a time that cannot be read.
    OtherHours,
    /// The job was confirmed for a time that is over.
    Over,
}

impl Misfit {
    /// In words, beside what is not explained; nothing where the job is not about it at all.
    pub fn sentence(&self, job: &Job) -> Option<String> {
        let why = match self {
            Self::Elsewhere => return None,
            Self::OtherFolder => "the program has the job’s name and lies in another folder".to_owned(),
            Self::LoggedIn => "somebody had logged in with its account".to_owned(),
            Self::RemoteControl(tool) => format!("{tool} was driving the session or the computer"),
            Self::OtherParent => "the job’s usual starter was not shown to have started it".to_owned(),
            Self::OtherFile => "the program’s file was not shown to be the confirmed one".to_owned(),
            Self::OtherSigner => "the program was not shown to be signed by the confirmed signer".to_owned(),
            Self::OtherHours => "it was outside the job’s hours".to_owned(),
            Self::Over => "the time for which it was confirmed is over".to_owned(),
        };
        Some(format!("The job “{}” does not explain this: {why}.", job.name))
    }
}

/// Whether somebody logged in for this: an origin, a key, or a remote-control tool.
pub fn is_interactive(actor: &Actor) -> bool {
    let from = actor.from.as_deref().is_some_and(|from| !TIMERS.contains(&from));
    from || actor.key.is_some() || actor.tool.is_some()
}

/// Whether a timer opened the session: a scheduled job, and nobody who came in.
pub fn is_of_timer(actor: &Actor) -> bool {
    actor.from.as_deref().is_some_and(|from| TIMERS.contains(&from)) && !is_interactive(actor)
}

/// Whether a job explains an access. The nearest miss is told, so that a finding can say what was missing.
pub fn fits(job: &Job, access: &Access<'_>) -> Result<(), Misfit> {
    let event = access.event;
    let nobody = Actor::default();
    let actor = event.actor.as_ref().unwrap_or(&nobody);
    let process = event.process.as_ref();
    let class = event.object.as_ref().and_then(|object| object.class.as_ref());
    let exe = process.and_then(|process| process.exe.as_deref());
    let is_about = job.host == access.host
        && class.is_some_and(|class| job.classes.contains(class))
        && is_account(job, actor);
    let Some(exe) = exe.filter(|_| is_about) else { return Err(Misfit::Elsewhere) };
    if exe != job.program {
        let same_name = file_name(exe).eq_ignore_ascii_case(file_name(&job.program));
        return Err(if same_name { Misfit::OtherFolder } else { Misfit::Elsewhere });
    }
    if let Some(tool) = access.tool() {
        return Err(Misfit::RemoteControl(tool.to_owned()));
    }
    if is_interactive(actor) {
        return Err(Misfit::LoggedIn);
    }
    let shown =
        |field: &str| process.and_then(|process| process.other.get(field)).and_then(|value| value.as_str());
    // What is pinned must be shown: a record that is silent about it could be anybody's.
    let parent = process.and_then(|process| process.parent.as_deref());
    if job.parent.as_deref().is_some_and(|pinned| !parent.is_some_and(|parent| is_program(pinned, parent))) {
        return Err(Misfit::OtherParent);
    }
    let same = |pinned: &Option<String>, shown: Option<&str>| {
        pinned.as_deref().is_none_or(|pinned| shown.is_some_and(|shown| shown.eq_ignore_ascii_case(pinned)))
    };
    if !same(&job.sha256, shown("sha256")) {
        return Err(Misfit::OtherFile);
    }
    if !same(&job.signer, shown("signer")) {
        return Err(Misfit::OtherSigner);
    }
    let Some(local) = access.judged else { return Err(Misfit::OtherHours) };
    if job.until.is_some_and(|until| local.date > until) {
        return Err(Misfit::Over);
    }
    let in_hours = job.hours.is_empty() || job.hours.iter().any(|span| span.holds(local.minute));
    if in_hours { Ok(()) } else { Err(Misfit::OtherHours) }
}

/// The last part of a path of either system.
pub(crate) fn file_name(path: &str) -> &str {
    path.rsplit(['/', '\\']).next().unwrap_or(path)
}

/// A program pinned by its full path or by its file name alone.
fn is_program(pinned: &str, shown: &str) -> bool {
    if pinned.contains(['/', '\\']) { pinned == shown } else { pinned == file_name(shown) }
}

fn is_account(job: &Job, actor: &Actor) -> bool {
    let logged_in = actor.login_uid.is_some_and(|uid| uid != LOGIN_UID_UNSET);
    let user = if logged_in { &actor.login_user } else { &actor.effective_user };
    (job.uid.is_some() && job.uid == actor.login_uid) || (job.user.is_some() && job.user == *user)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::roster::Roster;
    use jiff::tz::TimeZone;
    use ntk_evidence::event::Event;
    use serde_json::{Value, json};

    const JOB: &str = r#"
        [[job]]
        id = "nightly-backup"
        name = "the nightly backup"
        program = "/usr/bin/restic"
        host = "srv"
        user = "svc-backup"
        hours = "02:00-05:00"
        classes = ["mailbox"]
        parent = "systemd"
        sha256 = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
        signer = "Debian"
        until = "2026-11-30"
    "#;

    fn backup() -> Value {
        json!({"kind": "file_access", "time": "2026-11-20T03:00:00Z", "action": "read",
            "actor": {"login_uid": 4_294_967_295u32, "effective_user": "svc-backup"},
            "process": {"exe": "/usr/bin/restic", "parent": "/usr/lib/systemd/systemd", "sha256": "A".repeat(64), "signer": "Debian"},
            "object": {"class": "mailbox", "owner": "mary"}})
    }

    fn fit_of(event: Value, remote_tool: Option<&str>) -> Result<(), Misfit> {
        let roster = Roster::parse(JOB).unwrap();
        let event: Event = serde_json::from_value(event).unwrap();
        let mut access = Access::new("agent/srv", "srv", 1, &event, &TimeZone::UTC);
        access.remote_tool = remote_tool;
        fits(&roster.jobs()[0], &access)
    }

    #[test]
    fn the_confirmed_program_in_its_hours_fits() {
        assert_eq!(fit_of(backup(), None), Ok(()));
        let mut by_timer = backup();
        by_timer["actor"] =
            json!({"login_uid": 990, "login_user": "svc-backup", "from": "cron", "session": 4});
        assert_eq!(fit_of(by_timer, None), Ok(()));
    }

    #[test]
    fn each_pin_alone_keeps_others_out() {
        let changed = |pointer: &str, value: Value| {
            let mut event = backup();
            *event.pointer_mut(pointer).unwrap() = value;
            fit_of(event, None).unwrap_err()
        };
        assert_eq!(changed("/process/exe", json!("/tmp/restic")), Misfit::OtherFolder);
        assert_eq!(changed("/process/exe", json!("/usr/bin/cat")), Misfit::Elsewhere);
        assert_eq!(changed("/process/parent", json!("/usr/bin/bash")), Misfit::OtherParent);
        assert_eq!(changed("/process/parent", Value::Null), Misfit::OtherParent);
        assert_eq!(changed("/process/sha256", json!("b".repeat(64))), Misfit::OtherFile);
        assert_eq!(changed("/process/sha256", Value::Null), Misfit::OtherFile);
        assert_eq!(changed("/process/signer", json!("Northwind")), Misfit::OtherSigner);
        assert_eq!(changed("/actor/effective_user", json!("root")), Misfit::Elsewhere);
        assert_eq!(changed("/object/class", json!("ehr")), Misfit::Elsewhere);
        assert_eq!(changed("/time", json!("2026-11-20T23:00:00Z")), Misfit::OtherHours);
        assert_eq!(changed("/time", json!("2026-12-01T03:00:00Z")), Misfit::Over);
    }

    #[test]
    fn a_login_by_the_jobs_account_and_a_driven_session_are_not_the_job() {
        for (field, value) in
            [("from", json!("10.0.4.17")), ("from", json!("tty2")), ("key", json!("SHA256:x"))]
        {
            let mut event = backup();
            event["actor"][field] = value;
            assert_eq!(fit_of(event, None), Err(Misfit::LoggedIn), "{field}");
        }
        let driven = Err(Misfit::RemoteControl("AnyDesk".to_owned()));
        assert_eq!(fit_of(backup(), Some("AnyDesk")), driven);
        let mut event = backup();
        event["actor"]["tool"] = json!("AnyDesk");
        assert_eq!(fit_of(event, None), driven);
    }
}
