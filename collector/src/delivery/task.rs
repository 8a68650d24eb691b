//! Goes round while the collector runs: makes reviews that are due, queues notices, hands over what waits.
//!
//! Making and queueing is one loop, each way out another: a mail server that hangs holds up no push message.

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};
use std::time::Duration;

use jiff::Timestamp;
use ntk_evidence::act;
use ntk_evidence::hash::Hash;
use ntk_evidence::time::Moment;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::heartbeat::{self, Beat, Last};
use super::outbox::{AfterFailure, Channel, Item, Outbox, Way};
use super::{Addressees, DeliveryAct, What, schedule, send, web};
use crate::admin::Failure;
use crate::app::App;
use crate::config::delivery::{Attach, Delivery};
use crate::home::{Home, HomeError};
use crate::ledger::LedgerError;
use crate::notice::Notice;
use crate::notice::watch::Watch;
use crate::report::week::Week;
use crate::turns::every;

/// How often it is looked whether something is due.
const LOOK_EVERY: Duration = Duration::from_secs(2);
/// A review that could not be made is tried again after so long, seconds.
const MAKE_AGAIN_SECONDS: i64 = 3600;

/// What is sent out by whom: settings in force, the outbox.
#[derive(Clone, Debug)]
pub struct Outgoing(Arc<Inner>);

#[derive(Debug)]
struct Inner {
    settings: RwLock<Arc<Delivery>>,
    outbox: Outbox,
    wake: Notify,
    /// Held while messages and the act about them are written: nobody sends in between (DL-1).
    turn: tokio::sync::Mutex<()>,
}

impl Outgoing {
    /// Over a collector's folder.
    pub fn open(home: &Home, settings: Delivery) -> Result<Self, HomeError> {
        let (outbox, n_odd) = Outbox::open(Box::new(home.clone()))?;
        if n_odd > 0 {
            warn!(n_odd, "files in the outbox are no messages and stay where they are");
        }
        let settings = RwLock::new(Arc::new(settings));
        Ok(Self(Arc::new(Inner { settings, outbox, wake: Notify::new(), turn: tokio::sync::Mutex::new(()) })))
    }

    /// The settings in force.
    pub fn settings(&self) -> Arc<Delivery> {
        Arc::clone(&self.0.settings.read().unwrap_or_else(PoisonError::into_inner))
    }

    /// Brings other settings into force.
    pub fn set(&self, settings: Delivery) {
        *self.0.settings.write().unwrap_or_else(PoisonError::into_inner) = Arc::new(settings);
        self.0.wake.notify_one();
    }

    /// What waits.
    pub fn outbox(&self) -> &Outbox {
        &self.0.outbox
    }
}

/// Messages could not be queued.
#[derive(Debug, thiserror::Error)]
pub enum QueueError {
    /// The outbox.
    #[error(transparent)]
    Home(#[from] HomeError),
    /// The act.
    #[error(transparent)]
    Ledger(#[from] LedgerError),
    /// Full.
    #[error("the outbox is full: nothing was taken for days; see `ntk-collector mail check`")]
    Full,
}

/// Writes an act.
pub async fn tell(app: &App, body: DeliveryAct) -> Result<(), LedgerError> {
    let body = serde_json::to_value(body).unwrap_or_default();
    app.ledger.act(vec![act::event(act::kind::DELIVERY, app.ledger.now(), body)]).await.map(|_| ())
}

/// Queues messages and writes the act that says so; those that were sent before are left out. How many are new.
pub async fn queue(
    app: &App,
    items: Vec<Item>,
    act: impl FnOnce(BTreeMap<String, String>) -> DeliveryAct,
) -> Result<usize, QueueError> {
    let _turn = app.outgoing.0.turn.lock().await;
    let deliveries = app.ledger.published().registry.deliveries.clone();
    let items: Vec<Item> = items.into_iter().filter(|item| !deliveries.is_sent(&item.id)).collect();
    let mut named = BTreeMap::new();
    for item in items {
        named.insert(item.id.clone(), item.way.to_string());
        let outgoing = app.outgoing.clone();
        let queued = tokio::task::spawn_blocking(move || outgoing.outbox().queue(item)).await;
        let queued = queued.map_err(|_| QueueError::Ledger(LedgerError::Stopped))??;
        if !queued {
            return Err(QueueError::Full);
        }
    }
    let n = named.len();
    tell(app, act(named)).await?;
    app.outgoing.0.wake.notify_one();
    Ok(n)
}

/// Eight hex digits that stand for a way in ids.
pub fn of_way(way: &Way) -> String {
    let hash = Hash::of(way.to_string().as_bytes()).to_hex();
    hash.get(..8).unwrap_or_default().to_owned()
}

/// Runs until stopped.
pub async fn run(app: App, stop: CancellationToken) {
    if let Err(failure) = settle(&app).await {
        error!(reason = %crate::error_chain(&failure), "what waits to be sent cannot be compared with the ledger");
    }
    let mut loops = tokio::task::JoinSet::new();
    for channel in Channel::ALL {
        loops.spawn(hand_over(app.clone(), channel, stop.clone()));
    }
    loops.spawn(beats(app.clone(), stop.clone()));
    let mut tried = BTreeMap::new();
    let mut watch: Option<Watch> = None;
    let mut ticks = tokio::time::interval(LOOK_EVERY);
    ticks.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Delay);
    loop {
        tokio::select! {
            () = stop.cancelled() => break,
            _ = ticks.tick() => {}
            () = app.outgoing.0.wake.notified() => {}
        }
        let settings = app.outgoing.settings();
        // Each by itself: what fails in one holds up no other.
        let rounds = async {
            told("what is gone from the outbox", missing(&app).await);
            told("whom it goes to", addressees(&app, &settings).await);
            told("a notice", notices(&app, &settings, &mut watch).await);
            told("a review", reports(&app, &settings, &mut tried).await);
        };
        tokio::select! { () = stop.cancelled() => break, () = rounds => {} }
    }
    while loops.join_next().await.is_some() {}
}

fn told(what: &str, result: Result<(), QueueError>) {
    if let Err(failure) = result {
        error!(what, reason = %crate::error_chain(&failure), "could not be queued; it is tried again");
    }
}

/// After a start: what a server had taken is told and removed.
async fn settle(app: &App) -> Result<(), QueueError> {
    let deliveries = app.ledger.published().registry.deliveries.clone();
    for item in app.outgoing.outbox().taken() {
        if !deliveries.is_sent(&item.id) {
            tell(app, DeliveryAct::Sent(item.attempted(None))).await?;
        }
        app.outgoing.outbox().remove(&item.id)?;
    }
    // Told already, and only the file was left.
    for id in deliveries.sent.iter().filter(|id| app.outgoing.outbox().holds(id)) {
        app.outgoing.outbox().remove(id)?;
    }
    Ok(())
}

/// What the acts say was queued, and that is gone (DL-3).
async fn missing(app: &App) -> Result<(), QueueError> {
    let turn = app.outgoing.0.turn.lock().await;
    if app.outgoing.outbox().n_waiting() > 0 {
        app.outgoing.outbox().gone()?;
    }
    let open = app.ledger.published().registry.deliveries.open.clone();
    let gone: Vec<_> = open.into_iter().filter(|(id, _)| !app.outgoing.outbox().holds(id)).collect();
    drop(turn);
    for (id, open) in gone {
        warn!(id, "a message that waited to be sent is gone");
        let attempted =
            super::Attempted { id, what: open.what, way: open.way, week: open.week, reason: None };
        tell(app, DeliveryAct::Missing(attempted)).await?;
    }
    Ok(())
}

/// Says whom it goes to, where that is not what the acts say.
async fn addressees(app: &App, settings: &Delivery) -> Result<(), QueueError> {
    let now = named(settings);
    let registry = app.ledger.published().registry;
    let before = registry.deliveries.addressees.clone().unwrap_or_default();
    if before != now {
        // Who was told nothing before is not told of what is long past.
        let size = app.ledger.published().checkpoint.checkpoint.size;
        let until = if before.notices.is_empty() { size } else { registry.deliveries.noticed_until };
        tell(app, DeliveryAct::Addressees { addressees: now, until }).await?;
    }
    Ok(())
}

fn named(settings: &Delivery) -> Addressees {
    let (reports, notices) = (report_ways(settings), notice_ways(settings));
    let say = |ways: Vec<Way>| {
        let said = |way: &Way| match (way, &settings.notices, &settings.folder) {
            (Way::Webhook, Some(notices), _) => {
                format!(
                    "webhook {}",
                    notices.webhook.as_ref().map_or_else(String::new, |url| url.host_header())
                )
            }
            (Way::Ntfy, Some(notices), _) => {
                format!("ntfy {}", notices.ntfy.as_ref().map_or_else(String::new, |url| url.host_header()))
            }
            (Way::Folder, _, Some(folder)) => format!("folder {}", folder.display()),
            (way, ..) => way.to_string(),
        };
        ways.iter().map(said).collect()
    };
    Addressees {
        reports: say(reports),
        notices: say(notices),
        server: settings.mail.as_ref().map(|mail| format!("{}:{}", mail.server, mail.port)),
        schedule: settings
            .schedule
            .map(|schedule| format!("{:?} {}", schedule.day, schedule.time.strftime("%H:%M"))),
        attach: settings.mail.as_ref().map(|mail| {
            match &mail.attach {
                Attach::Nothing => "nothing",
                Attach::Encrypted(None) => "encrypted to a passphrase",
                Attach::Encrypted(Some(_)) => "encrypted to keys",
                Attach::Link(_) => "link",
            }
            .to_owned()
        }),
    }
}

/// Who gets reviews.
pub fn report_ways(settings: &Delivery) -> Vec<Way> {
    let mail = settings.mail.iter().flat_map(|mail| &mail.to).map(|to| Way::Mail { to: to.to_string() });
    mail.chain(settings.folder.as_ref().map(|_| Way::Folder)).collect()
}

/// Who gets notices.
pub fn notice_ways(settings: &Delivery) -> Vec<Way> {
    let Some(notices) = &settings.notices else { return Vec::new() };
    let mail = notices.mail.iter().map(|to| Way::Mail { to: to.to_string() });
    let web = notices.webhook.as_ref().map(|_| Way::Webhook);
    mail.chain(web).chain(notices.ntfy.as_ref().map(|_| Way::Ntfy)).collect()
}

async fn reports(
    app: &App,
    settings: &Delivery,
    tried: &mut BTreeMap<Week, Moment>,
) -> Result<(), QueueError> {
    let Some(schedule) = settings.schedule else { return Ok(()) };
    let (now, clock) = (moment_now(app), app.ledger.clock().now());
    let deliveries = app.ledger.published().registry.deliveries.clone();
    // The first leaf is the ledger's own beginning; while the store is made anew nothing is due yet.
    let Some(first) = app.lookup.store().leaf(0).ok().flatten() else { return Ok(()) };
    for week in schedule::due(schedule, app.lookup.zone(), &deliveries, first.received(), now) {
        let is_waiting =
            tried.get(&week).is_some_and(|at| *at <= clock && clock < at.plus_seconds(MAKE_AGAIN_SECONDS));
        if is_waiting {
            continue;
        }
        tried.insert(week, clock);
        match crate::admin::make_report(app, week).await {
            Ok(made) => {
                super::report::queue_made(app, settings, &made, true).await?;
                info!(week = %week, "the weekly review was made and queued");
            }
            Err(failure) => {
                let why = Failure::sentence(&failure).to_owned();
                error!(week = %week, reason = %why, "the weekly review could not be made; it is tried again");
                if !deliveries.is_told_not_made(&week.to_string()) {
                    super::report::queue_not_made(app, settings, week, &why).await?;
                }
            }
        }
    }
    Ok(())
}

async fn notices(app: &App, settings: &Delivery, watch: &mut Option<Watch>) -> Result<(), QueueError> {
    let Some(wanted) = &settings.notices else {
        *watch = None;
        return Ok(());
    };
    let home = app.practice.home.clone();
    let noticed_until = app.ledger.published().registry.deliveries.noticed_until;
    let mut next = watch.clone().unwrap_or_else(|| Watch::load(&home, noticed_until));
    let now = moment_now(app);
    let (before, app_for_reading, silent) = (next.clone(), app.clone(), wanted.silent_machines);
    let read = tokio::task::spawn_blocking(move || {
        while next.read_on(&app_for_reading, silent, now)? {}
        Ok::<_, LedgerError>(next)
    });
    let mut next = read.await.map_err(|_| LedgerError::Stopped)??;
    if let Some(notice) = next.plan.next(wanted.quiet, wanted.per_hour, app.lookup.zone(), now) {
        let until = next.plan.settled_until(next.read_until);
        queue_notice(app, settings, &notice, until).await?;
    }
    if next != before {
        let (kept, home) = (next.clone(), home.clone());
        let saved = tokio::task::spawn_blocking(move || kept.save(&home)).await;
        saved.map_err(|_| LedgerError::Stopped)??;
    }
    *watch = Some(next);
    Ok(())
}

async fn queue_notice(app: &App, settings: &Delivery, notice: &Notice, until: u64) -> Result<(), QueueError> {
    let (id, text) = (notice.id(), notice.text(app.lookup.zone()));
    let items = notice_ways(settings).into_iter().map(|way| Item {
        id: format!("{id}-{}", of_way(&way)),
        what: What::Notice,
        week: None,
        way,
        subject: notice.title(),
        text: text.clone(),
        html: None,
        files: Vec::new(),
        queued: app.ledger.now(),
        attempts: 0,
        next: None,
        taken: None,
    });
    let about = notice.kinds_in_words();
    queue(app, items.collect(), |items| DeliveryAct::Queued {
        what: What::Notice,
        week: None,
        scheduled: false,
        not_made: false,
        items,
        until: Some(until),
        about,
    })
    .await?;
    info!("a notice was queued");
    Ok(())
}

/// Hands over what waits on one way out.
async fn hand_over(app: App, channel: Channel, stop: CancellationToken) {
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let due = {
            let _turn = app.outgoing.0.turn.lock().await;
            app.outgoing.outbox().due(channel, app.ledger.clock().now())
        };
        for item in due {
            let settings = app.outgoing.settings();
            // Not broken off at a stop: what a server has just taken should be marked.
            let result = send::attempt(&app, &settings, item.clone(), app.ledger.clock().now()).await;
            let reason = result.err().map(|failure| crate::error_chain(&failure));
            if let Err(failure) = ended(&app, &item, reason).await {
                error!(reason = %crate::error_chain(&failure), "what became of a message could not be written");
            }
            if stop.is_cancelled() {
                return;
            }
        }
    }
}

/// Writes down what became of an attempt.
async fn ended(app: &App, item: &Item, reason: Option<String>) -> Result<(), QueueError> {
    let (outbox, now) = (app.outgoing.outbox(), app.ledger.clock().now());
    let Some(reason) = reason else {
        info!(id = item.id, "a message was taken");
        let marked = outbox.mark_taken(&item.id, now);
        tell(app, DeliveryAct::Sent(item.attempted(None))).await?;
        marked.and_then(|()| outbox.remove(&item.id))?;
        return Ok(());
    };
    warn!(id = item.id, reason, "a message was not taken; it is tried again");
    let [jitter, ..] = crate::home::random()?;
    let (after, written) = outbox.mark_failed(&item.id, now, jitter);
    match (after, item.attempts) {
        (AfterFailure::GiveUp, _) => {
            tell(app, DeliveryAct::GivenUp(item.attempted(Some(reason)))).await?;
            outbox.remove(&item.id)?;
        }
        (AfterFailure::Again, 0) => tell(app, DeliveryAct::Failed(item.attempted(Some(reason)))).await?,
        (AfterFailure::Again, _) => {}
    }
    Ok(written?)
}

/// Signs of life.
async fn beats(app: App, stop: CancellationToken) {
    let mut last = Last::default();
    let mut turns = every(LOOK_EVERY, &stop);
    while turns.next().await {
        let settings = app.outgoing.settings();
        let Some(notices) = &settings.notices else { continue };
        let Some(url) = &notices.heartbeat else { continue };
        let report = app.ledger.published().registry.deliveries.last_report.clone();
        let now = app.ledger.clock().now();
        let faults = heartbeat::faults(&app);
        let Some(beat) = heartbeat::next(notices.heartbeat_seconds, &last, &faults, report.as_deref(), now)
        else {
            continue;
        };
        let (more, body) = match &beat {
            Beat::Well => ("", String::new()),
            Beat::Fail(why) => ("/fail", why.clone()),
        };
        let headers = [("content-type", "text/plain; charset=utf-8".to_owned())];
        let posted = web::post(url, more, &headers, body.into_bytes());
        let posted = tokio::select! { () = stop.cancelled() => return, posted = posted => posted };
        if let Err(failure) = posted {
            // Whoever waits for it will miss it: that is what it is for. It comes again in a minute.
            warn!(reason = %crate::error_chain(&failure), "no sign of life could be given");
            tokio::select! {
                () = stop.cancelled() => return,
                () = tokio::time::sleep(Duration::from_secs(60)) => {}
            }
            continue;
        }
        last = Last { sent: Some((now, beat)), report };
    }
}

fn moment_now(app: &App) -> Timestamp {
    let nanos = app.ledger.clock().now().unix_nanos();
    Timestamp::from_nanosecond(i128::from(nanos)).unwrap_or(Timestamp::UNIX_EPOCH)
}
