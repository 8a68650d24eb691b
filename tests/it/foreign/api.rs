//! The JSON API's own description, judged by PyPI's openapi-spec-validator, and the collector that answers as described
//! while PyPI's schemathesis sends it thousands of requests, well formed and not. Each with a twin that they refuse.

use std::io;
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;

use anyhow::{Context as _, Result, ensure};
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

fn sent(schemathesis: &Path, document: &Path, address: SocketAddr, more: &[&str]) -> Result<(bool, String)> {
    let mut command = Command::new(schemathesis);
    command.arg("run").arg(document).args(["--url", &format!("http://{address}")]);
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
    let address = bridge(practice.dir().join("admin.sock"))?;
    let document = practice.folder().join("openapi.json");
    let mut described = described()?;
    std::fs::write(&document, described.to_string())?;
    let before = practice.status()?;
    let (held, said) = sent(&schemathesis, &document, address, &["--max-time", SECONDS])?;
    println!("{said}");
    ensure!(held, "not as described: {said}");
    practice.collector(&["self-check"])?;
    let after = practice.status()?;
    let size = |status: &Value| status["log"]["size"].as_u64();
    ensure!(size(&after) > size(&before), "something came of it: {after}");
    ensure!(!practice.collector_log().contains("panicked"), "{}", practice.collector_log());

    // The twin: a description that promises what no answer has.
    let schema = "/paths/~1v1~1progress/get/responses/200/content/application~1json/schema";
    *described.pointer_mut(schema).context("the answer has a schema")? =
        json!({"type": "object", "required": ["promised"]});
    std::fs::write(&document, described.to_string())?;
    let one = ["--max-time", SECONDS_OF_ONE, "--include-path", "/v1/progress"];
    let (held, said) = sent(&schemathesis, &document, address, &one)?;
    ensure!(!held && said.contains("promised"), "a broken promise should be found: {said}");
    judged(Checks::Shape, "PyPI schemathesis");
    Ok(())
}
