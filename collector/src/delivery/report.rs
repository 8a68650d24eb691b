//! A review as messages: for each addressee one, with what the practice chose to send along.

use serde_json::Value;

use super::letter::{About, Beside, words};
use super::outbox::{Attached, Item, Way};
use super::send::{read_secret, secret};
use super::task::{QueueError, of_way, queue, report_ways};
use super::{DeliveryAct, What, heartbeat};
use crate::admin::Made;
use crate::app::App;
use crate::config::delivery::{Attach, Delivery};
use crate::encrypt::{Recipients, encrypt, encrypt_to_passphrase};
use crate::report::week::Week;

/// Queues a review for everybody; of one that the schedule did not ask for, each is a message of its own.
pub(crate) async fn queue_made(
    app: &App,
    settings: &Delivery,
    made: &Made,
    scheduled: bool,
) -> Result<usize, QueueError> {
    let week = made.week.to_string();
    let (attached, beside) = beside(app, settings, made).await;
    let details = settings.mail.as_ref().is_some_and(|mail| mail.details);
    let practice = &app.practice.config.raw.practice;
    let words = words(practice, made.week, About::Review(&made.report), &broken(app), &beside, details);
    let html = words.html().ok();
    let which = if scheduled { String::new() } else { format!("-leaf-{}", made.leaf) };
    let items = report_ways(settings).into_iter().map(|way| {
        let files = match way {
            Way::Folder => made
                .files
                .iter()
                .map(|(kind, bytes)| Attached::new(format!("{week}{which}.{kind}"), bytes))
                .collect(),
            Way::Mail { .. } | Way::Webhook | Way::Ntfy => attached.clone(),
        };
        item(app, &format!("report-{}{which}", week.to_lowercase()), &week, way, &words, html.clone(), files)
    });
    let items: Vec<Item> = items.collect();
    queue(app, items, |items| queued(Some(week.clone()), scheduled, false, items)).await
}

/// Queues, for everybody, that a review could not be made.
pub async fn queue_not_made(
    app: &App,
    settings: &Delivery,
    week: Week,
    why: &str,
) -> Result<usize, QueueError> {
    let details = settings.mail.as_ref().is_some_and(|mail| mail.details);
    let practice = &app.practice.config.raw.practice;
    let words = words(practice, week, About::NotMade(why), &broken(app), &Beside::Nothing, details);
    let (html, week) = (words.html().ok(), week.to_string());
    let id = format!("not-made-{}", week.to_lowercase());
    let ways = report_ways(settings).into_iter();
    let items: Vec<Item> =
        ways.map(|way| item(app, &id, &week, way, &words, html.clone(), Vec::new())).collect();
    queue(app, items, |items| queued(Some(week.clone()), true, true, items)).await
}

fn queued(
    week: Option<String>,
    scheduled: bool,
    not_made: bool,
    items: std::collections::BTreeMap<String, String>,
) -> DeliveryAct {
    DeliveryAct::Queued {
        what: What::Report,
        week,
        scheduled,
        not_made,
        items,
        until: None,
        about: Vec::new(),
    }
}

fn item(
    app: &App,
    id: &str,
    week: &str,
    way: Way,
    words: &super::letter::Words,
    html: Option<String>,
    files: Vec<Attached>,
) -> Item {
    Item {
        id: format!("{id}-{}", of_way(&way)),
        what: What::Report,
        week: Some(week.to_owned()),
        way,
        subject: words.subject.clone(),
        text: words.text(),
        html,
        files,
        queued: app.ledger.now(),
        attempts: 0,
        next: None,
        taken: None,
    }
}

/// What goes with the mail, encrypted or not at all.
async fn beside(app: &App, settings: &Delivery, made: &Made) -> (Vec<Attached>, Beside) {
    let keys = match settings.mail.as_ref().map(|mail| &mail.attach) {
        None | Some(Attach::Nothing) => return (Vec::new(), Beside::Nothing),
        Some(Attach::Link(link)) => return (Vec::new(), Beside::Link(link.clone())),
        Some(Attach::Encrypted(keys)) => keys.clone(),
    };
    let home = app.practice.home.clone();
    // What machines read stays here; people get the pages.
    let pages = made.files.iter().filter(|(kind, _)| kind != "json");
    let pages: Vec<(String, Vec<u8>)> =
        pages.map(|(kind, bytes)| (format!("review-{}.{kind}.age", made.week), bytes.clone())).collect();
    let encrypted = tokio::task::spawn_blocking(move || {
        let passphrase = read_secret(&home, secret::PASSPHRASE).ok().flatten();
        let to = keys.as_ref().and_then(|keys| Recipients::parse(keys).ok().flatten());
        let one = |bytes: &[u8]| match (&to, &passphrase) {
            (Some(to), _) => encrypt(bytes, to).ok(),
            (None, Some(passphrase)) => encrypt_to_passphrase(bytes, passphrase).ok(),
            (None, None) => None,
        };
        let files = pages.iter().map(|(name, bytes)| Some(Attached::new(name.clone(), &one(bytes)?)));
        (files.collect::<Option<Vec<Attached>>>(), to.is_some())
    })
    .await;
    let Ok((Some(files), is_to_keys)) = encrypted else { return (Vec::new(), Beside::NoKey) };
    let names = files.iter().map(|file| file.name.clone()).collect();
    (files, if is_to_keys { Beside::ForKeys(names) } else { Beside::ForPassphrase(names) })
}

/// What does not work, in plain words without names.
fn broken(app: &App) -> Vec<String> {
    let mut found = heartbeat::faults(app);
    let registry = app.ledger.published().registry;
    let silent = registry.silent.len();
    let of = registry.machines.values().filter(|machine| machine.revoked.is_none()).count();
    match silent {
        0 => {}
        1 => found.push(format!("One of {of} computers is silent now.")),
        n => found.push(format!("{n} of {of} computers are silent now.")),
    }
    let failing = |value: Result<Value, serde_json::Error>, key: &str| {
        value.is_ok_and(|value| {
            value.get(key).is_some_and(|since| !since.is_null() && *since != Value::Bool(false))
        })
    };
    if registry.off_site.as_ref().is_some_and(|copy| failing(serde_json::to_value(copy), "failing_since")) {
        found.push("No copy has reached the place outside for more than a day.".to_owned());
    }
    if registry.stamps.is_failing {
        found.push("The time-stamping authority has given no time-stamp for more than a day.".to_owned());
    }
    found
}

/// Whether nobody is reached: neither mail nor folder.
pub fn reaches_nobody(settings: &Delivery) -> bool {
    report_ways(settings).is_empty()
}

/// What went wrong in queueing, for the API.
impl From<QueueError> for crate::admin::Failure {
    fn from(error: QueueError) -> Self {
        match error {
            QueueError::Ledger(error) => Self::from(error),
            other => Self::ours(&other),
        }
    }
}
