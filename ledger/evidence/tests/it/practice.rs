//! A small practice in memory: keys, a collector that enrols, an agent that records, a log, and a bundle.
//!
//! A [`Draft`] is everything of the bundle before it is sealed. Whoever edits a draft and seals it again is
//! the strongest forger: one who holds the bundle key. The checks inside must see what the manifests then miss.

use std::collections::BTreeMap;

use ntk_evidence::act;
use ntk_evidence::author_log::{AuthorLog, SealedBatch};
use ntk_evidence::bundle::bag::{Bag, BagInfo, Files};
use ntk_evidence::bundle::range::{ListedKey, Range, RolledBy, subtrees, to_json};
use ntk_evidence::bundle::readme::{ReadmeFacts, readme_html, readme_text};
use ntk_evidence::bundle::row::{Paths, Row};
use ntk_evidence::bundle::timeline::timeline_csv;
use ntk_evidence::bundle::{self, entries_path};
use ntk_evidence::checkpoint::{Checkpoint, cosign};
use ntk_evidence::checks::provable_up_to;
use ntk_evidence::entry::{BatchKey, Entry};
use ntk_evidence::epoch::{RollOver, is_roll_over};
use ntk_evidence::event::{Action, Actor, Class, Event, Kind, Object, Outcome, Process, Source};
use ntk_evidence::hash::Hash;
use ntk_evidence::merkle::{CompactRange, leaf_hash};
use ntk_evidence::name::{Author, Slug};
use ntk_evidence::note::{KeyType, NoteSigner, VerifierKey};
use ntk_evidence::tlog_proof::TlogProof;
use ntk_evidence::tree::{MemoryTree, consistency_proof, inclusion_proof, root};
use ntk_evidence::trust::TrustFile;
use ntk_evidence::trust::restored::Restored;
use serde_json::json;

/// The machine of the example.
pub(crate) fn agent() -> Author {
    Author::agent("ws-01").unwrap()
}

/// Keys and trust file of a practice.
pub(crate) struct Keys {
    pub(crate) slug: Slug,
    pub(crate) practice: NoteSigner,
    pub(crate) log: NoteSigner,
    pub(crate) collector: NoteSigner,
    pub(crate) bundle: NoteSigner,
    pub(crate) agent: NoteSigner,
    pub(crate) witness: NoteSigner,
    pub(crate) trust: TrustFile,
    /// Log and collector keys of logs that were closed, oldest first.
    pub(crate) closed: Vec<(NoteSigner, NoteSigner)>,
    practice_seed: u8,
}

impl Keys {
    /// All keys of a practice from one seed byte.
    pub(crate) fn of(seed: u8) -> Self {
        let plain =
            |name: &str, n: u8| NoteSigner::new(name, KeyType::Ed25519, &[seed.wrapping_add(n); 32]).unwrap();
        let slug = Slug::new("maple-street", plain("x", 0).verifier().public_bytes()).unwrap();
        let (practice, log) = (plain(&slug.practice_name(), 0), plain(&slug.log_origin(), 1));
        let collector = plain(&slug.author_origin(&Author::Collector), 2);
        let (bundle, agent) = (plain(&slug.bundle_name(), 3), plain(&slug.author_origin(&agent()), 4));
        let witness =
            NoteSigner::new(&slug.witness_name("usb"), KeyType::CosignatureV1, &[seed.wrapping_add(5); 32])
                .unwrap();
        let trust = TrustFile {
            slug: slug.clone(),
            practice: "Maple Street Family Practice".into(),
            made: "2026-11-20T20:00:00Z".into(),
            practice_key: practice.verifier().clone(),
            log: log.verifier().clone(),
            collector: collector.verifier().clone(),
            bundle: bundle.verifier().clone(),
            recovery: format!("age1{}", "q".repeat(58)),
            reviewers: Vec::new(),
            custodians: Vec::new(),
            succeeded: Vec::new(),
            retired: Vec::new(),
            restored: Vec::new(),
            machines_max: 1,
            enrolment_until: "2027-11-20T20:00:00Z".into(),
            committee: Vec::new(),
            outside: vec![witness.verifier().clone()],
            committee_quorum: 0,
            outside_quorum: 1,
        };
        let closed = Vec::new();
        Self { slug, practice, log, collector, bundle, agent, witness, trust, closed, practice_seed: seed }
    }

    /// The log is closed at this size and root, and goes on under new keys, as the practice key announces.
    pub(crate) fn close(&mut self, size: u64, root: Hash) {
        let n = 50 + 2 * u8::try_from(self.closed.len()).unwrap();
        let key = |name: &str, n: u8| {
            let seed = [self.practice_seed.wrapping_add(n); 32];
            NoteSigner::new(name, KeyType::Ed25519, &seed).unwrap()
        };
        let log = key(&self.slug.log_origin(), n);
        let collector = key(&self.slug.author_origin(&Author::Collector), n + 1);
        let made = "2026-11-21T08:00:00Z".to_owned();
        self.trust.restored.push(Restored {
            made: made.clone(),
            size,
            root,
            log: self.log.verifier().clone(),
            collector: self.collector.verifier().clone(),
            why: "the disk of the collector broke".into(),
        });
        (self.trust.made, self.trust.log) = (made, log.verifier().clone());
        self.trust.collector = collector.verifier().clone();
        let closed =
            (std::mem::replace(&mut self.log, log), std::mem::replace(&mut self.collector, collector));
        self.closed.push(closed);
    }

    /// The agent's key of an epoch; 0 is the enrolled one.
    pub(crate) fn epoch(&self, epoch: u8) -> NoteSigner {
        let seed = self.practice_seed.wrapping_add(if epoch == 0 { 4 } else { 100 + epoch });
        NoteSigner::new(&self.slug.author_origin(&agent()), KeyType::Ed25519, &[seed; 32]).unwrap()
    }

    /// The trust file, signed.
    pub(crate) fn trust_text(&self) -> String {
        self.trust.sign(&self.practice).unwrap()
    }
}

/// A ledger of one collector and one agent.
pub(crate) struct Practice {
    pub(crate) keys: Keys,
    pub(crate) batches: Vec<SealedBatch>,
    pub(crate) tree: MemoryTree,
    pub(crate) logs: BTreeMap<Author, AuthorLog>,
    /// What stands before the agent's first entry here, where the ones before are gone.
    begins: Option<CompactRange>,
}

fn file_access(minute: u32, path: &str) -> Event {
    let mut event = Event::new(Kind::FileAccess, format!("2026-11-20T21:{minute:02}:00.250Z"));
    event.outcome = Some(Outcome::Success);
    event.action = Some(Action::Read);
    event.actor = Some(Actor {
        login_uid: Some(1001),
        login_user: Some("itadmin1".into()),
        effective_user: Some("root".into()),
        ..Actor::default()
    });
    event.process = Some(Process {
        exe: Some("/usr/bin/cat".into()),
        command: Some(format!("cat {path}")),
        ..Process::default()
    });
    event.object = Some(Object { path: Some(path.into()), class: Some(Class::Export), ..Object::default() });
    event.source = Some(Source {
        sensor: Some("linux-audit".into()),
        record: Some(minute.to_string()),
        ..Source::default()
    });
    event
}

impl Practice {
    /// The practice that all tests begin with.
    pub(crate) fn new() -> Self {
        Self::with(Keys::of(40), "2026-11-20T20:30:00Z", 1)
    }

    /// One that enrols `machines` machines at a time.
    pub(crate) fn with(keys: Keys, enrolled: &str, machines: u8) -> Self {
        let enrol = |n: u8| {
            let (author, key) = match n {
                0 => (agent().to_string(), keys.agent.verifier().to_string()),
                _ => (format!("agent/other-{n}"), keys.agent.verifier().to_string()),
            };
            act::event(act::kind::ENROLMENT, enrolled, json!({"author": author, "key": key, "epoch": 0}))
        };
        let acts = (0..machines).map(enrol).collect();
        Self::made(keys, acts, 0)
    }

    /// One whose ledger was filled again: entries 0..3 of the agent are gone, as its enrolment says.
    pub(crate) fn refilled(says: impl Fn(&CompactRange) -> serde_json::Value) -> Self {
        let keys = Keys::of(40);
        let gone =
            Self::new().entries(&agent()).iter().take(3).map(|(n, e, k)| k.leaf(*n, e)).collect::<Vec<_>>();
        let range = CompactRange::of(&gone).unwrap();
        let body = json!({"author": agent().to_string(), "key": keys.agent.verifier().to_string(), "epoch": 0,
            "begins": says(&range)});
        let enrolment = act::event(act::kind::ENROLMENT, "2026-11-20T20:30:00Z", body);
        Self { begins: Some(range), ..Self::made(keys, vec![enrolment], 1) }
    }

    /// Acts after the first one, and how many of the agent's batches did not come into the log.
    fn made(keys: Keys, enrolments: Vec<Event>, gone: usize) -> Self {
        let init = act::event(act::kind::INIT, "2026-11-20T20:00:00Z", json!({"practice": "Maple Street"}));
        let export = act::event(act::kind::EXPORT, "2026-11-20T22:00:00Z", json!({"case": "C-1"}));
        let acts: Vec<Event> = std::iter::once(init).chain(enrolments).collect();
        let mut authors = BTreeMap::from([(Author::Collector, &keys.collector), (agent(), &keys.agent)].map(
            |(author, signer)| {
                (author.clone(), AuthorLog::new(&keys.slug, author, signer.verifier().clone()))
            },
        ));
        let mut batches = Vec::new();
        let mut seal = |author: Author, signer: &NoteSigner, events: Vec<Event>| {
            let entries = events.into_iter().map(|event| Entry::freeze(event).unwrap()).collect();
            let key = BatchKey::new([u8::try_from(batches.len()).unwrap() + 1; 32]);
            let (batch, next) = authors[&author].seal(entries, key, signer).unwrap();
            batches.push(batch);
            authors.insert(author, next);
        };
        seal(Author::Collector, &keys.collector, acts);
        let paths = |from: u32, to: u32| {
            (from..to).map(|n| file_access(n, &format!("/srv/exports/patient-{n}.csv"))).collect()
        };
        seal(agent(), &keys.agent, paths(0, 3));
        seal(agent(), &keys.agent, paths(3, 5));
        seal(Author::Collector, &keys.collector, vec![export]);
        seal(agent(), &keys.agent, paths(5, 8));
        batches.drain(1..1 + gone);
        let tree = MemoryTree::of(batches.iter().map(|batch| leaf_hash(&batch.note)));
        Self { keys, batches, tree, logs: authors, begins: None }
    }

    /// The same practice after the agent rolled over twice: entry 8 begins epoch 1, entry 11 begins epoch 2.
    pub(crate) fn rolled() -> Self {
        let mut practice = Self::new();
        let paths =
            |from: u32| (from..from + 2).map(|n| file_access(n, &format!("/srv/exports/patient-{n}.csv")));
        for epoch in 0..2u8 {
            let next = RollOver {
                number: u32::from(epoch) + 1,
                key: practice.keys.epoch(epoch + 1).verifier().clone(),
            };
            practice.seal_as(epoch, vec![next.entry("daily", "2026-11-20T21:30:00Z").unwrap()]);
            let events = paths(30 + 2 * u32::from(epoch)).map(|event| Entry::freeze(event).unwrap());
            practice.seal_as(epoch + 1, events.collect());
        }
        practice
    }

    /// The practice after its collector was lost and a copy of four batches put back: the agent's last batch, which was
    /// the fifth, is sent again behind the collector's word about the restore.
    pub(crate) fn restored() -> Self {
        let mut practice = Self::new();
        let lost = practice.batches[4].clone();
        practice.restore(4);
        practice.act("act_restored", json!({"size": 4}));
        practice.again(lost);
        practice
    }

    /// Only the first batches, as a copy has them; the log is closed there and goes on under new keys.
    pub(crate) fn restore(&mut self, size: u64) {
        self.keys.close(size, root(&self.tree, size).unwrap());
        self.cut(size);
    }

    /// Only the first batches, as if the later ones had not come yet.
    pub(crate) fn cut(&mut self, size: u64) {
        let kept: Vec<_> = self.batches.drain(..).take(usize::try_from(size).unwrap()).collect();
        for (author, log) in &mut self.logs {
            let of = kept.iter().filter(|batch| batch.author == *author);
            let leaves: Vec<_> = of.flat_map(SealedBatch::leaves).collect();
            let (epoch, key) = match author {
                Author::Collector => (self.keys.closed.len(), self.keys.collector.verifier().clone()),
                _ => (0, self.keys.agent.verifier().clone()),
            };
            let (epoch, range) = (u32::try_from(epoch).unwrap(), CompactRange::of(&leaves).unwrap());
            *log = AuthorLog::resume(&self.keys.slug, author.clone(), epoch, Some(key), range);
        }
        self.batches = kept;
        self.tree = MemoryTree::of(self.batches.iter().map(|batch| leaf_hash(&batch.note)));
    }

    /// A machine sends a batch once more.
    pub(crate) fn again(&mut self, batch: SealedBatch) {
        let next = self.logs[&batch.author].follow(&batch).unwrap();
        self.logs.insert(batch.author.clone(), next);
        self.push(batch);
    }

    /// The agent seals entries with the key of an epoch, its log's own or another one.
    fn seal_as(&mut self, epoch: u8, entries: Vec<Entry>) {
        let key = BatchKey::new([u8::try_from(self.batches.len()).unwrap() + 1; 32]);
        let (batch, next) = self.logs[&agent()].seal(entries, key, &self.keys.epoch(epoch)).unwrap();
        self.push(batch);
        self.logs.insert(agent(), next);
    }

    /// The collector writes one more act.
    pub(crate) fn act(&mut self, kind: &str, body: serde_json::Value) -> u64 {
        let entry = Entry::freeze(act::event(kind, "2026-11-20T23:00:00Z", body)).unwrap();
        let log = &self.logs[&Author::Collector];
        let number = log.size();
        let (batch, next) = log.seal(vec![entry], BatchKey::new([77; 32]), &self.keys.collector).unwrap();
        self.push(batch);
        self.logs.insert(Author::Collector, next);
        number
    }

    /// Puts a batch into the log, whoever sealed it.
    pub(crate) fn push(&mut self, batch: SealedBatch) {
        self.batches.push(batch);
        self.tree = MemoryTree::of(self.batches.iter().map(|batch| leaf_hash(&batch.note)));
    }

    /// The agent's keys as a bundle lists them: the enrolled one, then each that a roll-over named.
    pub(crate) fn agent_keys(&self) -> Vec<ListedKey> {
        let mut keys = vec![ListedKey::enrolled(&agent(), 0, self.keys.agent.verifier(), 1)];
        for (index, batch) in
            self.batches.iter().enumerate().filter(|(_, batch)| is_roll_over(&batch.entries[0]))
        {
            // Of the honest log: what a thief put in stands behind.
            let before = self.batches[..index].iter().filter(|batch| batch.author == agent());
            let before: Vec<_> = before.flat_map(SealedBatch::leaves).collect();
            let index = u64::try_from(index).unwrap();
            let event = batch.entries[0].event().unwrap().epoch.unwrap();
            let by = RolledBy {
                number: batch.first,
                row: Row::disclosed(batch.first, &batch.entries[0], &batch.key, Paths::Shown),
                before: subtrees(&CompactRange::of(&before).unwrap()),
                note: String::from_utf8(batch.note.clone()).unwrap(),
                index,
                inclusion: inclusion_proof(&self.tree, index, self.tree.size()).unwrap(),
            };
            let key = VerifierKey::parse(&event.key).unwrap();
            keys.push(ListedKey::rolled(&agent(), event.number, &key, by));
        }
        keys
    }

    /// The cosigned final checkpoint.
    pub(crate) fn checkpoint(&self) -> (Checkpoint, String) {
        let size = self.tree.size();
        let checkpoint =
            Checkpoint { origin: self.keys.slug.log_origin(), size, root: root(&self.tree, size).unwrap() };
        let cosignature = cosign(&checkpoint.text(), 1_795_209_000, &self.keys.witness);
        let note = checkpoint.sign(&self.keys.log).unwrap();
        (checkpoint, format!("{note}{cosignature}"))
    }

    /// Every entry of an author with its number and batch key.
    pub(crate) fn entries(&self, author: &Author) -> Vec<(u64, &Entry, BatchKey)> {
        let of = self.batches.iter().filter(|batch| batch.author == *author);
        of.flat_map(|batch| batch.numbered().map(|(number, entry)| (number, entry, batch.key))).collect()
    }

    pub(crate) fn note_files(&self, author: &Author, size: u64) -> [(String, Vec<u8>); 2] {
        let index =
            self.batches.iter().position(|batch| batch.author == *author && batch.size() == size).unwrap();
        let place = u64::try_from(index).unwrap();
        let hashes = inclusion_proof(&self.tree, place, self.tree.size()).unwrap();
        let proof = TlogProof { index: place, hashes, checkpoint: self.checkpoint().1 };
        [
            (bundle::note_path(author, size), self.batches[index].note.clone()),
            (bundle::proof_path(author, size), proof.to_string().into_bytes()),
        ]
    }

    /// What shows that the log goes on from where it was closed: the proof, and the collector's last note before.
    fn seam(&self, size: u64) -> Files {
        let hashes = consistency_proof(&self.tree, size, self.tree.size()).unwrap();
        let lines: String = hashes.iter().map(|hash| format!("{}\n", hash.to_base64())).collect();
        let before = self.batches.iter().take(usize::try_from(size).unwrap());
        let acts =
            before.filter(|batch| batch.author == Author::Collector).map(SealedBatch::size).max().unwrap();
        let mut files: Files = self.note_files(&Author::Collector, acts).into();
        files.insert(bundle::restored_path(size), lines.into_bytes());
        files
    }

    /// A bundle of entries 3..7 of the agent (three shown) and all acts of the collector, before sealing.
    pub(crate) fn draft(&self) -> Draft {
        let (checkpoint, note) = self.checkpoint();
        let acts = self.entries(&Author::Collector);
        let first: Vec<_> = self.entries(&agent()).iter().take(3).map(|(n, e, k)| k.leaf(*n, e)).collect();
        let before = self.begins.clone().unwrap_or_else(|| CompactRange::of(&first).unwrap());
        let n_acts = u64::try_from(acts.len()).unwrap();
        let ranges = vec![
            Range::new(
                &Author::Collector,
                self.logs[&Author::Collector].epoch(),
                &CompactRange::empty(),
                0,
                n_acts,
            ),
            Range::new(&agent(), self.logs[&agent()].epoch(), &before, 0, self.logs[&agent()].size()),
        ];
        let is_refilled = self.begins.is_some();
        let ranges: Vec<_> = ranges
            .into_iter()
            .map(|range| if is_refilled { range.known_from_here() } else { range })
            .collect();
        let mut rows = BTreeMap::new();
        let shown = |number: u64| !matches!(number, 4 | 6);
        rows.insert(
            Author::Collector,
            acts.iter().map(|(n, e, k)| Row::disclosed(*n, e, k, Paths::Shown)).collect(),
        );
        let of_agent = self.entries(&agent()).into_iter().filter(|(number, ..)| *number >= 3);
        let of_agent = of_agent.map(|(number, entry, key)| match (shown(number), number) {
            (false, _) => Row::withheld(number, key.leaf(number, entry)),
            (true, 5) => Row::disclosed(number, entry, &key, Paths::Withheld),
            (true, _) => Row::disclosed(number, entry, &key, Paths::Shown),
        });
        rows.insert(agent(), of_agent.collect());
        let notes = [(Author::Collector, n_acts), (agent(), 3), (agent(), self.logs[&agent()].size())];
        let notes = notes.iter().filter(|(author, size)| !is_refilled || *author != agent() || *size != 3);
        let mut files: Files = notes.flat_map(|(author, size)| self.note_files(author, *size)).collect();
        let report = json!({"log": {"size": checkpoint.size, "root": checkpoint.root}}).to_string();
        files.extend(
            [
                (bundle::CHECKPOINT, note),
                (bundle::TRUST, self.keys.trust_text()),
                (bundle::POLICY, self.keys.trust.tlog_policy()),
                (bundle::REPORT_JSON, report),
                (bundle::REPORT_HTML, "<!doctype html><title>Report</title>".to_owned()),
                (bundle::CUSTODY, "{\"act\":\"exported\"}\n".to_owned()),
                (bundle::COVERAGE, "author,hour,state\nagent/ws-01,2026-11-20T21,up\n".to_owned()),
                (bundle::VERSIONS, "{\"ntk\":\"0.1.0\"}\n".to_owned()),
                ("data/policies/policy.toml", "# none\n".to_owned()),
            ]
            .map(|(path, text)| (path.to_owned(), text.into_bytes())),
        );
        for closed in self.keys.trust.closed_within(checkpoint.size) {
            files.extend(self.seam(closed.size));
        }
        let of_collector = (0..)
            .map_while(|epoch| Some(ListedKey::of_collector(epoch, self.keys.trust.collector_of(epoch)?)));
        let mut keys: Vec<_> = of_collector.collect();
        keys.extend(self.agent_keys());
        let count = |disclosed: bool| {
            rows.values().flatten().filter(|row: &&Row| row.is_disclosed() == disclosed).count()
        };
        let info = BagInfo {
            source_organization: "Maple Street Family Practice".into(),
            external_identifier: "C-1".into(),
            bagging_date: "2026-11-22".into(),
            log_origin: checkpoint.origin,
            log_size: checkpoint.size,
            log_root: checkpoint.root,
            range_from: "2026-11-20T21:00:00Z".into(),
            range_to: "2026-11-20T22:00:00Z".into(),
            disclosed_events: u64::try_from(count(true)).unwrap(),
            withheld_events: u64::try_from(count(false)).unwrap(),
            legal_hold_id: None,
            provable_up_to: Vec::new(),
            not_included: vec!["No PDF of the report is in this bundle.".into()],
        };
        Draft { rows, ranges, keys, files, info, timeline: None }
    }

    /// Seals a draft with the practice's own bundle key.
    pub(crate) fn seal(&self, draft: Draft) -> Files {
        draft.seal(&self.keys.bundle)
    }

    /// The bundle as it should be.
    pub(crate) fn bundle(&self) -> Files {
        self.seal(self.draft())
    }
}

/// A bundle before it is sealed.
pub(crate) struct Draft {
    pub(crate) rows: BTreeMap<Author, Vec<Row>>,
    pub(crate) ranges: Vec<Range>,
    pub(crate) keys: Vec<ListedKey>,
    pub(crate) files: Files,
    pub(crate) info: BagInfo,
    pub(crate) timeline: Option<String>,
}

impl Draft {
    /// The agent's rows.
    pub(crate) fn agent_rows(&mut self) -> &mut Vec<Row> {
        self.rows.get_mut(&agent()).unwrap()
    }

    /// Seals with a key.
    pub(crate) fn seal(self, key: &NoteSigner) -> Files {
        let mut bag = Bag::new();
        let rows = self.rows.iter().flat_map(|(author, rows)| rows.iter().map(move |row| (author, row)));
        let timeline = self.timeline.unwrap_or_else(|| timeline_csv(rows));
        bag.insert(bundle::TIMELINE, timeline).unwrap();
        for (author, rows) in &self.rows {
            bag.insert(&entries_path(author), rows.iter().map(Row::line).collect::<String>()).unwrap();
        }
        bag.insert(bundle::RANGES, to_json(&self.ranges).unwrap()).unwrap();
        bag.insert(bundle::KEYS, to_json(&self.keys).unwrap()).unwrap();
        let facts = ReadmeFacts {
            practice: self.info.source_organization.clone(),
            case: self.info.external_identifier.clone(),
            zip_name: "bundle.zip".into(),
            practice_words: "twelve words".into(),
            checkpoint_words: "twelve more".into(),
            log_size: self.info.log_size,
            made: "2026-11-22T15:00:00Z".into(),
            time_stamps: Default::default(),
            not_included: self.info.not_included.clone(),
        };
        bag.insert(bundle::README_TXT, readme_text(&facts)).unwrap();
        bag.insert(bundle::README_HTML, readme_html(&facts)).unwrap();
        for (path, bytes) in self.files {
            bag.insert(&path, bytes).unwrap();
        }
        let trust = bag.payload().get(bundle::TRUST).and_then(|bytes| TrustFile::parse(bytes).ok());
        let provable = trust.map(|trust| provable_up_to(bag.payload(), &trust));
        let info = BagInfo { provable_up_to: provable.unwrap_or_default(), ..self.info };
        bag.seal(&info, key).unwrap()
    }
}

/// A small generator of numbers from a seed that is printed: the same seed, the same test.
pub(crate) struct Dice(u64);

impl Dice {
    /// From `NTK_SEED`, else from the system's randomness; prints the seed.
    pub(crate) fn thrown(test: &str) -> Self {
        use std::hash::{BuildHasher as _, Hasher as _};
        let seed = std::env::var("NTK_SEED").ok().and_then(|text| text.parse().ok());
        let seed = seed.unwrap_or_else(|| std::hash::RandomState::new().build_hasher().finish());
        println!("{test}: NTK_SEED={seed}");
        Self(seed)
    }

    /// The next number (splitmix64).
    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        z ^ (z >> 31)
    }

    /// A number below a bound.
    pub(crate) fn below(&mut self, bound: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(bound.max(1)).unwrap()).unwrap()
    }

    /// Some bytes.
    pub(crate) fn bytes(&mut self, n: usize) -> Vec<u8> {
        (0..n).map(|_| self.next().to_le_bytes()[0]).collect()
    }
}

/// A hash that stands for nothing.
pub(crate) fn nothing() -> Hash {
    Hash::of(b"nothing")
}
