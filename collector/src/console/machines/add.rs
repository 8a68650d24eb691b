//! Lets a machine in: an offer, and the lines to type there. The token is shown once, on the answer itself: nothing
//! keeps it, so there is no page to lead to.

use askama::Template;
use axum::Router;
use axum::extract::{Form, Query, State};
use axum::http::StatusCode;
use axum::routing::get;
use serde::Deserialize;

use super::super::Console;
use super::super::shell::{Page, Shell, Trouble, Visitor, page, page_with};
use crate::admin::Failure;
use crate::admin::machines::{Offered, offer};
use crate::admin::requests::NewEnrolment;
use crate::console::form::is_the_forms;
use crate::console::words::when;

/// How long an offer may hold, as the form has it: seconds and words.
const LASTS: &[(u64, &str)] =
    &[(3_600, "one hour"), (28_800, "eight hours"), (86_400, "one day"), (604_800, "a week")];
/// The longest answer to whether the users were told, letters.
const WHY_MAX: usize = 300;

pub(super) fn routes() -> Router<Console> {
    Router::new().route("/add-machine", get(form).post(add))
}

/// The form, with what was typed.
#[derive(Clone, Debug, Default, Deserialize)]
struct AddForm {
    #[serde(default)]
    machine: String,
    #[serde(default)]
    replace: String,
    #[serde(default)]
    lasts: String,
    #[serde(default)]
    address: String,
    #[serde(default)]
    told: String,
    #[serde(default)]
    told_on: String,
    #[serde(default)]
    because: String,
}

/// A sentence at the field that it is about.
#[derive(Clone, Debug, Default)]
struct Fault {
    field: &'static str,
    sentence: String,
}

#[derive(Template)]
#[template(path = "console/add_machine.html")]
struct AddPage {
    shell: Shell,
    typed: AddForm,
    fault: Fault,
    lasts: &'static [(u64, &'static str)],
    address: String,
    why_max: usize,
}

impl AddPage {
    fn is_wrong(&self, field: &str) -> bool {
        self.fault.field == field
    }

    fn lasts_so(&self, seconds: &u64) -> bool {
        self.typed.lasts == seconds.to_string()
    }
}

fn form_page(console: &Console, visitor: &Visitor, typed: AddForm, fault: Fault) -> Page {
    let status = if fault.field.is_empty() { StatusCode::OK } else { StatusCode::BAD_REQUEST };
    page_with(
        status,
        &AddPage {
            shell: Shell::new(console, Some(visitor), "/machines", "Add a machine"),
            address: usual_address(console),
            lasts: LASTS,
            why_max: WHY_MAX,
            typed,
            fault,
        },
    )
}

/// Where machines find this collector unless the form says otherwise.
fn usual_address(console: &Console) -> String {
    let raw = &console.app.practice.config.raw;
    let known = raw.address_for_agents.clone().or_else(|| console.app.address.get().cloned());
    known.unwrap_or_else(|| raw.listen.clone())
}

#[derive(Debug, Default, Deserialize)]
struct Again {
    #[serde(default)]
    again: String,
}

async fn form(State(console): State<Console>, visitor: Visitor, Query(again): Query<Again>) -> Page {
    let is_again = !again.again.is_empty();
    let typed = AddForm {
        machine: again.again,
        replace: if is_again { "yes".to_owned() } else { String::new() },
        ..AddForm::default()
    };
    form_page(&console, &visitor, typed, Fault::default())
}

impl AddForm {
    /// The request, or the field that is wrong.
    fn read(&self) -> Result<NewEnrolment, Fault> {
        let fault = |field, sentence: &str| Fault { field, sentence: sentence.to_owned() };
        let machine = self.machine.trim();
        if machine.is_empty() {
            return Err(fault("machine", "Give the machine a name."));
        }
        let address = Some(self.address.trim().to_owned()).filter(|address| !address.is_empty());
        if address.as_deref().is_some_and(|address| !is_address(address)) {
            return Err(fault("address", "Write a name or number and a port, such as 192.168.1.10:7443."));
        }
        let is_day = |day: &str| day.len() == 10 && day.parse::<jiff::civil::Date>().is_ok();
        let notice = match self.told.as_str() {
            "yes" if is_day(&self.told_on) => format!("its users were told on {}", self.told_on),
            "yes" => return Err(fault("told_on", "Say on which day they were told.")),
            "no" if self.because.trim().is_empty() => {
                return Err(fault("because", "Say why they were not told; it is kept and shown."));
            }
            "no" if self.because.chars().count() > WHY_MAX => {
                return Err(fault("because", "That is too long."));
            }
            "no" => format!("its users were not told: {}", self.because.trim()),
            _ => return Err(fault("told", "Say whether the people who use it were told.")),
        };
        let expires_seconds = self.lasts.parse().unwrap_or(3_600);
        Ok(NewEnrolment {
            machine: machine.to_owned(),
            replace: self.replace == "yes",
            expires_seconds,
            address,
            more_addresses: Vec::new(),
            notice: Some(notice),
        })
    }
}

/// A host and a port, of letters that stand in either.
fn is_address(text: &str) -> bool {
    let is_host = |host: &str| {
        !host.is_empty()
            && host.len() <= 255
            && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || b".-:[]_".contains(&byte))
    };
    text.rsplit_once(':')
        .is_some_and(|(host, port)| is_host(host) && port.parse::<u16>().is_ok_and(|port| port > 0))
}

#[derive(Template)]
#[template(path = "console/machine_offer.html")]
struct OfferPage {
    shell: Shell,
    machine: String,
    until: String,
    linux: Vec<Line>,
    is_replaced: bool,
}

/// Something to type, and what it does.
struct Line {
    id: &'static str,
    does: &'static str,
    text: String,
}

async fn add(State(console): State<Console>, visitor: Visitor, Form(form): Form<AddForm>) -> Page {
    let request = match form.read() {
        Ok(request) => request,
        Err(fault) => return form_page(&console, &visitor, form, fault),
    };
    match offer(&console.app, &visitor.viewer(), &request).await.map_err(Failure::into_parts) {
        Ok(offered) => page(&OfferPage {
            shell: Shell::new(&console, Some(&visitor), "/machines", "Add a machine"),
            until: when(&offered.offer.expires, console.app.lookup.zone()),
            linux: linux(&offered, request.replace),
            is_replaced: request.replace,
            machine: request.machine,
        }),
        Err((status, sentence)) if is_the_forms(status) || status == StatusCode::NOT_FOUND => {
            let sentence = in_the_forms_words(&sentence, &request.machine);
            form_page(&console, &visitor, form, Fault { field: "machine", sentence })
        }
        Err((status, sentence)) => Err(Trouble { status, sentence }),
    }
}

/// The same refusal where there is a form and no command line.
fn in_the_forms_words(sentence: &str, machine: &str) -> String {
    if sentence.contains("was enrolled before") {
        return format!(
            "A machine {machine} was let in before. Choose another name, or tick that it was set up anew."
        );
    }
    if sentence.contains("to replace") {
        return format!("There is no machine {machine} that could have been set up anew. Do not tick that.");
    }
    sentence.to_owned()
}

fn linux(offered: &Offered, is_replaced: bool) -> Vec<Line> {
    let replace = if is_replaced { " --replace" } else { "" };
    vec![
        Line {
            id: "line-install",
            does: "Put the program there. Take ntk-agent from where your collector’s programs came from, carry it to the machine, and in the folder where it lies:",
            text: "sudo install -m 755 ntk-agent /usr/bin/ntk-agent".to_owned(),
        },
        Line {
            id: "line-enroll",
            does: "Let it in, with the token:",
            text: format!("sudo ntk-agent enroll --token {}{replace}", offered.token),
        },
        Line {
            id: "line-service",
            does: "Have it run from now on, and after each start of the machine (systemd):",
            text: "sudo ntk-agent install".to_owned(),
        },
        Line { id: "line-check", does: "See that it runs:", text: "sudo ntk-agent status".to_owned() },
        Line {
            id: "line-prove",
            does: "Prove what it sees, with somebody of the practice beside you; write your names in:",
            text: "sudo ntk-agent commission --by \"YOUR NAME\" --witnessed-by \"WHO IS WITH YOU\""
                .to_owned(),
        },
    ]
}
