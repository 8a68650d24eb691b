//! The JSON API's own description, judged by PyPI's openapi-spec-validator, and the collector that answers as described
//! while PyPI's schemathesis sends it thousands of requests, well formed and not. Each with a twin that they refuse.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, ensure};
use ntk_collector::console::COOKIE;
use ntk_collector::console::table::Row;
use ntk_collector::console::table::api::API;
use ntk_tests::console::{PASSPHRASE, with_manager};
use ntk_tests::practice::Practice;
use ntk_tests::strangers::{Checks, judged};
use ntk_tests::{program, skip};
use serde_json::{Value, json};

use super::{run, tool};

/// How long schemathesis may go on, seconds: it repeats what it does until then.
const SECONDS: &str = "60";
/// How long with one request only.
const SECONDS_OF_ONE: &str = "5";

/// What is to hold for each answer. 5xx is a fault, 503 too: nothing that this practice needs is away.
const HOLDS: &str =
    "not_a_server_error,status_code_conformance,content_type_conformance,response_schema_conformance";

/// A program beside the interpreter that `tests/run` prepared.
fn beside_python(program: &str) -> Option<PathBuf> {
    let test = format!("foreign::api with {program}");
    let found = tool("NTK_PYTHON", &test)?.with_file_name(program);
    if !found.is_file() {
        skip::skip(&test, &format!("{program} is not installed"));
        return None;
    }
    Some(found)
}

fn described() -> Result<Value> {
    Ok(serde_json::from_str(&program::succeed("ntk-collector", &["api", "--json"])?)?)
}

#[test]
fn a_validator_of_openapi_accepts_the_description() -> Result<()> {
    let Some(validator) = beside_python("openapi-spec-validator") else { return Ok(()) };
    let scratch = tempfile::tempdir()?;
    let file = scratch.path().join("openapi.json");
    let validate = |document: &Value| {
        std::fs::write(&file, document.to_string())?;
        let mut command = Command::new(&validator);
        command.arg(&file);
        run(command)
    };
    let good = described()?;
    let (valid, said) = validate(&good)?;
    ensure!(valid, "our description is refused: {said}");
    for (pointer, wrong) in [
        ("/info", json!({"title": "without a version"})),
        ("/paths/~1v1~1progress/get/responses", json!([])),
        ("/paths/~1v1~1events/get/parameters/0/in", json!("nowhere")),
        ("/paths/~1v1~1report/post/requestBody/content", json!("none")),
    ] {
        let mut bad = good.clone();
        *bad.pointer_mut(pointer).with_context(|| format!("{pointer} is not there"))? = wrong;
        ensure!(!validate(&bad)?.0, "{pointer} was changed and should be refused");
    }
    judged(Checks::Shape, "PyPI openapi-spec-validator");
    Ok(())
}

/// Leads TCP on loopback to the collector's socket, which schemathesis cannot speak to.
fn bridge(socket: PathBuf) -> Result<SocketAddr> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let address = listener.local_addr()?;
    thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            // Where the collector is gone the connection ends, which schemathesis reports.
            let Ok(inside) = UnixStream::connect(&socket) else { continue };
            thread::spawn(move || carry(&stream, &inside));
        }
    });
    Ok(address)
}

fn carry(outside: &TcpStream, inside: &UnixStream) {
    thread::scope(|scope| {
        scope.spawn(|| {
            let _ = io::copy(&mut &*outside, &mut &*inside);
            let _ = inside.shutdown(Shutdown::Write);
        });
        let _ = io::copy(&mut &*inside, &mut &*outside);
        let _ = outside.shutdown(Shutdown::Both);
    });
}

fn sent(schemathesis: &Path, document: &Path, url: &str, more: &[&str]) -> Result<(bool, String)> {
    let mut command = Command::new(schemathesis);
    command.arg("run").arg(document).args(["--url", url]);
    command.args(["--phases", "coverage,fuzzing", "--checks", HOLDS, "--max-examples", "10", "--seed", "1"]);
    command.args(["--request-timeout", "30", "--continue-on-failure", "--no-color"]);
    command.args(more);
    if let Some(folder) = document.parent() {
        command.current_dir(folder);
    }
    run(command)
}

#[test]
fn the_collector_answers_as_described_whatever_it_is_sent_and_lives_on() -> Result<()> {
    let Some(schemathesis) = beside_python("schemathesis") else { return Ok(()) };
    let practice = Practice::start()?;
    let url = format!("http://{}", bridge(practice.dir().join("admin.sock"))?);
    let document = practice.folder().join("openapi.json");
    let mut described = described()?;
    std::fs::write(&document, described.to_string())?;
    let before = practice.status()?;
    let (held, said) = sent(&schemathesis, &document, &url, &["--max-time", SECONDS])?;
    println!("{said}");
    ensure!(held, "not as described: {said}");
    practice.collector(&["self-check"])?;
    let after = practice.status()?;
    let size = |status: &Value| status["log"]["size"].as_u64();
    ensure!(size(&after) > size(&before), "something came of it: {after}");
    ensure!(!practice.collector_log().contains("panicked"), "{}", practice.collector_log());

    // The twin: a description that promises what no answer has.
    *described.pointer_mut(PROGRESS).context("the answer has a schema")? = promised();
    std::fs::write(&document, described.to_string())?;
    let one = ["--max-time", SECONDS_OF_ONE, "--include-path", "/v1/progress"];
    let (held, said) = sent(&schemathesis, &document, &url, &one)?;
    ensure!(!held && said.contains("promised"), "a broken promise should be found: {said}");
    judged(Checks::Shape, "PyPI schemathesis");
    Ok(())
}

/// The description without what the console does not open.
fn of_the_console(mut described: Value) -> Result<Value> {
    let paths = described["paths"].as_object_mut().context("paths")?;
    for (path, operations) in paths.iter_mut() {
        let operations = operations.as_object_mut().context("operations")?;
        operations.retain(|method, _| {
            let is_it = |row: &&Row| {
                row.method.eq_ignore_ascii_case(method) && row.path.strip_prefix("/api") == Some(path)
            };
            !["get", "post"].contains(&method.as_str()) || API.iter().any(|row| is_it(&row))
        });
    }
    paths.retain(|_, operations| operations.get("get").or(operations.get("post")).is_some());
    Ok(described)
}

#[test]
fn the_console_answers_a_manager_as_described_whatever_her_browser_sends_and_nobody_else() -> Result<()> {
    let Some(schemathesis) = beside_python("schemathesis") else { return Ok(()) };
    let (practice, mut browser, _) = with_manager()?;
    browser.get("/me")?;
    let url = format!("{}/api", practice.console_origin());
    let document = practice.folder().join("openapi.json");
    let mut described = of_the_console(described()?)?;
    sign(&mut described);
    let n = described["paths"].as_object().map_or(0, serde_json::Map::len);
    ensure!(n > 50, "{n} paths are open");
    std::fs::write(&document, described.to_string())?;
    let authority = practice.dir().join("private/authority.pem").to_string_lossy().into_owned();
    let origin = format!("Origin: {}", practice.console_origin());
    let cookie = format!("Cookie: {COOKIE}={}", browser.cookie()?);
    let token = format!("X-CSRF-Token: {}", browser.csrf());
    // A connection that lay idle for ten seconds is closed; schemathesis does not send again what it meant to send there.
    let tls = ["--tls-verify", &authority, "-H", &origin, "-H", "Connection: close"];
    let signed_in = [&tls[..], &["-H", &cookie, "-H", &token]].concat();
    let before = practice.status()?;
    let (held, said) =
        sent(&schemathesis, &document, &url, &[&signed_in[..], &["--max-time", SECONDS]].concat())?;
    println!("{said}");
    ensure!(held, "not as described: {said}");
    practice.collector(&["self-check"])?;
    ensure!(!practice.collector_log().contains("panicked"), "{}", practice.collector_log());
    let size = |status: &Value| status["log"]["size"].as_u64();
    ensure!(size(&practice.status()?) > size(&before), "something came of it");
    ensure!(browser.get("/")?.status == 200, "she is still signed in");

    // The twins: without a session, or without its token, nothing is done; and a broken promise is found here, too.
    let one = ["--max-time", SECONDS_OF_ONE, "--include-path"];
    for (what, headers) in [("nobody", tls.to_vec()), ("no token", [&tls[..], &["-H", &cookie]].concat())] {
        let (_, said) =
            sent(&schemathesis, &document, &url, &[&headers[..], &one, &["/v1/self-check"]].concat())?;
        ensure!(said.contains("returned only 401/403 responses"), "{what}: {said}");
    }
    *described.pointer_mut(PROGRESS).context("the answer has a schema")? = promised();
    std::fs::write(&document, described.to_string())?;
    let (held, said) =
        sent(&schemathesis, &document, &url, &[&signed_in[..], &one, &["/v1/progress"]].concat())?;
    ensure!(!held && said.contains("promised"), "a broken promise should be found: {said}");
    judged(Checks::Shape, "PyPI schemathesis");
    Ok(())
}

/// Where the description says what `progress` answers.
const PROGRESS: &str = "/paths/~1v1~1progress/get/responses/200/content/application~1json/schema";

/// What no answer has.
fn promised() -> Value {
    json!({"type": "object", "required": ["promised"]})
}

/// Requests are signed by the one who is signed in, with her passphrase: what is random there is refused at once, and
/// nothing behind it is tried.
fn sign(value: &mut Value) {
    if let Some(properties) = value.get_mut("properties").and_then(Value::as_object_mut) {
        for (name, only) in [("by", "mary"), ("passphrase", PASSPHRASE)] {
            if let Some(property) = properties.get_mut(name) {
                *property = json!({"type": "string", "enum": [only]});
            }
        }
    }
    match value {
        Value::Object(fields) => fields.values_mut().for_each(sign),
        Value::Array(all) => all.iter_mut().for_each(sign),
        _ => {}
    }
}
