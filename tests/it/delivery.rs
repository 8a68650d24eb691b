//! Reviews by mail, notices, signs of life: the real collector against a mail server that nobody here wrote, and web
//! servers with and without the right certificate.

pub(crate) mod post;

use std::collections::BTreeSet;
use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};

use anyhow::{Context as _, Result, ensure};
use ntk_tests::attack_table::noticed;
use ntk_tests::crafted::{Answer, Crafted, entry, message};
use ntk_tests::practice::Practice;
use ntk_tests::{skip, wait};
use serde_json::Value;

use crate::crash::{player, reaches};
use crate::refusals::runtime;
use post::{PASSWORD, Post, USER, WITHIN, certificate, free_port, python, text};

/// What no mail and no notice may hold unless the practice chose it.
const NAMES: [&str; 7] = ["Northwind", "itadmin1", "1001", "ws-01", "/srv/", "secret-name", "passwd"];

/// A practice with a mail server for it, and the certificate that the collector trusts.
struct Rig {
    practice: Practice,
    python: String,
    tls: (PathBuf, PathBuf),
    port: u16,
}

impl Rig {
    fn start(test: &str) -> Result<Option<Self>> {
        let Some(python) = python(test) else { return Ok(None) };
        let practice = Practice::start_so(|folder| {
            let file = folder.join("localhost.pem").to_string_lossy().into_owned();
            (Vec::new(), vec![("SSL_CERT_FILE".to_owned(), file)])
        })?;
        let tls = certificate(practice.folder(), "localhost")?;
        Ok(Some(Self { practice, python, tls, port: free_port()? }))
    }

    fn mails(&self) -> Result<Post> {
        Post::mail(&self.python, &self.practice.folder().join("mails"), self.port, &self.tls)
    }

    /// `[mail]` for this server, with more of it.
    fn mail(&self, more: &str) -> String {
        format!(
            "[mail]\nserver = \"localhost\"\nport = {}\nuser = \"{USER}\"\nfrom = \"{USER}\"\nto = [\"mary@example.net\"]\n{more}\n",
            self.port
        )
    }

    /// Puts sections into the configuration of a collector that runs, and waits until they are in force.
    fn configure(&self, sections: &str) -> Result<()> {
        let n = self.steps("addressees")?.len();
        self.write(sections)?;
        wait::until_so("whom it goes to is an act", WITHIN, || Ok(self.steps("addressees")?.len() > n))
    }

    fn write(&self, sections: &str) -> Result<()> {
        let path = self.practice.dir().join("collector.toml");
        let before = fs::read_to_string(&path)?;
        let before = before.split("\n# of the test\n").next().unwrap_or_default();
        Ok(fs::write(&path, format!("{before}\n# of the test\n{sections}"))?)
    }

    fn secret(&self, arguments: &[&str], value: &str) -> Result<()> {
        let file = self.practice.folder().join("secret.txt");
        fs::write(&file, format!("{value}\n"))?;
        self.practice.collector(&[arguments, &["--file", &file.to_string_lossy()]].concat())?;
        Ok(fs::remove_file(&file)?)
    }

    /// Bodies of acts about deliveries with this step.
    fn steps(&self, step: &str) -> Result<Vec<Value>> {
        let acts = self.practice.events(&["--acts"])?;
        let acts = acts.into_iter().filter(|row| row["event"]["kind"] == "act_delivery");
        Ok(acts.map(|row| row["event"]["act"].clone()).filter(|act| act["step"] == step).collect())
    }

    fn send(&self, week: &str) -> Result<()> {
        self.practice.collector(&["report", "--week", week, "--send"]).map(|_| ())
    }

    /// Edits the reviews that were kept: from then on the self-check fails.
    fn breaks_what_it_kept(&self) -> Result<()> {
        self.review()?;
        for file in fs::read_dir(self.practice.dir().join("reports"))? {
            let file = file?.path();
            fs::write(&file, [fs::read(&file)?, b"edited".to_vec()].concat())?;
        }
        let (code, said) = self.practice.try_collector(&["self-check"])?;
        ensure!(code == Some(1), "the self-check passed: {said}");
        Ok(())
    }

    /// The review of this week, as data.
    fn review(&self) -> Result<Value> {
        let out = self.practice.folder().join("out");
        self.practice.collector(&["report", "--out", &out.to_string_lossy()])?;
        Ok(serde_json::from_slice(&fs::read(out.join("report.json"))?)?)
    }
}

fn nameless(text: &str) -> Result<()> {
    for name in NAMES {
        ensure!(!text.contains(name), "`{name}` stands in what was sent: {text}");
    }
    for word in ntk_collector::finding::wording::ACCUSING_WORDS {
        ensure!(!text.to_lowercase().contains(word), "RP-3: `{word}` in {text}");
    }
    Ok(())
}

#[test]
fn a_quiet_a_busy_and_a_broken_week_arrive_signed_in_over_starttls_and_read_well() -> Result<()> {
    let Some(rig) = Rig::start("weeks")? else { return Ok(()) };
    let mails = rig.mails()?;
    let key = rig.practice.folder().join("mary.key");
    let made = Command::new("age-keygen").arg("-o").arg(&key).stdin(Stdio::null()).output();
    if !made.is_ok_and(|made| made.status.success()) {
        skip::skip("delivery::weeks", "the program age-keygen is not installed");
        return Ok(());
    }
    let public = fs::read_to_string(&key)?;
    let public =
        public.lines().find_map(|line| line.strip_prefix("# public key: ")).context("a public key")?;
    rig.secret(&["mail", "password"], PASSWORD)?;
    rig.configure(&rig.mail(&format!("attach = \"encrypted\"\nencrypt_to = [\"{public}\"]")))?;
    assert!(rig.practice.collector(&["mail", "test"])?.contains("ok    mail to mary@example.net"));
    rig.send("2026-W40")?;
    let quiet = mails.comes("the quiet week", |mail| text(mail, "subject").contains("2026-W40"))?;
    assert_eq!((quiet["tls"].as_bool(), quiet["user"].as_str()), (Some(true), Some(USER)), "{quiet}");
    assert_eq!(quiet["to"][0], "mary@example.net");
    assert!(text(&quiet, "subject").starts_with("Weekly access review, week 2026-W40: no"), "{quiet}");
    let file = quiet["files"]["review-2026-W40.html.age"].as_str().context("the attachment")?;
    let sealed = rig.practice.folder().join("review.html.age");
    fs::write(&sealed, ntk_evidence::hash::unbase64(file).context("base64")?)?;
    let opened = Command::new("age").arg("--decrypt").arg("--identity").arg(&key).arg(&sealed).output()?;
    assert!(String::from_utf8_lossy(&opened.stdout).contains("Weekly access review"), "{opened:?}");
    assert!(text(&quiet, "text").contains("--identity KEYFILE --output review-2026-W40.html"), "{quiet}");

    let mut machine = player(&rig.practice, "ws-01", 1001, 5, None)?;
    reaches(&rig.practice, &mut machine, 6)?;
    wait::until_so("a finding", WITHIN, || Ok(!rig.practice.findings()?.is_empty()))?;
    rig.send("2026-W47")?;
    let busy = mails.comes("the busy week", |mail| text(mail, "subject").contains("2026-W47"))?;
    assert!(text(&busy, "subject").ends_with("to decide"), "{busy}");
    for part in ["text", "html"] {
        assert!(text(&busy, part).contains("your decision"), "{busy}");
        nameless(text(&busy, part))?;
    }
    ensure!(machine.stop()?.success(), "the agent ends in order");

    rig.breaks_what_it_kept()?;
    rig.send("2026-W41")?;
    let broken = mails.comes("the broken week", |mail| text(mail, "subject").contains("2026-W41"))?;
    assert!(text(&broken, "subject").contains("something does not work"), "{broken}");
    for part in ["text", "html"] {
        assert!(text(&broken, part).contains("check of itself did not pass"), "{broken}");
        nameless(text(&broken, part))?;
    }
    let ids: BTreeSet<String> = mails.all()?.iter().map(|mail| header(mail, "message-id")).collect();
    assert_eq!(ids.len(), mails.all()?.len(), "each message has an id of its own");
    Ok(())
}

/// A time at which a review is due, less than two minutes ahead.
struct Due {
    section: String,
    second: i64,
}

fn due_soon() -> Result<Due> {
    let zone = jiff::tz::TimeZone::get("America/New_York")?;
    let due = jiff::Timestamp::now().to_zoned(zone) + jiff::SignedDuration::from_secs(60);
    let (day, time) = (due.strftime("%A").to_string().to_lowercase(), due.strftime("%H:%M").to_string());
    let section = format!("[report]\nday = \"{day}\"\ntime = \"{time}\"\n");
    Ok(Due { section, second: due.timestamp().as_second() / 60 * 60 })
}

impl Due {
    /// Waits until it is over.
    fn is_over(&self) -> Result<()> {
        let is_over = || Ok(jiff::Timestamp::now().as_second() > self.second);
        wait::until_so("the time at which the review is due to be over", WITHIN * 2, is_over)
    }
}

fn header(mail: &Value, name: &str) -> String {
    let headers = mail["headers"].as_array().cloned().unwrap_or_default();
    let found = headers.iter().find(|header| header[0] == name).map(|header| header[1].clone());
    found.and_then(|value| value.as_str().map(str::to_owned)).unwrap_or_default()
}

#[test]
fn while_the_mail_server_is_down_a_mail_waits_over_a_crash_and_comes_once() -> Result<()> {
    let Some(mut rig) = Rig::start("down")? else { return Ok(()) };
    rig.secret(&["mail", "password"], PASSWORD)?;
    rig.configure(&rig.mail(""))?;
    rig.send("2026-W40")?;
    wait::until_so("the failure is an act", WITHIN, || Ok(!rig.steps("failed")?.is_empty()))?;
    assert!(text(&rig.steps("failed")?[0], "reason").contains("cannot be reached"));
    rig.practice.kill_collector()?;
    let mails = rig.mails()?;
    rig.practice.start_collector()?;
    wait::until_so("the mail was taken", WITHIN, || Ok(rig.steps("sent")?.len() == 1))?;
    let id = header(&mails.all()?[0], "message-id");
    assert!(id.starts_with("<report-2026-w40-leaf-"), "{id}");
    // A start after it, and another message through the same way, bring nothing twice.
    rig.practice.kill_collector()?;
    rig.practice.start_collector()?;
    rig.send("2026-W41")?;
    mails.comes("the next one", |mail| text(mail, "subject").contains("2026-W41"))?;
    assert_eq!(mails.all()?.len(), 2);
    Ok(())
}

#[test]
fn a_mail_server_that_shows_another_name_gets_neither_password_nor_mail() -> Result<()> {
    let Some(rig) = Rig::start("other name")? else { return Ok(()) };
    rig.secret(&["mail", "password"], PASSWORD)?;
    let other = certificate(rig.practice.folder(), "mail.northwind.example")?;
    // Even one that this machine trusts: it is the name that is wrong.
    let trusted = fs::read_to_string(&rig.tls.0)? + &fs::read_to_string(&other.0)?;
    fs::write(&rig.tls.0, trusted)?;
    let folder = rig.practice.folder().join("theirs");
    let theirs = Post::mail(&rig.python, &folder, rig.port, &other)?;
    rig.configure(&rig.mail(""))?;
    rig.send("2026-W40")?;
    let reason = noticed("mail-server", || {
        wait::until("the failure is an act", WITHIN, || Ok(rig.steps("failed")?.pop()))
    })?;
    assert!(
        text(&reason, "reason").contains("certificate")
            && text(&reason, "reason").contains("nothing was sent"),
        "{reason}"
    );
    assert!(theirs.all()?.is_empty());
    // The twin: the same server with the right certificate.
    drop(theirs);
    let mine = certificate(rig.practice.folder(), "localhost")?;
    let mails = Post::mail(&rig.python, &rig.practice.folder().join("mails"), rig.port, &mine)?;
    assert!(rig.practice.collector(&["mail", "test"])?.contains("taken"));
    mails.comes("the same mail, later", |mail| text(mail, "subject").contains("2026-W40"))?;
    Ok(())
}

#[test]
fn a_review_that_was_due_while_the_collector_was_off_is_made_at_its_start_once() -> Result<()> {
    let Some(mut rig) = Rig::start("schedule")? else { return Ok(()) };
    let mails = rig.mails()?;
    rig.secret(&["mail", "password"], PASSWORD)?;
    let folder = rig.practice.folder().join("stick");
    fs::create_dir(&folder)?;
    rig.practice.stop_collector()?;
    let due = due_soon()?;
    rig.write(&format!("{}folder = {folder:?}\n{}", due.section, rig.mail("")))?;
    due.is_over()?;
    rig.practice.start_collector()?;
    let mail = mails.comes("the review", |mail| text(mail, "subject").starts_with("Weekly access review"))?;
    let week = text(&mail, "subject").split(' ').find(|word| word.starts_with("20")).context("a week")?;
    let week = week.trim_end_matches(':').to_owned();
    wait::until_so("both ways are acts", WITHIN, || Ok(rig.steps("sent")?.len() == 2))?;
    let kept = fs::read(folder.join(format!("{week}.html")))?;
    assert!(
        fs::read_dir(rig.practice.dir().join("reports"))?
            .any(|file| { file.is_ok_and(|file| fs::read(file.path()).is_ok_and(|bytes| bytes == kept)) })
    );
    for _ in 0..2 {
        rig.practice.kill_collector()?;
        rig.practice.start_collector()?;
    }
    assert_eq!(rig.steps("queued")?.len(), 1);
    assert_eq!(mails.all()?.len(), 1);
    Ok(())
}

fn tampered(what: &str) -> String {
    format!(
        "{{\"kind\":\"tamper\",\"time\":\"2026-11-20T15:00:00.000Z\",\"outcome\":\"success\",\
         \"actor\":{{\"login_uid\":1001,\"login_user\":\"itadmin1\",\"confidence\":\"kernel\"}},\
         \"tamper\":{{\"what\":\"{what}\",\"detail\":\"secret-name /srv/passwd\"}},\"source\":{{\"sensor\":\"linux_audit\"}}}}"
    )
}

/// A machine says this.
fn says(practice: &Practice, machine: &str, cores: &[String]) -> Result<()> {
    let token = practice.token(machine)?;
    runtime()?.block_on(async {
        let mut crafted = Crafted::enroll(&practice.address(), &practice.dir(), &token).await?;
        let entries = cores.iter().map(|core| entry(core)).collect::<Result<Vec<_>>>()?;
        let batch = crafted.seal(entries)?;
        let mut stream = crafted.stream().await?;
        stream.send(message(&batch)).await?;
        match stream.answer().await? {
            Answer::Receipt(_) => Ok(()),
            other => anyhow::bail!("no receipt but {other:?}"),
        }
    })
}

#[test]
fn a_cleared_log_is_told_within_minutes_each_way_without_names_though_one_way_is_down() -> Result<()> {
    let Some(rig) = Rig::start("notices")? else { return Ok(()) };
    let (topic, gateway, life) = (free_port()?, free_port()?, free_port()?);
    let folder = rig.practice.folder();
    let topic_server = Post::web(&rig.python, &folder.join("topic"), topic, None)?;
    let gateway_server = Post::web(&rig.python, &folder.join("gateway"), gateway, Some(&rig.tls))?;
    let life_server = Post::web(&rig.python, &folder.join("life"), life, None)?;
    rig.secret(&["mail", "password"], PASSWORD)?;
    rig.secret(&["notice", "secret"], "of the gateway")?;
    // The mail server is not there yet: the others do not wait for it.
    rig.configure(&format!(
        "{}[notices]\nmail = [\"mary@example.net\"]\nntfy = \"http://127.0.0.1:{topic}/a-topic\"\nwebhook = \"https://localhost:{gateway}/sms?to=1\"\nheartbeat_url = \"http://127.0.0.1:{life}/ping/abc\"\n",
        rig.mail("")
    ))?;
    life_server.comes("a sign of life", |row| text(row, "path") == "/ping/abc")?;
    says(&rig.practice, "ws-01", &[tampered("log_cleared")])?;
    let pushed = noticed("log-cleared-notice", || topic_server.comes("the push message", |_| true))?;
    let posted = gateway_server.comes("the gateway's message", |_| true)?;
    assert_eq!(text(&posted, "path"), "/sms?to=1");
    assert_eq!(posted["headers"]["x-need-to-know-secret"], "of the gateway");
    let body: Value = serde_json::from_str(text(&posted, "body"))?;
    assert!(text(&body, "title").contains("a log was cleared"), "{body}");
    assert!(
        pushed["headers"]["title"].as_str().is_some_and(|title| title.contains("a log was cleared")),
        "{pushed}"
    );
    nameless(text(&pushed, "body"))?;
    nameless(text(&posted, "body"))?;
    let mails = rig.mails()?;
    let mail = mails.comes("the mail, later", |_| true)?;
    assert!(text(&mail, "text").contains("Look at: Findings"), "{mail}");
    nameless(&format!("{}{}", text(&mail, "text"), text(&mail, "subject")))?;
    wait::until_so("three ways are acts", WITHIN, || Ok(rig.steps("sent")?.len() == 3))?;
    assert_eq!(
        (topic_server.all()?.len(), gateway_server.all()?.len(), mails.all()?.len()),
        (1, 1, 1),
        "each once"
    );
    assert!(rig.practice.collector(&["notice", "test"])?.matches("ok    ").count() == 3);
    let review = rig.review()?.to_string();
    assert!(review.contains("A notice was sent out: On a computer the recording was changed"), "{review}");
    Ok(())
}

#[test]
fn a_gateway_that_shows_another_name_gets_nothing_and_a_broken_ledger_ends_the_signs_of_life() -> Result<()> {
    let Some(rig) = Rig::start("gateway")? else { return Ok(()) };
    let (gateway, life) = (free_port()?, free_port()?);
    let folder = rig.practice.folder().to_owned();
    let other = certificate(&folder, "gateway.example")?;
    let gateway_server = Post::web(&rig.python, &folder.join("gateway"), gateway, Some(&other))?;
    let life_server = Post::web(&rig.python, &folder.join("life"), life, None)?;
    rig.configure(&format!(
        "[notices]\nwebhook = \"https://localhost:{gateway}/\"\nheartbeat_url = \"http://127.0.0.1:{life}/ping\"\n"
    ))?;
    let (code, said) = rig.practice.try_collector(&["notice", "test"])?;
    assert_eq!(code, Some(1), "{said}");
    assert!(said.contains("nothing was sent"), "{said}");
    assert!(gateway_server.all()?.is_empty());
    let (code, said) = rig.practice.try_collector(&["mail", "check"])?;
    assert_eq!(code, Some(1), "{said}");
    for warning in
        ["one way only", "No review is made by itself", "an address inside the practice", "MX records"]
    {
        assert!(said.contains(warning), "{warning} in {said}");
    }
    life_server.comes("a sign of life", |row| text(row, "path") == "/ping")?;
    rig.breaks_what_it_kept()?;
    let failed = life_server.comes("that it cannot vouch", |row| text(row, "path") == "/ping/fail")?;
    assert!(text(&failed, "body").contains("did not pass"), "{failed}");
    Ok(())
}

#[test]
fn an_outbox_that_is_deleted_is_told_and_the_review_is_sent_all_the_same() -> Result<()> {
    let Some(mut rig) = Rig::start("outbox")? else { return Ok(()) };
    rig.secret(&["mail", "password"], PASSWORD)?;
    let due = due_soon()?;
    rig.configure(&format!("{}{}", due.section, rig.mail("")))?;
    due.is_over()?;
    wait::until_so("the mail waits", WITHIN, || Ok(!rig.steps("failed")?.is_empty()))?;
    assert!(rig.steps("missing")?.is_empty(), "the twin: nothing was removed");
    rig.practice.stop_collector()?;
    for file in fs::read_dir(rig.practice.dir().join("private"))? {
        let file = file?.path();
        if file.file_name().is_some_and(|name| name.to_string_lossy().starts_with("outbox-")) {
            fs::remove_file(file)?;
        }
    }
    let mails = rig.mails()?;
    rig.practice.start_collector()?;
    let missing = noticed("outbox", || {
        wait::until("that it is gone is an act", WITHIN, || Ok(rig.steps("missing")?.pop()))
    })?;
    assert_eq!(text(&missing, "way"), "mail to mary@example.net");
    let week = text(&missing, "week").to_owned();
    mails.comes("the review all the same", |mail| text(mail, "subject").contains(&week))?;
    let review = rig.review()?;
    let more = review["verdict"]["more"].to_string();
    assert!(more.contains("was removed from the collector’s outbox"), "{more}");
    Ok(())
}

#[test]
fn whoever_changes_who_gets_the_reviews_stands_beside_the_next_verdict() -> Result<()> {
    let Some(mut rig) = Rig::start("addressees")? else { return Ok(()) };
    rig.configure(&rig.mail(""))?;
    rig.practice.stop_collector()?;
    rig.practice.start_collector()?;
    assert_eq!(rig.steps("addressees")?.len(), 1, "the twin: a start changes nothing");
    rig.practice.stop_collector()?;
    let path = rig.practice.dir().join("collector.toml");
    fs::write(&path, fs::read_to_string(&path)?.replace("mary@example.net", "mary@northwind.example"))?;
    rig.practice.start_collector()?;
    noticed("addressees", || {
        wait::until_so("the change is an act", WITHIN, || Ok(rig.steps("addressees")?.len() == 2))
    })?;
    let more = rig.review()?["verdict"]["more"].to_string();
    assert!(more.contains("mail to mary@northwind.example"), "{more}");
    // No address or name ends a header: such a configuration is not used at all.
    rig.practice.stop_collector()?;
    fs::write(
        &path,
        fs::read_to_string(&path)?.replace("mary@northwind.example", "mary@a.example\\r\\nBcc: x@b.example"),
    )?;
    let (code, said) = rig.practice.try_collector(&["check"])?;
    assert_eq!(code, Some(78), "{said}");
    assert!(said.contains("`mail.to`") && said.contains("is not an address"), "{said}");
    Ok(())
}
