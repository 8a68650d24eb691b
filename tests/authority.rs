//! A time-stamping authority of the tests' own: `openssl ts -reply` behind a tiny HTTP server, in moods that a real
//! one, or somebody in between, might have.

use std::fs;
use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use anyhow::{Context as _, Result, ensure};

use crate::program;

const CONFIGURATION: &str = "[tsa]\ndefault_tsa=t\n[t]\ndir=.\nserial=./serial\ncrypto_device=builtin\nsigner_cert=./tsa.crt\n\
signer_key=./tsa.key\nsigner_digest=sha256\ndefault_policy=1.2.3.4.1\ndigests=sha256\naccuracy=secs:1\nordering=yes\n\
tsa_name=yes\ness_cert_id_chain=no\ness_cert_id_alg=sha256\n[v3tsa]\nbasicConstraints=critical,CA:false\n\
keyUsage=critical,digitalSignature\nextendedKeyUsage=critical,timeStamping\n[v3ca]\nbasicConstraints=critical,CA:true\n\
keyUsage=critical,keyCertSign,cRLSign\nsubjectKeyIdentifier=hash\n[req]\ndistinguished_name=dn\n[dn]\n";

/// How the authority answers.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mood {
    /// As asked.
    #[default]
    Honest,
    /// The answer to another nonce.
    OtherNonce,
    /// The answer to another imprint.
    OtherImprint,
    /// A page.
    Garbage,
    /// Five megabytes.
    Endless,
    /// The connection is closed.
    Closes,
    /// Nothing, and the connection stays open.
    Silent,
    /// A no.
    Rejects,
    /// What it answered first, again.
    Replays,
    /// HTTP status 404.
    NotFound,
}

#[derive(Debug, Default)]
struct Shared {
    mood: Mood,
    first: Option<Vec<u8>>,
    asked: usize,
    // Held so that a silent one closes nothing.
    held: Vec<TcpStream>,
}

/// An authority that listens until the test ends.
#[derive(Debug)]
pub struct Authority {
    folder: PathBuf,
    address: SocketAddr,
    shared: Arc<Mutex<Shared>>,
}

impl Authority {
    /// Whether openssl is there.
    pub fn is_possible() -> bool {
        Command::new("openssl").arg("version").output().is_ok_and(|output| output.status.success())
    }

    /// Makes its certificates in a folder and lets it listen.
    pub fn start(folder: &Path) -> Result<Self> {
        fs::create_dir_all(folder)?;
        fs::write(folder.join("tsa.cnf"), CONFIGURATION)?;
        fs::write(folder.join("serial"), "01\n")?;
        for line in [
            "req -config tsa.cnf -x509 -newkey rsa:2048 -nodes -keyout ca.key -out ca.crt -days 30 -subj /CN=TestCA -extensions v3ca",
            "req -config tsa.cnf -newkey rsa:2048 -nodes -keyout tsa.key -out tsa.csr -subj /O=Example/CN=TestTSA",
            "x509 -req -in tsa.csr -CA ca.crt -CAkey ca.key -CAcreateserial -out tsa.crt -days 30 -extfile tsa.cnf -extensions v3tsa",
        ] {
            succeeds(folder, line)?;
        }
        let chain = fs::read_to_string(folder.join("ca.crt"))? + &fs::read_to_string(folder.join("tsa.crt"))?;
        fs::write(folder.join("chain.pem"), chain)?;
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        let shared = Arc::new(Mutex::new(Shared::default()));
        let (theirs, place) = (Arc::clone(&shared), folder.to_owned());
        std::thread::spawn(move || {
            for stream in listener.incoming().map_while(Result::ok) {
                // One after the other: the serial file is openssl's.
                let _ = answer(stream, &place, &theirs);
            }
        });
        Ok(Self { folder: folder.to_owned(), address, shared })
    }

    /// Lets it answer otherwise from now on.
    pub fn set(&self, mood: Mood) {
        lock(&self.shared).mood = mood;
    }

    /// How often it was asked.
    pub fn asked(&self) -> usize {
        lock(&self.shared).asked
    }

    /// Its folder: `ca.crt`, `tsa.crt`, `chain.pem` of both.
    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// `[time_stamps]` of a collector that asks it this often.
    pub fn section(&self, every_minutes: u32) -> String {
        format!(
            "\n[time_stamps]\nurl = \"http://{}/tsr\"\nevery_minutes = {every_minutes}\ncertificates = \"{}\"\n",
            self.address,
            self.folder.join("chain.pem").display()
        )
    }

    /// Answers a request in a file by hand.
    pub fn reply(&self, query: &Path, out: &Path) -> Result<()> {
        fs::write(out, reply(&self.folder, &fs::read(query)?)?)?;
        Ok(())
    }
}

/// Runs openssl in a folder; whether it succeeded, and what it said.
pub fn openssl(folder: &Path, line: &str) -> Result<(bool, String)> {
    let output =
        Command::new("openssl").args(line.split(' ')).current_dir(folder).stdin(Stdio::null()).output()?;
    Ok((output.status.success(), program::text(&output.stdout) + &program::text(&output.stderr)))
}

fn succeeds(folder: &Path, line: &str) -> Result<()> {
    let (done, said) = openssl(folder, line)?;
    ensure!(done, "openssl {line}: {said}");
    Ok(())
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

fn reply(folder: &Path, query: &[u8]) -> Result<Vec<u8>> {
    fs::write(folder.join("query"), query)?;
    succeeds(folder, "ts -reply -config tsa.cnf -section t -queryfile query -out token")?;
    Ok(fs::read(folder.join("token"))?)
}

fn answer(stream: TcpStream, folder: &Path, shared: &Mutex<Shared>) -> Result<()> {
    let mut reader = BufReader::new(stream);
    let (mut line, mut length) = (String::new(), 0usize);
    loop {
        line.clear();
        reader.read_line(&mut line)?;
        match line.trim().to_ascii_lowercase().split_once(": ") {
            Some(("content-length", value)) => length = value.parse()?,
            _ if line.trim().is_empty() => break,
            _ => {}
        }
    }
    let mut query = vec![0; length.min(4096)];
    reader.read_exact(&mut query)?;
    let mut stream = reader.into_inner();
    let mood = {
        let mut shared = lock(shared);
        shared.asked += 1;
        shared.mood
    };
    // The imprint ends 56 bytes into the request; the nonce ends before `certReq TRUE`.
    let flip = |query: &[u8], at: usize| -> Result<Vec<u8>> {
        let mut other = query.to_vec();
        *other.get_mut(at).context("a request of the usual form")? ^= 1;
        Ok(other)
    };
    let body = match mood {
        Mood::Honest => reply(folder, &query)?,
        Mood::OtherNonce => reply(folder, &flip(&query, query.len().saturating_sub(4))?)?,
        Mood::OtherImprint => reply(folder, &flip(&query, 30)?)?,
        Mood::Garbage => b"<html>not here</html>".to_vec(),
        Mood::Endless => vec![0x30; 5 << 20],
        Mood::Rejects => vec![0x30, 5, 0x30, 3, 2, 1, 2],
        Mood::Replays => lock(shared).first.clone().context("a first answer")?,
        Mood::NotFound => Vec::new(),
        Mood::Closes => return Ok(()),
        Mood::Silent => {
            lock(shared).held.push(stream);
            return Ok(());
        }
    };
    if mood == Mood::Honest {
        lock(shared).first.get_or_insert_with(|| body.clone());
    }
    let status = if mood == Mood::NotFound { "404 Not Found" } else { "200 OK" };
    let head = format!(
        "HTTP/1.1 {status}\r\nContent-Type: application/timestamp-reply\r\nContent-Length: {}\r\nConnection: close\r\n\r\n",
        body.len()
    );
    stream.write_all(head.as_bytes())?;
    stream.write_all(&body)?;
    Ok(())
}
