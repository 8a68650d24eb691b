//! What collectors hand to the one that leads, and what they hear.

use super::statements::Statements;
use super::{Asker, Database, DatabaseError, signed, sorted, unsigned};

/// How many waiting requests are taken into one group.
const WAITING_MAX: i64 = 64;

/// What became of a waiting request.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Answer {
    /// It is in the log: the last leaf of it.
    Leaf(u64),
    /// It is not.
    Refused(Refusal),
}

/// Why a waiting request was not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// The author's log has moved on.
    Moved,
    /// The author is not enrolled, or no longer.
    NotEnrolled,
    /// The author was enrolled before.
    Enrolled,
    /// As many machines as the practice key permits were enrolled.
    Full,
    /// Signed for an earlier term: to be asked again.
    Term,
    /// Not signed by a collector of this practice, or not readable.
    Unsigned,
}

impl Refusal {
    const ALL: [(Self, &'static str); 6] = [
        (Self::Moved, "moved"),
        (Self::NotEnrolled, "not_enrolled"),
        (Self::Enrolled, "enrolled"),
        (Self::Full, "full"),
        (Self::Term, "term"),
        (Self::Unsigned, "unsigned"),
    ];

    fn word(self) -> &'static str {
        Self::ALL.iter().find(|(refusal, _)| *refusal == self).map_or("unsigned", |(_, word)| word)
    }

    fn of(word: &str) -> Self {
        Self::ALL.iter().find(|(_, known)| *known == word).map_or(Self::Unsigned, |(refusal, _)| *refusal)
    }
}

/// What a waiting request asks for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// One BATCH frame of an agent or import.
    Batch,
    /// Acts, signed by the collector that asks.
    Acts,
}

/// A request of a collector that does not lead.
#[derive(Clone, Debug)]
pub struct Waiting {
    /// Its name, random.
    pub id: String,
    /// What it asks for.
    pub kind: Kind,
    /// A BATCH frame, or a signed note.
    pub body: Vec<u8>,
}

pub(super) async fn answer(
    transaction: &tokio_postgres::Transaction<'_>,
    statements: &Statements,
    asker: &Asker<'_>,
    answers: &[(String, Answer)],
) -> Result<(), DatabaseError> {
    for (id, answer) in answers {
        let (leaf, refused) = match answer {
            Answer::Leaf(leaf) => (Some(signed(*leaf)), None),
            Answer::Refused(refusal) => (None, Some(refusal.word())),
        };
        transaction
            .execute(&statements.answer, &[&asker.tenant, id, &leaf, &refused])
            .await
            .map_err(sorted)?;
    }
    Ok(())
}

impl Database {
    /// Writes answers to requests that need no group.
    ///
    /// # Errors
    /// As the database answers.
    pub fn refuse(&mut self, answers: &[(String, Answer)]) -> Result<(), DatabaseError> {
        self.ask(async |client, statements, asker| {
            let transaction = client.transaction().await.map_err(sorted)?;
            answer(&transaction, statements, asker, answers).await?;
            transaction.commit().await.map_err(sorted)
        })
    }

    /// Puts a request where the collector that leads takes it; the same again changes nothing.
    ///
    /// # Errors
    /// As the database answers.
    pub fn put(&mut self, waiting: &Waiting) -> Result<(), DatabaseError> {
        self.ask(async |client, statements, asker| {
            let sealed = asker.seal(&format!("waiting/{}", waiting.id), &waiting.body)?;
            let kind = i16::from(waiting.kind == Kind::Acts);
            client
                .execute(&statements.put, &[&asker.tenant, &waiting.id, &kind, &sealed])
                .await
                .map_err(sorted)?;
            Ok(())
        })
    }

    /// The oldest requests that nobody answered.
    ///
    /// # Errors
    /// As the database answers. A row that does not open is given with an empty body.
    pub fn waiting(&mut self) -> Result<Vec<Waiting>, DatabaseError> {
        self.ask(async |client, statements, asker| {
            let rows =
                client.query(&statements.waiting, &[&asker.tenant, &WAITING_MAX]).await.map_err(sorted)?;
            let mut waiting = Vec::new();
            for row in rows {
                let id: String = row.try_get(0).map_err(sorted)?;
                let kind: i16 = row.try_get(1).map_err(sorted)?;
                let sealed: Vec<u8> = row.try_get(2).map_err(sorted)?;
                // What somebody else put there must not stop the ledger.
                let body = asker.open(&format!("waiting/{id}"), sealed).unwrap_or_default();
                let kind = if kind == 1 { Kind::Acts } else { Kind::Batch };
                waiting.push(Waiting { id, kind, body });
            }
            Ok(waiting)
        })
    }

    /// Answers to these requests, as far as there are.
    ///
    /// # Errors
    /// As the database answers.
    pub fn answers(&mut self, ids: &[String]) -> Result<Vec<(String, Answer)>, DatabaseError> {
        self.ask(async move |client, statements, asker| {
            let rows = client.query(&statements.answers, &[&asker.tenant, &ids]).await.map_err(sorted)?;
            let mut answers = Vec::new();
            for row in rows {
                let id: String = row.try_get(0).map_err(sorted)?;
                let leaf: Option<i64> = row.try_get(1).map_err(sorted)?;
                let refused: Option<String> = row.try_get(2).map_err(sorted)?;
                let answer = match (leaf, refused) {
                    (Some(leaf), _) => Answer::Leaf(unsigned("answer", leaf)?),
                    (None, Some(word)) => Answer::Refused(Refusal::of(&word)),
                    (None, None) => continue,
                };
                answers.push((id, answer));
            }
            Ok(answers)
        })
    }

    /// Forgets requests: those that were heard of, and what nobody fetched for long.
    ///
    /// # Errors
    /// As the database answers.
    pub fn forget(&mut self, ids: &[String]) -> Result<(), DatabaseError> {
        self.ask(async move |client, statements, asker| {
            client.execute(&statements.forget, &[&asker.tenant, &ids]).await.map_err(sorted)?;
            Ok(())
        })
    }

    /// Says which machines this collector hears now.
    ///
    /// # Errors
    /// As the database answers.
    pub fn tell_heard(&mut self, authors: &[String]) -> Result<(), DatabaseError> {
        self.ask(async move |client, statements, asker| {
            client.execute(&statements.tell_heard, &[&asker.tenant, &authors]).await.map_err(sorted)?;
            Ok(())
        })
    }

    /// Which machines other collectors hear now.
    ///
    /// # Errors
    /// As the database answers.
    pub fn heard(&mut self) -> Result<Vec<String>, DatabaseError> {
        self.ask(async |client, statements, asker| {
            let rows = client.query(&statements.heard, &[&asker.tenant]).await.map_err(sorted)?;
            rows.iter().map(|row| row.try_get(0).map_err(sorted)).collect()
        })
    }
}
