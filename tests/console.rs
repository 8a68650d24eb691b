//! A browser without a screen: curl with a folder for its cookies, forms with their tokens, sign-in as any role.

use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context as _, Result, ensure};
use jiff::Timestamp;
use ntk_collector::account::{Role, totp};
use ntk_collector::console::COOKIE;
use ntk_collector::console::table::Row;
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

    /// Whether the gate let nobody through: told to sign in, or that the role does not.
    pub fn is_shut(&self) -> bool {
        let away = |to: &str| to.starts_with("/sign-in") || to.starts_with("/second-factor");
        [401, 403].contains(&self.status) || (self.status == 303 && self.leads_to().is_some_and(away))
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
    /// The own address, where it matters from where somebody asks.
    from: Option<String>,
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
            from: None,
        })
    }

    /// The same from another address of loopback.
    #[must_use]
    pub fn from(mut self, address: &str) -> Self {
        self.from = Some(address.to_owned());
        self
    }

    /// A thief with a copy of this browser's cookies and of the token of its last page.
    pub fn stolen(&self) -> Result<Self> {
        let thief = Self {
            origin: self.origin.clone(),
            authority: self.authority.clone(),
            folder: tempfile::tempdir()?,
            csrf: self.csrf.clone(),
            from: Some("127.0.0.9".to_owned()),
        };
        let cookies = std::fs::read_to_string(self.jar())?;
        ensure!(cookies.contains(COOKIE), "there is a session to steal: {cookies}");
        std::fs::write(thief.jar(), cookies)?;
        Ok(thief)
    }

    /// [`Browser::stolen`], used at the console of another practice.
    pub fn stolen_at(&self, other: &Practice) -> Result<Self> {
        let thief = self.stolen()?;
        let authority = other.dir().join("private/authority.pem");
        Ok(Self { origin: other.console_origin(), authority, from: None, ..thief })
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
            .args(self.from.iter().flat_map(|address| ["--interface", address]))
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

    /// A request of the table with this token in place of the session's own.
    pub fn post_with_token(&self, path: &str, token: Option<&str>) -> Result<Answer> {
        let origin = format!("Origin: {}", self.origin);
        if path.starts_with("/api/") {
            let token = token.map(|token| format!("X-CSRF-Token: {token}"));
            let mut arguments = vec!["-X", "POST", "-H", &origin, "-H", "Content-Type: application/json"];
            arguments.extend(token.iter().flat_map(|token| ["-H", token.as_str()]));
            return self.ask(&[&arguments[..], &["--data-raw", "{}"]].concat(), path);
        }
        let token = token.map_or_else(String::new, |token| format!("csrf={token}"));
        self.ask(&["-X", "POST", "-H", &origin, "--data-urlencode", &token], path)
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

    /// The secret of the session, as its cookie has it.
    pub fn cookie(&self) -> Result<String> {
        let jar = std::fs::read_to_string(self.jar())?;
        let line = jar.lines().find(|line| line.contains(COOKIE)).context("a session")?;
        Ok(line.split_whitespace().next_back().context("a secret")?.to_owned())
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

/// A path of the table with something in the place of its names, that is nothing's name.
pub fn filled(path: &str) -> String {
    let parts = path.split('/').map(|part| match part {
        "{name}" => "none.html",
        "{step}" => "people",
        "{token}" | "{id}" => "0000000000000000",
        part if part.starts_with('{') => "nobody",
        part => part,
    });
    parts.collect::<Vec<_>>().join("/")
}

/// A request of the table as a browser that is signed in sends it, with nothing in it.
pub fn ask_row(browser: &mut Browser, row: &Row) -> Result<Answer> {
    let path = filled(row.path);
    match (row.method, path.starts_with("/api/")) {
        ("GET", _) => browser.ask(&[], &path),
        (_, true) => browser.post_json(&path, &serde_json::json!({})),
        // A form without what it needs: it gets through the gate, and does nothing.
        (_, false) => browser.post(&path, &[]),
    }
}

/// Lets a person in with a role by the command line; their browser, signed in.
pub fn let_in(practice: &Practice, person: &str, role: &[&str]) -> Result<(Browser, Credentials)> {
    let file = marys_passphrase(practice)?;
    let mut arguments = vec!["account", "add", person, "--by", "mary", "--passphrase-file", &file, "--role"];
    arguments.extend_from_slice(role);
    let said = practice.collector(&arguments)?;
    let link = said.split_whitespace().find(|word| word.starts_with("https://")).context("a link")?;
    let mut browser = Browser::open(practice)?;
    let credentials = browser.set_up(link, &[])?;
    Ok((browser, credentials))
}

/// The file with the manager's passphrase, for the command line.
pub fn marys_passphrase(practice: &Practice) -> Result<String> {
    let file = practice.folder().join("marys-passphrase");
    std::fs::write(&file, PASSPHRASE)?;
    Ok(file.to_string_lossy().into_owned())
}

/// One browser a role, signed in, and one of nobody: chen reviews, lee is an attorney, otto keeps it running, sam is a
/// person.
pub fn of_every_role(practice: &Practice, mary: Browser) -> Result<Vec<(Option<Role>, Browser)>> {
    practice.import_people("chen", "lee", "otto", "sam")?;
    let attorney = Role::Attorney { case: "C-1".into() };
    Ok(vec![
        (Some(Role::Manager), mary),
        (Some(Role::Reviewer), let_in(practice, "chen", &["reviewer"])?.0),
        (Some(attorney), let_in(practice, "lee", &["attorney", "--case", "C-1"])?.0),
        (Some(Role::Operator), let_in(practice, "otto", &["operator"])?.0),
        (Some(Role::Person), let_in(practice, "sam", &["person"])?.0),
        (None, Browser::open(practice)?),
    ])
}

/// The set-up link that a first start printed.
pub fn set_up_link(practice: &Practice) -> Result<String> {
    set_up_link_in(practice, || practice.collector_log())
}

/// The same, where the practice's collector says it somewhere else.
pub fn set_up_link_in(practice: &Practice, said: impl Fn() -> String) -> Result<String> {
    let beginning = format!("{}/set-up/", practice.console_origin());
    wait::until("the set-up link", Duration::from_secs(20), || {
        let log = said();
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
