//! Sessions, and what is done in them: the parts of an entry that scenes speak of.

use ntk_evidence::event::{Action, Actor, Class, Confidence, Object, Outcome, Process, Via};

/// A session on a computer, or a service outside any.
#[derive(Clone, Debug)]
pub struct Seat {
    /// The computer.
    pub host: String,
    /// As each record of the session names the actor.
    pub actor: Actor,
}

impl Seat {
    /// The same session with another account's rights.
    pub fn acting_as(&self, user: &str) -> Self {
        let actor = Actor { effective_user: Some(user.to_owned()), ..self.actor.clone() };
        Self { actor, ..self.clone() }
    }

    /// A service, started by the system: no login stands behind it.
    pub fn service(host: &str, user: &str) -> Self {
        let actor = Actor {
            effective_user: Some(user.to_owned()),
            confidence: Some(Confidence::Unattributed),
            ..Actor::default()
        };
        Self { host: host.to_owned(), actor }
    }
}

/// One access to files.
#[derive(Clone, Debug)]
pub struct Touch {
    pub(super) action: Action,
    pub(super) outcome: Outcome,
    pub(super) object: Object,
    pub(super) process: Process,
    pub(super) count: Option<u64>,
}

impl Touch {
    /// Something done to a file of a class.
    pub fn new(action: Action, class: Class, path: impl Into<String>, exe: &str) -> Self {
        let object = Object {
            path: Some(path.into()),
            class: Some(class),
            via: Some(Via::Direct),
            ..Object::default()
        };
        let process = Process { exe: Some(exe.to_owned()), ..Process::default() };
        Self { action, outcome: Outcome::Success, object, process, count: None }
    }

    /// Whose file it is.
    pub fn of(mut self, owner: &str) -> Self {
        self.object.owner = Some(owner.to_owned());
        self
    }

    /// Where it went.
    pub fn to(mut self, path: impl Into<String>) -> Self {
        self.object.to = Some(path.into());
        self
    }

    /// By which way.
    pub fn via(mut self, via: Via) -> Self {
        self.object.via = Some(via);
        self
    }

    /// The command line.
    pub fn command(mut self, command: impl Into<String>) -> Self {
        self.process.command = Some(command.into());
        self
    }

    /// The program that started it.
    pub fn from(mut self, parent: &str) -> Self {
        self.process.parent = Some(parent.to_owned());
        self
    }

    /// How often within a few seconds.
    pub fn times(mut self, n: i64) -> Self {
        self.count = u64::try_from(n).ok().filter(|n| *n > 1);
        self
    }

    /// It was refused.
    pub fn denied(mut self) -> Self {
        self.outcome = Outcome::Denied;
        self
    }
}
