//! A browser without a screen: curl with a folder for its cookies, forms with their tokens, sign-in as any role.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_collector::account::totp;
use tempfile::TempDir;

use crate::practice::Practice;
use crate::program::text;
use crate::wait;

/// The manager's passphrase.
pub const PASSPHRASE: &str = "correct horse battery staple";

/// An answer.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Status.
    pub status: u16,
    /// Headers as they came.
    pub headers: String,
    /// Body as text.
    pub body: String,
}

impl Answer {
    /// Where a redirect leads, as a path.
    pub fn leads_to(&self) -> Option<&str> {
        self.header("location")
    }

    /// A header, the first of its name.
    pub fn header(&self, name: &str) -> Option<&str> {
        let lines = self.headers.lines().filter_map(|line| line.split_once(':'));
        lines.filter(|(have, _)| have.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim()).next()
    }

    /// What stands between two texts, the first time.
    pub fn between(&self, before: &str, after: &str) -> Option<&str> {
        Some(self.body.split_once(before)?.1.split_once(after)?.0)
    }

    /// The token of the page's forms.
    pub fn csrf(&self) -> Option<&str> {
        self.between("name=\"csrf\" value=\"", "\"")
    }
}

/// One browser with its cookies.
#[derive(Debug)]
pub struct Browser {
    origin: String,
    authority: PathBuf,
    folder: TempDir,
    csrf: String,
}

/// What somebody who is set up signs in with.
#[derive(Clone, Debug)]
pub struct Credentials {
    /// Id of the person.
    pub person: String,
    /// Their passphrase.
    pub passphrase: String,
    /// The secret of their app.
    pub secret: Vec<u8>,
    /// Recovery codes that are left.
    pub recovery: Vec<String>,
}

impl Browser {
    /// A browser that trusts the practice's own authority.
    pub fn open(practice: &Practice) -> Result<Self> {
        Ok(Self {
            origin: practice.console_origin(),
            authority: practice.dir().join("private/authority.pem"),
            folder: tempfile::tempdir()?,
            csrf: String::new(),
        })
    }

    /// A GET.
    pub fn get(&mut self, path: &str) -> Result<Answer> {
        let answer = self.ask(&[], path)?;
        if let Some(csrf) = answer.csrf() {
            self.csrf = csrf.to_owned();
        }
        Ok(answer)
    }

    /// A form, with the token of the last page.
    pub fn post(&mut self, path: &str, fields: &[(&str, &str)]) -> Result<Answer> {
        let token = format!("csrf={}", self.csrf);
        let origin = self.origin.clone();
        self.post_so(path, fields, &[&token], &[&format!("Origin: {origin}")])
    }

    /// A form with exactly these fields more, as they are, and these headers.
    pub fn post_so(
        &mut self,
        path: &str,
        fields: &[(&str, &str)],
        raw: &[&str],
        headers: &[&str],
    ) -> Result<Answer> {
        let fields: Vec<String> = fields.iter().map(|(name, value)| format!("{name}={value}")).collect();
        let mut arguments = vec!["-X", "POST"];
        for header in headers {
            arguments.extend(["-H", header]);
        }
        for field in fields.iter().map(String::as_str).chain(raw.iter().copied()) {
            arguments.extend(["--data-urlencode", field]);
        }
        if fields.is_empty() && raw.is_empty() {
            arguments.extend(["--data", ""]);
        }
        self.ask(&arguments, path)
    }

    /// A request of the JSON API with the session's token.
    pub fn post_json(&mut self, path: &str, body: &serde_json::Value) -> Result<Answer> {
        let (origin, token) = (format!("Origin: {}", self.origin), format!("X-CSRF-Token: {}", self.csrf));
        let body = body.to_string();
        let kind = "Content-Type: application/json";
        self.ask(&["-X", "POST", "-H", &origin, "-H", &token, "-H", kind, "--data-raw", &body], path)
    }

    /// curl with these arguments.
    pub fn ask(&self, arguments: &[&str], path: &str) -> Result<Answer> {
        let jar = self.jar().display().to_string();
        let authority = self.authority.display().to_string();
        let url =
            if path.starts_with("https://") { path.to_owned() } else { format!("{}{path}", self.origin) };
        let output = Command::new("curl")
            .args([
                "-sS",
                "-i",
                "--path-as-is",
                "--globoff",
                "--noproxy",
                "*",
                "--max-time",
                "60",
                "--cacert",
                &authority,
            ])
            .args(["-b", &jar, "-c", &jar])
            .args(arguments)
            .arg(&url)
            .output()?;
        ensure!(output.status.success(), "curl {url}: {}", text(&output.stderr));
        let said = text(&output.stdout);
        let (headers, body) = said.split_once("\r\n\r\n").with_context(|| format!("no headers in {said}"))?;
        let status = headers.split_whitespace().nth(1).and_then(|status| status.parse().ok());
        Ok(Answer {
            status: status.with_context(|| format!("no status in {headers}"))?,
            headers: headers.to_owned(),
            body: body.to_owned(),
        })
    }

    /// What a path gives, byte for byte, as a file.
    pub fn save(&self, path: &str, file: &str) -> Result<()> {
        let answer = self.ask(&["--output", file, "--dump-header", "-", "--no-include"], path);
        let answer = answer.with_context(|| format!("saving {path}"))?;
        ensure!(answer.status == 200, "{path} answers {}", answer.status);
        Ok(())
    }

    /// The file with its cookies.
    pub fn jar(&self) -> PathBuf {
        self.folder.path().join("cookies")
    }

    /// The token of the last page.
    pub fn csrf(&self) -> &str {
        &self.csrf
    }

    /// Opens a one-time link and sets up passphrase and second factor; signed in afterwards.
    pub fn set_up(&mut self, link: &str, fields: &[(&str, &str)]) -> Result<Credentials> {
        let page = self.get(link)?;
        ensure!(page.status == 200, "the link answers {}: {}", page.status, page.body);
        let person = fields.iter().find(|(name, _)| *name == "person").map(|(_, value)| (*value).to_owned());
        let person = person.or_else(|| page.between("short name is <b>", "</b>").map(str::to_owned));
        let path = link.strip_prefix(&self.origin).unwrap_or(link).to_owned();
        let mut all = vec![("passphrase", PASSPHRASE), ("again", PASSPHRASE)];
        all.extend_from_slice(fields);
        let answer = self.post(&path, &all)?;
        ensure!(
            answer.leads_to() == Some("/second-factor"),
            "set-up answers {}: {}",
            answer.status,
            answer.body
        );
        let page = self.get("/second-factor")?;
        let spelled = page.between("key-text\">", "</code>").context("the page spells the secret")?;
        let secret = unspelled(spelled);
        let code = code(&secret, Timestamp::now());
        let page = self.post("/second-factor", &[("code", &code)])?;
        ensure!(page.status == 200, "the second factor answers {}: {}", page.status, page.body);
        let codes = page.between("<ul class=\"codes\">", "</ul>").context("the page shows codes")?;
        let recovery = codes.split("<code>").skip(1).filter_map(|part| part.split('<').next());
        Ok(Credentials {
            person: person.context("a link is for somebody")?,
            passphrase: PASSPHRASE.to_owned(),
            secret,
            recovery: recovery.map(str::to_owned).collect(),
        })
    }

    /// Signs in with a recovery code: a code of the app works once in half a minute.
    pub fn sign_in(&mut self, who: &mut Credentials) -> Result<Answer> {
        self.get("/sign-in")?;
        let code = who.recovery.pop().context("a recovery code is left")?;
        self.post("/sign-in", &[("name", &who.person), ("passphrase", &who.passphrase), ("code", &code)])
    }
}

/// The code that the app shows.
pub fn code(secret: &[u8], at: Timestamp) -> String {
    format!("{:06}", totp::code(secret, totp::step(at.as_second())))
}

/// The secret that a page spells in base32.
fn unspelled(spelled: &str) -> Vec<u8> {
    let mut bits = 0u32;
    let mut n_bits = 0u32;
    let mut bytes = Vec::new();
    for letter in spelled.bytes().filter(u8::is_ascii_alphanumeric) {
        let value = if letter.is_ascii_digit() { letter - b'2' + 26 } else { letter - b'A' };
        bits = (bits << 5) | u32::from(value);
        n_bits += 5;
        if n_bits >= 8 {
            n_bits -= 8;
            bytes.push((bits >> n_bits).to_le_bytes()[0]);
            bits &= (1 << n_bits) - 1;
        }
    }
    bytes
}

/// The set-up link that a first start printed.
pub fn set_up_link(practice: &Practice) -> Result<String> {
    let beginning = format!("{}/set-up/", practice.console_origin());
    wait::until("the set-up link", Duration::from_secs(20), || {
        let log = practice.collector_log();
        let mut words = log.split_whitespace().filter(|word| word.starts_with(&beginning));
        Ok(words.next_back().map(str::to_owned))
    })
}

/// A practice of which Mary Lopez is the manager, and her browser, signed in.
pub fn with_manager() -> Result<(Practice, Browser, Credentials)> {
    let practice = Practice::start()?;
    let mut browser = Browser::open(&practice)?;
    let link = set_up_link(&practice)?;
    let mary = browser.set_up(&link, &[("person", "mary"), ("name", "Mary Lopez")])?;
    Ok((practice, browser, mary))
}
