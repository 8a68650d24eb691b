//! `trust` and `witness`: who vouches for the log, signed by the practice key that lies in the safe.

use std::io::Read as _;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, anyhow};
use clap::{Args, Subcommand};
use ntk_evidence::note::{KeyType, NoteSigner, VerifierKey};
use ntk_evidence::trust::TrustFile;
use ntk_evidence::trust::custodian::{self, Custodian};
use ntk_evidence::trust::{retired, succession};
use serde_json::{Value, json};

use super::answer::{Usage, json, text};
use crate::admin::client::Client;
use crate::home::{read_text, write_file};
use crate::keys_file::{Secret, secret};

const ONE_SECOND: jiff::SignedDuration = jiff::SignedDuration::from_secs(1);
/// By how much a trust file may be dated ahead, so that several can be signed in a row.
const SIGNED_AHEAD_SECONDS_MAX: i64 = 60;

/// `trust`.
#[derive(Debug, Subcommand)]
pub enum TrustCommand {
    /// Say in plain words whom the trust file in force names
    Show,
    /// Change it and sign it again with the practice key
    Sign(SignArgs),
}

/// What changes; everything else stays.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The file that `init` wrote, or the practice key alone (hex or 24 words); `-` reads it from standard input
    #[arg(long, value_name = "FILE")]
    key: PathBuf,
    /// Key of a witness outside, as `ntk-verify witness` printed it; several times
    #[arg(long = "witness", value_name = "VKEY")]
    witnesses: Vec<String>,
    /// Machines whose agents cosign, instead of those so far
    #[arg(long, value_name = "NAME,NAME", value_delimiter = ',')]
    committee: Option<Vec<String>>,
    /// How many of the committee must have cosigned [default: more than half]
    #[arg(long, value_name = "N")]
    quorum_committee: Option<u32>,
    /// How many witnesses outside must have cosigned [default: 1 where there is one]
    #[arg(long, value_name = "N")]
    quorum_outside: Option<u32>,
    /// Ids of those who review, instead of those so far; several times
    #[arg(long = "reviewer", value_name = "ID")]
    reviewers: Vec<String>,
    /// Who outside the practice holds what, instead of those so far: `recovery-key NAME`, `both-keys NAME` or
    /// `witness NAME`; several times
    #[arg(long = "custodian", value_name = "HELD NAME", conflicts_with = "no_custodian")]
    custodians: Vec<String>,
    /// Name no custodian any more
    #[arg(long)]
    no_custodian: bool,
    /// How many machines may be enrolled
    #[arg(long, value_name = "N")]
    machines_max: Option<u32>,
    /// Until when machines may be enrolled without signing again, RFC 3339
    #[arg(long, value_name = "TIME")]
    until: Option<String>,
}

/// `witness`.
#[derive(Debug, Subcommand)]
pub enum WitnessCommand {
    /// Write the newest checkpoint as a request for a witness outside (a USB stick)
    Body {
        /// Where to
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// Name of the witness's key, where there are several
        #[arg(long = "for", value_name = "NAME")]
        name: Option<String>,
        /// The size that the witness remembers, where it differs from what came back last
        #[arg(long, value_name = "N")]
        old: Option<u64>,
    },
    /// Take a witness's cosignature
    Add {
        /// The file that `ntk-verify witness` wrote
        file: PathBuf,
    },
    /// Until when the log is witnessed, and by whom
    List,
    /// Hold a round with the agents that are connected now
    Round,
}

/// Runs `trust`.
pub(super) async fn trust(client: &Client, what: TrustCommand) -> anyhow::Result<u8> {
    let held = json(&client.get("/v1/trust", &[]).await?)?;
    let trust = TrustFile::parse(text(&held, "text").as_bytes())?;
    match what {
        TrustCommand::Show => {
            print!("{}", in_words(&trust));
            Ok(0)
        }
        TrustCommand::Sign(args) => sign(client, &held, trust, args).await,
    }
}

async fn sign(client: &Client, held: &Value, before: TrustFile, args: SignArgs) -> anyhow::Result<u8> {
    let practice = practice_key(&args.key, &before)?;
    let mut next = before.clone();
    next.made = made_after(&before.made, jiff::Timestamp::now())?;
    if let Some(names) = &args.committee {
        next.committee = names.iter().map(|name| member(held, name)).collect::<anyhow::Result<_>>()?;
        next.committee_quorum = majority(next.committee.len());
    }
    for witness in &args.witnesses {
        let key =
            VerifierKey::parse(witness).map_err(|error| Usage(format!("`--witness {witness}`: {error}")))?;
        if key.key_type() != KeyType::CosignatureV1 {
            return Err(Usage(format!("`--witness {witness}`: this key cannot cosign")).into());
        }
        if !next.outside.contains(&key) {
            next.outside.push(key);
        }
        next.outside_quorum = next.outside_quorum.max(1);
    }
    if !args.reviewers.is_empty() {
        next.reviewers.clone_from(&args.reviewers);
    }
    if args.no_custodian || !args.custodians.is_empty() {
        let parse = |text: &String| {
            Custodian::parse(text).map_err(|error| Usage(format!("`--custodian \"{text}\"`: {error}")))
        };
        next.custodians = args.custodians.iter().map(parse).collect::<Result<_, _>>()?;
    }
    next.committee_quorum = args.quorum_committee.unwrap_or(next.committee_quorum);
    next.outside_quorum = args.quorum_outside.unwrap_or(next.outside_quorum);
    next.machines_max = args.machines_max.unwrap_or(next.machines_max);
    if let Some(until) = args.until {
        let moment: jiff::Timestamp = until
            .parse()
            .map_err(|_| Usage(format!("`--until {until}` is not a time such as 2028-01-01T00:00:00Z")))?;
        next.enrolment_until = moment.to_string();
    }
    let signed = next.sign(&practice)?;
    client.post("/v1/trust", &json!({"text": signed})).await?;
    println!("Signed by the practice key {} and in force:", before.practice_words());
    print!("{}", in_words(&next));
    println!(
        "Give the new trust.txt to whoever checks bundles, and keep the practice key away from this machine."
    );
    Ok(0)
}

/// When a trust file is signed: of two with the same second nobody could say which is the newer one.
pub(super) fn made_after(held: &str, now: jiff::Timestamp) -> anyhow::Result<String> {
    let now = now.round(jiff::Unit::Second)?;
    let next = held.parse::<jiff::Timestamp>().ok().and_then(|held| held.checked_add(ONE_SECOND).ok());
    // Only a moment's lead is made up for: a file from a clock that was wrong is refused as that.
    let near =
        next.filter(|next| *next > now && next.duration_since(now).as_secs() <= SIGNED_AHEAD_SECONDS_MAX);
    Ok(near.unwrap_or(now).to_string())
}

/// The practice key out of a file, if it is this practice's.
pub(super) fn practice_key(file: &Path, trust: &TrustFile) -> anyhow::Result<NoteSigner> {
    let text = if file == Path::new("-") {
        let mut text = String::new();
        std::io::stdin().take(1 << 16).read_to_string(&mut text).context("could not read standard input")?;
        text
    } else {
        read_text(file)?
    };
    let seed = secret(&text, Secret::Practice).ok_or_else(|| {
        Usage(format!("`{}` holds no practice key (64 hex digits or 24 words)", file.display()))
    })?;
    let signer = NoteSigner::new(&trust.slug.practice_name(), KeyType::Ed25519, &seed)?;
    if *signer.verifier() == trust.practice_key {
        Ok(signer)
    } else {
        let former = trust.succeeded.iter().find(|one| one.former == *signer.verifier());
        let what = former.map_or_else(
            || "is not this practice's; its words differ".to_owned(),
            |one| format!("handed over on {} and signs nothing any more; destroy it", one.made),
        );
        Err(Usage(format!("the key in `{}` {what}", file.display())).into())
    }
}

fn member(held: &Value, name: &str) -> anyhow::Result<VerifierKey> {
    let machines = held.get("machines").and_then(Value::as_array).cloned().unwrap_or_default();
    let of_name = |machine: &&Value| {
        let author = machine.get("author").and_then(Value::as_str).unwrap_or_default();
        author.strip_prefix("agent/").is_some_and(|id| id == name || id.split('.').next() == Some(name))
    };
    let machine = machines.iter().rfind(of_name);
    let machine = machine.ok_or_else(|| Usage(format!("`--committee`: there is no machine `{name}`")))?;
    let key = machine.get("witness").and_then(Value::as_str);
    let key =
        key.ok_or_else(|| anyhow!("the agent of `{name}` has no cosigning key: it is older; enrol it anew"))?;
    Ok(VerifierKey::parse(key)?)
}

fn majority(members: usize) -> u32 {
    if members == 0 { 0 } else { u32::try_from(members / 2).unwrap_or(u32::MAX).saturating_add(1) }
}

fn in_words(trust: &TrustFile) -> String {
    let names = |keys: &[VerifierKey]| match keys {
        [] => "nobody".to_owned(),
        keys => keys.iter().map(VerifierKey::name).collect::<Vec<_>>().join(", "),
    };
    let reviewers =
        if trust.reviewers.is_empty() { "nobody by name".to_owned() } else { trust.reviewers.join(", ") };
    format!(
        "  practice          {} ({})\n  practice key      {}\n{}{}  signed            {}\n  machines          at most {}, enrolled until {}\n  committee         {} ({} needed)\n  witnesses outside {} ({} needed)\n  reviewers         {}\n  custodians        {}\n",
        trust.practice,
        trust.slug,
        trust.practice_words(),
        if trust.succeeded.is_empty() {
            String::new()
        } else {
            format!("  keys before it    {}\n", succession::in_words(&trust.succeeded, &trust.practice_key))
        },
        if trust.retired.is_empty() {
            String::new()
        } else {
            format!("  recovery keys     {}\n", retired::in_words(&trust.retired, &trust.recovery))
        },
        trust.made,
        trust.machines_max,
        trust.enrolment_until,
        names(&trust.committee),
        trust.committee_quorum,
        names(&trust.outside),
        trust.outside_quorum,
        reviewers,
        custodian::in_words(&trust.custodians),
    )
}

/// Runs `witness`.
pub(super) async fn witness(client: &Client, what: WitnessCommand) -> anyhow::Result<u8> {
    match what {
        WitnessCommand::Body { out, name, old } => {
            let mut path = "/v1/witness/body".to_owned();
            if let Some(old) = old {
                path.push_str(&format!("?old={old}"));
            } else if let Some(name) = name {
                path.push_str(&format!("?name={name}"));
            }
            let answer = json(&client.post(&path, &json!({})).await?)?;
            write_file(&out, text(&answer, "body").as_bytes(), 0o640)?;
            println!(
                "{}: the log at size {}. On the witness's computer: ntk-verify witness --state FILE {}",
                out.display(),
                answer.get("size").and_then(Value::as_u64).unwrap_or(0),
                out.display()
            );
        }
        WitnessCommand::Add { file } => {
            let answer = json(&client.post("/v1/witness/add", &json!({"text": read_text(&file)?})).await?)?;
            println!(
                "Witnessed outside up to size {}. Later entries are not yet.",
                answer.get("size").and_then(Value::as_u64).unwrap_or(0)
            );
        }
        WitnessCommand::List => {
            let list = json(&client.get("/v1/witness", &[]).await?)?;
            for (side, name) in
                [("inside", "by the committee of agents"), ("outside", "outside the building")]
            {
                let at = list.get(side).cloned().unwrap_or_default();
                match at.get("until").and_then(Value::as_str) {
                    Some(until) => {
                        let size = at.get("size").and_then(Value::as_u64).unwrap_or(0);
                        println!("witnessed {name} until {until} (size {size})");
                    }
                    None => println!("not witnessed {name} by as many as the trust file asks for"),
                }
            }
        }
        WitnessCommand::Round => {
            let answer = json(&client.post("/v1/witness/round", &json!({})).await?)?;
            print!("{}", text(&answer, "note"));
        }
    }
    Ok(0)
}
