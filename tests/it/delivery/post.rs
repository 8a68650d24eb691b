//! Servers that mails and notices end up at, and certificates for them.

use std::fs;
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, Result};
use ntk_tests::program::Running;
use ntk_tests::{skip, wait};
use serde_json::Value;

/// How long anything here may take to arrive.
pub(crate) const WITHIN: Duration = Duration::from_secs(60);
/// Who signs in at the mail server.
pub(crate) const USER: &str = "reviews@example.com";
/// With what.
pub(crate) const PASSWORD: &str = "correct horse battery";

/// The Python that has aiosmtpd; skips where there is none.
pub(crate) fn python(test: &str) -> Option<String> {
    let python = std::env::var("NTK_PYTHON").unwrap_or_else(|_| "python3".into());
    let mut has = Command::new(&python);
    has.args(["-c", "import aiosmtpd"]).stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
    let has = has.status().is_ok_and(|status| status.success());
    if !has {
        skip::skip(&format!("delivery::{test}"), "aiosmtpd is not installed; tests/run installs it");
    }
    has.then_some(python)
}

/// A port on loopback that was free a moment ago.
pub(crate) fn free_port() -> Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// A certificate for a name, and its key, in a folder.
pub(crate) fn certificate(folder: &Path, name: &str) -> Result<(PathBuf, PathBuf)> {
    let made = rcgen::generate_simple_self_signed(vec![name.to_owned()])?;
    let files = (folder.join(format!("{name}.pem")), folder.join(format!("{name}.key")));
    fs::write(&files.0, made.cert.pem())?;
    fs::write(&files.1, made.signing_key.serialize_pem())?;
    Ok(files)
}

/// A server that keeps what comes.
pub(crate) struct Post {
    _running: Running,
    folder: PathBuf,
}

impl Post {
    /// A mail server with STARTTLS and sign-in.
    pub(crate) fn mail(python: &str, folder: &Path, port: u16, tls: &(PathBuf, PathBuf)) -> Result<Self> {
        let (certificate, key) = (tls.0.to_string_lossy().into_owned(), tls.1.to_string_lossy().into_owned());
        Self::start(python, folder, port, &["mail"], &[&certificate, &key, USER, PASSWORD])
    }

    /// A web server, with TLS where there is a certificate.
    pub(crate) fn web(
        python: &str,
        folder: &Path,
        port: u16,
        tls: Option<&(PathBuf, PathBuf)>,
    ) -> Result<Self> {
        let files: Vec<String> = tls
            .iter()
            .flat_map(|(one, other)| [one, other])
            .map(|path| path.to_string_lossy().into_owned())
            .collect();
        let files: Vec<&str> = files.iter().map(String::as_str).collect();
        Self::start(python, folder, port, &["web"], &files)
    }

    fn start(python: &str, folder: &Path, port: u16, kind: &[&str], more: &[&str]) -> Result<Self> {
        fs::create_dir_all(folder)?;
        let script = folder.with_extension("py");
        fs::write(&script, include_str!("server.py"))?;
        let mut command = Command::new(python);
        command.arg(&script).args(kind).arg(folder).arg(port.to_string()).args(more);
        let mut running = Running::spawn("server.py", command, &folder.with_extension("log"))?;
        wait::until_so("the test's server to listen", WITHIN, || {
            running.ensure_running()?;
            Ok(TcpStream::connect(("127.0.0.1", port)).is_ok())
        })?;
        Ok(Self { _running: running, folder: folder.to_owned() })
    }

    /// Everything that came, in order.
    pub(crate) fn all(&self) -> Result<Vec<Value>> {
        let mut files: Vec<PathBuf> =
            fs::read_dir(&self.folder)?.map(|file| Ok(file?.path())).collect::<Result<_>>()?;
        files.retain(|file| file.extension().is_some_and(|kind| kind == "json"));
        files.sort();
        files.iter().map(|file| Ok(serde_json::from_slice(&fs::read(file)?)?)).collect()
    }

    /// Waits for the first that fits.
    pub(crate) fn comes(&self, what: &str, fits: impl Fn(&Value) -> bool) -> Result<Value> {
        wait::until(what, WITHIN, || Ok(self.all()?.into_iter().find(|row| fits(row))))
            .with_context(|| format!("what came: {:?}", self.all().unwrap_or_default()))
    }
}

/// A text field of something that came.
pub(crate) fn text<'a>(row: &'a Value, key: &str) -> &'a str {
    row[key].as_str().unwrap_or_default()
}
