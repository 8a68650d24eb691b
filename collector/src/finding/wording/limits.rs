//! What stands beside a headline: what the record does not show, and harmless causes to rule out first.

use ntk_evidence::event::{Action, Confidence};

use super::{Family, family};
use crate::finding::Finding;
use crate::policy::Area;
use crate::signal::SignalKind;

/// What the record does not show: always at least one sentence.
pub fn not_shown(finding: &Finding) -> Vec<String> {
    let mut sentences: Vec<String> = Vec::new();
    let mut say = |sentence: &str| sentences.push(sentence.to_owned());
    if finding.asset.area.is_files() {
        match family(finding) {
            Family::Audit => {
                say("The record shows that files were opened or changed, not that anyone read them.")
            }
            Family::Unattributed => say(
                "The record shows that something was opened, not by which account or program, and not what was refused.",
            ),
            Family::HandleAsked => {
                say("The record shows that access was asked for, not that the file was read.")
            }
            Family::HandleUsed => {
                say("The record shows the first use of a right on a handle, not how much was read.")
            }
            Family::ShareChecked => {
                say("The record shows a check at the share, not that the file was opened.")
            }
            Family::MailService => {
                say("The record is the mail service’s own; it does not show that anyone read the message.")
            }
        }
    } else if finding.asset.area == Area::Login {
        say("The record shows the account, not who sat at the keyboard.");
    } else {
        say("The record shows what was done, not why.");
    }
    match finding.confidence {
        Some(Confidence::Derived) => {
            say("The account was derived from other records, not stamped on this one.")
        }
        Some(Confidence::Kernel) if finding.asset.area.is_files() => {
            say("It names the account that logged in, not who sat at the keyboard.");
        }
        _ => {}
    }
    if !finding.candidates.is_empty() {
        say("A session at the same time does not show that its account had a part in this.");
    }
    sentences
}

/// Harmless causes to rule out first: by area and by what was done, then by what is unusual.
pub(in crate::finding) fn innocent_causes(finding: &Finding) -> Vec<String> {
    let mut causes = of_the_area(finding);
    for signal in &finding.signals {
        let cause = of_a_signal(signal.kind).to_owned();
        if !causes.contains(&cause) {
            causes.push(cause);
        }
    }
    causes
}

fn of_a_signal(kind: SignalKind) -> &'static str {
    match kind {
        SignalKind::FirstTime => "a new task, or standing in for a colleague",
        SignalKind::Bulk => {
            "a program that goes through a whole folder, such as a search index or a virus scan"
        }
        SignalKind::Volume => "a project or the end of a billing period",
        SignalKind::AfterRightsChange => "rights that were given for just this work",
        SignalKind::AfterReset => "a forgotten password that the help desk replaced",
        SignalKind::AfterNotice => "handing over work before the last day",
        SignalKind::Denied => "a shortcut or a saved connection to a folder that was moved",
        SignalKind::ThroughCopy => "a restore that somebody asked for",
        SignalKind::UnenrolledHost => "a new computer, a telephone, or work from home",
        SignalKind::MovedOut => "a copy that a patient or an insurer asked for",
        SignalKind::ClockOff => "a computer that was asleep, or whose clock battery is empty",
        SignalKind::RemoteControl => "a support call that somebody here asked for",
        SignalKind::Decoy => "a backup, search or virus scan that opens every file of a disk",
    }
}

fn of_the_area(finding: &Finding) -> Vec<String> {
    let is_refused = finding.is_only_attempts();
    let changes = [Action::Write, Action::Create, Action::Delete, Action::Rename]
        .iter()
        .any(|action| finding.n_of(action) > 0);
    let causes: &[&str] = match finding.asset.area {
        Area::Mailbox | Area::ManagersMailbox | Area::OwnMailbox if changes => &[
            "a mail program or server filing messages",
            "a mail migration or clean-up that was agreed",
            "a restore after a fault",
        ],
        Area::Mailbox | Area::ManagersMailbox | Area::OwnMailbox => &[
            "a mail migration",
            "a full search index or virus scan",
            "a restore test",
            "a search across all folders that passed through this one",
        ],
        Area::Voicemail | Area::OwnVoicemail => &[
            "moving the telephone system",
            "a delegate during an absence",
            "a backup that is not in the roster",
        ],
        Area::Export if changes => &[
            "a patient asked for their records",
            "a task for billing or the clearing house",
            "a colleague used the session that was signed in",
        ],
        Area::Ehr | Area::Export => &[
            "a patient asked for their records",
            "an update or repair of the health-record system",
            "a colleague used the session that was signed in",
        ],
        Area::Hr | Area::OwnHr => &[
            "payroll work that was agreed",
            "a folder view that opens every file for a preview",
            "a virus scan",
        ],
        Area::Backup => {
            &["a restore test", "checking that a backup can be read", "a change of the backup program"]
        }
        Area::System | Area::SelfFiles => {
            &["an update", "an inventory or configuration tool", "maintenance that was agreed"]
        }
        Area::Login if is_refused => {
            &["a mistyped password", "a device with an old password", "a program that keeps trying"]
        }
        Area::Login => &["a call-out", "work at another hour that was agreed", "a shift that was swapped"],
        Area::Elevation => &["maintenance that was agreed", "an update that needs an administrator"],
        Area::RemoteControl => &["a support call that somebody here asked for"],
        Area::AccessRights => &[
            "a colleague whose work was taken over during an absence",
            "a shared mailbox that was set up for a team",
            "help with a forgotten password or a lost telephone",
        ],
        Area::Recording => &[
            "an update of the system or of the agent",
            "a repair that was agreed",
            "another audit program being set up",
        ],
    };
    causes.iter().map(|cause| (*cause).to_owned()).collect()
}
