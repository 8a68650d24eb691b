//! The operator's hand: a stopped collector's ledger read, changed and written again with the collector's own keys,
//! as whoever is root there can. What cannot be signed anew are the agents' notes.

use std::path::{Path, PathBuf};

use anyhow::{Context as _, Result};
use ntk_evidence::bundle::bag::signed_text;
use ntk_evidence::checkpoint::Checkpoint;
use ntk_evidence::hash::{hex, unhex};
use ntk_evidence::merkle::{CompactRange, leaf_hash};
use ntk_evidence::note::{KeyType, NoteSigner};
use ntk_evidence::trust::TrustFile;
use ntk_segment::frame::{Batch, Commit, Frame, State};
use ntk_segment::log::{Options, SegmentLog};
use ntk_segment::reader::Reader;
use sha2::{Digest as _, Sha256, Sha512};

/// A ledger in the operator's hands.
#[derive(Debug)]
pub struct Forge {
    collector: PathBuf,
    log: NoteSigner,
    state: State,
    /// The batches in the log's order, with the time at which each was committed.
    pub batches: Vec<(Batch, i64)>,
}

/// A key of the collector's folder.
pub fn key(collector: &Path, file: &str, name: &str) -> Result<NoteSigner> {
    let text = std::fs::read_to_string(collector.join("private").join(file))?;
    let seed = unhex(text.trim()).and_then(|seed| <[u8; 32]>::try_from(seed).ok()).context("a key")?;
    Ok(NoteSigner::new(name, KeyType::Ed25519, &seed)?)
}

/// The trust file of the collector's folder.
pub fn trust(collector: &Path) -> Result<TrustFile> {
    Ok(TrustFile::parse(&std::fs::read(collector.join("trust.txt"))?)?)
}

impl Forge {
    /// Reads the ledger of a collector that does not run.
    pub fn open(collector: &Path) -> Result<Self> {
        let log = key(collector, "log.key", trust(collector)?.log.name())?;
        let (mut first, mut batches, mut waiting) = (None, Vec::new(), Vec::new());
        for frame in Reader::open(&collector.join("ledger"))?.frames()? {
            match frame?.1 {
                Frame::State(state) => first = first.or(Some(state)),
                Frame::Batch(batch) => waiting.push(batch),
                Frame::Pruned(_) => {}
                Frame::Commit(commit) => {
                    batches.extend(waiting.drain(..).map(|batch| (batch, commit.received_unix_ns)));
                }
            }
        }
        Ok(Self { collector: collector.to_owned(), log, state: first.context("a STATE")?, batches })
    }

    /// Lets every batch have been received so many days earlier.
    #[must_use]
    pub fn aged(mut self, days: i64) -> Self {
        for (_, received) in &mut self.batches {
            *received -= days * 86_400_000_000_000;
        }
        self
    }

    /// Where the n-th batch of an author stands.
    pub fn place(&self, author: &str, n: usize) -> Result<usize> {
        let of_author = self.batches.iter().enumerate().filter(|(_, (batch, _))| batch.author == author);
        of_author.map(|(at, _)| at).nth(n).with_context(|| format!("batch {n} of {author}"))
    }

    /// Writes the ledger anew, each checkpoint signed again with the collector's log key, and removes what is only
    /// remembered of the old one.
    pub fn write(self) -> Result<()> {
        let ledger = self.collector.join("ledger");
        std::fs::remove_dir_all(&ledger)?;
        let _ = std::fs::remove_dir_all(self.collector.join("cache"));
        let mut log = SegmentLog::create(&ledger, Options::default(), self.state)?;
        let mut range = CompactRange::empty();
        for (batch, received_unix_ns) in self.batches {
            range.append(leaf_hash(&batch.note))?;
            log.append(&batch)?;
            let origin = self.log.verifier().name().to_owned();
            let checkpoint = Checkpoint { origin, size: range.size(), root: range.root() };
            let checkpoint = checkpoint.sign(&self.log)?.into_bytes();
            let _durable = log.commit(&Commit { received_unix_ns, checkpoint })?;
        }
        drop(log);
        crate::postgres::put_in_place(&self.collector)
    }
}

/// Copies a folder with everything below it, modes too.
pub fn copy_folder(from: &Path, to: &Path) -> Result<()> {
    let status = std::process::Command::new("cp").arg("-a").arg(from).arg(to).status()?;
    anyhow::ensure!(status.success(), "could not copy {}", from.display());
    Ok(())
}

/// Writes a bundle's folder anew after a change: manifests, tag manifest and the bundle key's signature, as whoever
/// holds that key can.
pub fn reseal(bag: &Path, collector: &Path) -> Result<()> {
    let trust = trust(collector)?;
    let bundle = key(collector, "bundle.key", trust.bundle.name())?;
    let mut payload = Vec::new();
    below(&bag.join("data"), &mut payload)?;
    payload.sort();
    let (mut sums, mut longer, mut bytes) = (String::new(), String::new(), 0u64);
    for path in &payload {
        let content = std::fs::read(path)?;
        let name = path.strip_prefix(bag)?.to_string_lossy().into_owned();
        bytes += content.len() as u64;
        sums.push_str(&format!("{}  {name}\n", hex(&Sha256::digest(&content))));
        longer.push_str(&format!("{}  {name}\n", hex(&Sha512::digest(&content))));
    }
    std::fs::write(bag.join("manifest-sha256.txt"), sums)?;
    std::fs::write(bag.join("manifest-sha512.txt"), longer)?;
    let info = std::fs::read_to_string(bag.join("bag-info.txt"))?;
    let info: Vec<String> = info
        .lines()
        .map(|line| match line.starts_with("Payload-Oxum: ") {
            true => format!("Payload-Oxum: {bytes}.{}", payload.len()),
            false => line.to_owned(),
        })
        .collect();
    std::fs::write(bag.join("bag-info.txt"), info.join("\n") + "\n")?;
    let mut tags = String::new();
    for name in ["bag-info.txt", "bagit.txt", "manifest-sha256.txt", "manifest-sha512.txt"] {
        tags.push_str(&format!("{}  {name}\n", hex(&Sha256::digest(std::fs::read(bag.join(name))?))));
    }
    let signed = bundle.sign(&signed_text(trust.bundle.name(), tags.as_bytes()))?;
    std::fs::write(bag.join("tagmanifest-sha256.txt"), tags)?;
    Ok(std::fs::write(bag.join("tagmanifest-sha256.txt.note"), signed)?)
}

fn below(folder: &Path, found: &mut Vec<PathBuf>) -> Result<()> {
    for entry in std::fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() { below(&path, found)? } else { found.push(path) }
    }
    Ok(())
}
