//! A fleet: thousands of agents with the real protocol in one process, honest ones of three versions and liars.
//!
//! Each is a machine of its own to the collector: enrolled with a token of its own, with a certificate, a key, a signed log and
//! a TLS 1.3 connection of its own. What is simulated is the machine alone: no sensor, and a spool in memory. A receipt lets an
//! entry go only after the checks of `ntk_evidence` that an agent makes ([`agent`]); [`liars`] are those who say what no honest
//! agent says. [`Fleet`] enrols them, lets them come all at once or spread out, and counts.

pub mod agent;
pub mod liars;
mod line;
pub mod verbatim;

use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, ensure};
use ntk_collector::admin::client::Client;
use ntk_collector::home::Home;
use serde_json::{Value, json};
use tokio::sync::Semaphore;
use tokio::task::JoinSet;

use crate::crafted::{Crafted, authority_of, connect};
use crate::practice::Practice;
use agent::{Member, Version};

/// How many machines are offered a place, or enrolled, at the same time.
const ENROL_AT_ONCE: usize = 64;
/// How many enrol over one connection: without a certificate it does not last.
const ENROL_ON_ONE: usize = 250;
/// Machines that a fleet permits beside its own: liars, and those that a test enrols.
const MORE_MACHINES: usize = 200;
/// The sockets that a process needs beside one for each agent.
const MORE_SOCKETS: u64 = 512;

/// Machines of one practice that were enrolled, and where their collector is.
#[derive(Debug)]
pub struct Fleet {
    address: String,
    collector: PathBuf,
    authority_pem: Arc<str>,
    /// The agents; a storm takes them away and gives them back.
    pub members: Vec<Member>,
}

/// How a fleet comes to its collector.
#[derive(Clone, Copy, Debug)]
pub enum Arrival {
    /// Everybody in the same moment, as after a switch was off.
    AtOnce,
    /// Each after a wait of its own, at most so long, as the agent's backoff spreads them.
    Within(Duration),
}

impl Fleet {
    /// A fleet of `n` machines, a tenth of an older version and a tenth of a newer one; none is connected yet.
    ///
    /// The practice key permits them first. Nothing is simulated in the enrolment: each token is an act, and each is exchanged.
    ///
    /// `at_most` machines are permitted for later ([`Fleet::grow`]).
    pub async fn enrolled(practice: &Practice, n: usize, at_most: usize) -> Result<Self> {
        let keys = practice.folder().join("keys-to-take-away.txt").to_string_lossy().into_owned();
        let permitted = (at_most.max(n) + MORE_MACHINES).to_string();
        practice.collector(&["trust", "sign", "--key", &keys, "--machines-max", &permitted])?;
        let mut fleet = Self {
            address: practice.address(),
            collector: practice.dir(),
            authority_pem: authority_of(&practice.dir())?.into(),
            members: Vec::new(),
        };
        fleet.grow(n).await?;
        Ok(fleet)
    }

    /// Enrols more machines until there are `n`.
    pub async fn grow(&mut self, n: usize) -> Result<()> {
        let client = Arc::new(Client::connect(Home::new(self.collector.clone())).await?);
        ensure!(matches!(*client, Client::Socket(_)), "a collector runs");
        while self.members.len() < n {
            let next = n.min(self.members.len() + ENROL_ON_ONE);
            self.grow_some(&client, next).await?;
        }
        Ok(())
    }

    async fn grow_some(&mut self, client: &Arc<Client>, n: usize) -> Result<()> {
        // One connection for many: what is measured is not what an enrolment's handshake costs.
        let wire = connect(&self.address, &self.authority_pem, None).await?;
        let places = Arc::new(Semaphore::new(ENROL_AT_ONCE));
        let mut enrolling = JoinSet::new();
        for number in self.members.len()..n {
            let (client, mut wire, places) = (Arc::clone(client), wire.clone(), Arc::clone(&places));
            let (address, authority) = (self.address.clone(), Arc::clone(&self.authority_pem));
            enrolling.spawn(async move {
                let _place = places.acquire().await?;
                let token = token(&client, &format!("fleet-{number}")).await?;
                let enrolled = Crafted::enroll_over(&mut wire, &address, &authority, &token, seed(number)?);
                let (crafted, log_key) = enrolled.await.with_context(|| format!("machine {number}"))?;
                anyhow::Ok((number, Member::new(crafted, log_key, Version::of(number))))
            });
        }
        let mut enrolled = Vec::new();
        while let Some(one) = enrolling.join_next().await {
            enrolled.push(one??);
        }
        enrolled.sort_by_key(|(number, _)| *number);
        self.members.extend(enrolled.into_iter().map(|(_, member)| member));
        Ok(())
    }

    /// A machine of this practice that will lie.
    pub async fn liar(&self, name: &str, number: usize) -> Result<Crafted> {
        let client = Client::connect(Home::new(self.collector.clone())).await?;
        let token = token(&client, name).await?;
        let mut wire = connect(&self.address, &self.authority_pem, None).await?;
        let liar = Crafted::enroll_over(
            &mut wire,
            &self.address,
            &self.authority_pem,
            &token,
            seed(1 << 20 | number)?,
        );
        Ok(liar.await?.0)
    }

    /// Where the collector listens.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// The practice's authority.
    pub fn authority_pem(&self) -> &str {
        &self.authority_pem
    }

    /// Lets every agent do the same at the same time; the first error ends it. What it took each, in the order of the end.
    pub async fn each<F, D>(&mut self, what: F) -> Result<Vec<Duration>>
    where
        F: Fn(Member) -> D,
        D: Future<Output = Result<Member>> + Send + 'static,
    {
        let mut doing = JoinSet::new();
        for (at, member) in std::mem::take(&mut self.members).into_iter().enumerate() {
            let done = what(member);
            doing.spawn(async move {
                let began = Instant::now();
                let member = done.await.with_context(|| format!("agent {at}"))?;
                anyhow::Ok((at, member, began.elapsed()))
            });
        }
        let (mut members, mut took) = (Vec::new(), Vec::new());
        while let Some(done) = doing.join_next().await {
            let (at, member, time) = done??;
            members.push((at, member));
            took.push(time);
        }
        members.sort_by_key(|(at, _)| *at);
        self.members.extend(members.into_iter().map(|(_, member)| member));
        Ok(took)
    }

    /// Lets every agent come, again where it was connected, and settle what it still holds. How long each took.
    pub async fn storm(&mut self, arrival: Arrival) -> Result<Vec<Duration>> {
        let mut number = 0u32;
        let n = u32::try_from(self.members.len())?.max(1);
        let mut waits = std::iter::repeat_with(move || {
            number = number.wrapping_add(1);
            match arrival {
                Arrival::AtOnce => Duration::ZERO,
                Arrival::Within(at_most) => at_most / n * (number % n),
            }
        });
        self.members.iter_mut().for_each(Member::hang_up);
        let waits: Vec<Duration> = waits.by_ref().take(self.members.len()).collect();
        let waits = std::sync::Mutex::new(waits.into_iter());
        let took = self.each(|mut member| {
            let wait = waits.lock().ok().and_then(|mut waits| waits.next()).unwrap_or_default();
            async move {
                tokio::time::sleep(wait).await;
                member.arrive().await?;
                Ok(member)
            }
        });
        took.await
    }

    /// Every agent that is not connected seals `batches` batches of `entries` entries and keeps them.
    pub async fn seal(&mut self, batches: usize, entries: usize) -> Result<()> {
        for member in &mut self.members {
            for _ in 0..batches {
                member.hang_up();
                member.say(entries).await?;
            }
        }
        Ok(())
    }

    /// Every agent seals `batches` batches of `entries` entries and waits until each has its receipt.
    pub async fn speak(&mut self, batches: usize, entries: usize) -> Result<Vec<Duration>> {
        self.each(|mut member| async move {
            for _ in 0..batches {
                member.say(entries).await?;
            }
            member.settle().await?;
            Ok(member)
        })
        .await
    }

    /// Every agent stays connected for a time: shows that it lives, answers rounds.
    pub async fn rest(&mut self, time: Duration) -> Result<()> {
        self.each(|mut member| async move {
            member.rest(time).await?;
            Ok(member)
        })
        .await
        .map(|_| ())
    }

    /// Every agent says `entries` entries and waits for the receipt, again and again for a time: how long each receipt took.
    pub async fn murmur(&mut self, entries: usize, time: Duration) -> Result<Vec<Duration>> {
        let (took, mut all) = tokio::sync::mpsc::unbounded_channel();
        let until = Instant::now() + time;
        self.each(|mut member| {
            let took = took.clone();
            async move {
                while Instant::now() < until {
                    let began = Instant::now();
                    member.say(entries).await?;
                    member.settle().await?;
                    took.send(began.elapsed())?;
                }
                Ok(member)
            }
        })
        .await?;
        drop(took);
        let mut receipts = Vec::new();
        while let Some(one) = all.recv().await {
            receipts.push(one);
        }
        Ok(receipts)
    }

    /// Entries that all sealed.
    pub fn sealed(&self) -> u64 {
        self.members.iter().map(Member::sealed).sum()
    }

    /// Holds what the collector says that it has against what the agents sent: nothing lost, nothing doubled, every receipt
    /// verified. The number of entries.
    pub fn agrees(&self, status: &Value) -> Result<u64> {
        let authors = status.get("authors").and_then(Value::as_array).context("status names authors")?;
        let held: std::collections::BTreeMap<&str, u64> = authors
            .iter()
            .filter_map(|row| Some((row.get("author")?.as_str()?, row.get("size")?.as_u64()?)))
            .collect();
        let mut sum = 0;
        for member in &self.members {
            let (author, sent) = (member.author(), member.sealed());
            ensure!(
                member.acknowledged() == sent,
                "{author}: {} of {sent} have a receipt",
                member.acknowledged()
            );
            let held = held.get(author.as_str()).copied().unwrap_or(0);
            ensure!(held == sent, "{author} sent {sent} entries, the collector holds {held}");
            sum += sent;
        }
        Ok(sum)
    }
}

/// How many sockets this process may open; the collector, as its child, may open as many.
pub fn room_for(n: usize) -> Result<bool> {
    use rustix::process::{Resource, getrlimit, setrlimit};
    let mut limit = getrlimit(Resource::Nofile);
    let wanted = u64::try_from(n)? + MORE_SOCKETS;
    if limit.current.is_some_and(|current| current < wanted) {
        limit.current = limit.maximum.map_or(Some(wanted), |most| Some(most.min(wanted)));
        setrlimit(Resource::Nofile, limit)?;
    }
    Ok(limit.current.is_none_or(|current| current >= wanted))
}

async fn token(client: &Client, machine: &str) -> Result<String> {
    let answer = client.post("/v1/enroll", &json!({"machine": machine, "expires_seconds": 86_400})).await?;
    let answer: Value = serde_json::from_slice(&answer)?;
    Ok(answer.get("token").and_then(Value::as_str).context("a token")?.to_owned())
}

/// A machine's key: its own, and the same in each run.
fn seed(number: usize) -> Result<[u8; 32]> {
    Ok(*ntk_evidence::hash::Hash::of(format!("machine {number} of a fleet").as_bytes()).as_bytes())
}
