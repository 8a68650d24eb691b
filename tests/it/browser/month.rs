//! A manager's month: what the browser shows is walked by `month.py`; what machines, mail and time do is done here, when
//! the script asks for it.

use std::io::{BufRead as _, BufReader, Write as _};
use std::path::Path;
use std::process::Stdio;

use anyhow::{Context as _, Result, bail, ensure};
use jiff::Timestamp;
use ntk_tests::console::set_up_link;
use ntk_tests::machine::Machine;
use ntk_tests::practice::{Practice, week};
use ntk_tests::{program, recording, wait};

use super::{CHROMIUM, WITHIN, can_look, pictures, reads_a_mailbox, script};
use crate::delivery::post::{Post, free_port, python, text};

/// What happens outside the browser.
struct Outside {
    practice: Practice,
    machines: Vec<Machine>,
    /// Where urgent notices go.
    topic: Post,
}

impl Outside {
    /// Does what a line asks for; what to answer.
    fn does(&mut self, line: &str) -> Result<String> {
        match line.split(' ').collect::<Vec<_>>().as_slice() {
            ["MACHINE", name, token] => self.comes(name, token)?,
            ["READ"] => self.reads()?,
            ["REVIEW"] => return self.review(),
            ["BUNDLE", file] => self.stranger(Path::new(file))?,
            ["AFTER"] => self.after()?,
            other => bail!("the script asks for {other:?}"),
        }
        Ok("done".to_owned())
    }

    /// The first machine: let in with the token of the page, and heard.
    fn comes(&mut self, name: &str, token: &str) -> Result<()> {
        let mut machine = Machine::enroll(self.practice.folder(), name, token)?;
        machine.configure(&recording::configuration(&[], None))?;
        machine.start()?;
        wait::until_so("the machine to be heard", WITHIN, || Ok(self.practice.size_of(name)? > 0))?;
        self.machines.push(machine);
        Ok(())
    }

    /// That machine records that an account reads exports now.
    fn reads(&mut self) -> Result<()> {
        let machine = self.machines.first_mut().context("a machine came")?;
        ensure!(machine.stop()?.success(), "the agent ends in order: {}", machine.log());
        let file = self.practice.folder().join("recording.log");
        let opens = (0..12).map(|number| recording::Open {
            login_uid: 1001,
            session: 7,
            program: "/usr/bin/cat".to_owned(),
            file: recording::file_of("week", number),
        });
        let now = u64::try_from(Timestamp::now().as_second())?;
        recording::write_opens(&file, now, opens, 5)?;
        machine.configure(&recording::configuration(&[&file], None))?;
        machine.start()
    }

    /// The review of the week that is over, kept.
    fn review(&self) -> Result<String> {
        let week = week(1)?;
        let out = self.practice.folder().join("report").to_string_lossy().into_owned();
        self.practice.collector(&["report", "--week", &week, "--out", &out])?;
        Ok(week)
    }

    /// Somebody else checks the bundle that the browser saved.
    fn stranger(&self, file: &Path) -> Result<()> {
        let trust = self.practice.dir().join("trust.txt");
        let arguments = [&file.to_string_lossy(), "--trust", &trust.to_string_lossy()].map(str::to_owned);
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        program::succeed("ntk-verify", &arguments).map(|_| ())
    }

    /// An account of whoever has left is used; the notice comes.
    fn after(&self) -> Result<()> {
        reads_a_mailbox(&self.practice, "ws-01")?;
        let notice = self.topic.comes("the urgent notice", |row| {
            row["headers"]["title"].as_str().is_some_and(|title| title.contains("has left"))
        })?;
        for name in ["Northwind", "itadmin1", "/srv/"] {
            ensure!(!text(&notice, "body").contains(name), "`{name}` stands in {notice}");
        }
        Ok(())
    }
}

#[test]
fn a_managers_month_in_two_browsers_from_the_set_up_link_to_a_departure() -> Result<()> {
    let Some(browser) = can_look("browser::month::a_managers_month") else { return Ok(()) };
    let Some(server) = python("a_managers_month") else { return Ok(()) };
    let port = free_port()?;
    let practice =
        Practice::start_configured(&format!("\n[notices]\nntfy = \"http://127.0.0.1:{port}/a-topic\"\n"))?;
    let topic = Post::web(&server, &practice.folder().join("topic"), port, None)?;
    let link = set_up_link(&practice)?;
    let mut command = script(&browser, "month.py");
    command.args([CHROMIUM, &practice.console_origin(), &link]).arg(pictures()?);
    let log = practice.folder().join("month.log");
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(std::fs::File::create(&log)?);
    let mut outside = Outside { practice, machines: Vec::new(), topic };
    let mut walk = command.spawn()?;
    let (mut to, from) = (walk.stdin.take().context("stdin")?, walk.stdout.take().context("stdout")?);
    let mut told = Vec::new();
    for line in BufReader::new(from).lines() {
        let line = line?;
        if line.starts_with(|first: char| first.is_ascii_uppercase()) && !line.starts_with("FAULT") {
            let answer = outside.does(&line).with_context(|| format!("{line}; so far: {told:?}"))?;
            writeln!(to, "{answer}")?;
        }
        told.push(line);
    }
    let ended = walk.wait()?;
    let said = format!("{}\n{}", told.join("\n"), std::fs::read_to_string(&log)?);
    ensure!(ended.success(), "{said}");
    for part in ["MACHINE", "READ", "REVIEW", "BUNDLE", "AFTER"] {
        ensure!(told.iter().any(|line| line.starts_with(part)), "{part} was not asked for: {said}");
    }
    println!("{said}");
    Ok(())
}
