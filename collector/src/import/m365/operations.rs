//! Administration: what opens a way to mail, what blinds the recording, and sign-ins. By the operation's own name.

use super::fields::{Fields, text_of};
use super::{BY_SERVICE, Base, Found, mailbox};
use ntk_evidence::event::{
    Action, Actor, Change, ChangeWhat, Class, Confidence, Event, Kind, Object, Outcome, Tamper, TamperKind,
};

/// Rights that one change names at most.
const RIGHTS_MAX: usize = 8;

/// What an operation amounts to: a row of [`TABLE`].
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Does {
    /// Opens a way, or closes it again.
    Opens(Way),
    /// The same, where a parameter says so; otherwise an ordinary change.
    OpensIf(Way, &'static [&'static str]),
    /// A sign-in.
    SignsIn,
    /// Blinds, where this parameter has one of these values; otherwise as the next row of the same name says.
    BlindsIf(&'static str, &'static [&'static str]),
    /// Blinds.
    Blinds,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Way {
    MailboxPermission,
    FolderPermission,
    SendAs,
    Forwarding,
    TransportRule,
    JournalRule,
    Connector,
    MailboxExport,
    ContentSearch,
    Impersonation,
    Application,
    ApplicationCredential,
    Role,
    PasswordReset,
    SecondFactor,
    SignInRules,
}

impl Way {
    const fn word(self) -> ChangeWhat {
        match self {
            Self::MailboxPermission => ChangeWhat::MailboxPermission,
            Self::FolderPermission => ChangeWhat::FolderPermission,
            Self::SendAs => ChangeWhat::SendAs,
            Self::Forwarding => ChangeWhat::Forwarding,
            Self::TransportRule => ChangeWhat::TransportRule,
            Self::JournalRule => ChangeWhat::JournalRule,
            Self::Connector => ChangeWhat::Connector,
            Self::MailboxExport => ChangeWhat::MailboxExport,
            Self::ContentSearch => ChangeWhat::ContentSearch,
            Self::Impersonation => ChangeWhat::Impersonation,
            Self::Application => ChangeWhat::Application,
            Self::ApplicationCredential => ChangeWhat::ApplicationCredential,
            Self::Role => ChangeWhat::Role,
            Self::PasswordReset => ChangeWhat::PasswordReset,
            Self::SecondFactor => ChangeWhat::SecondFactor,
            Self::SignInRules => ChangeWhat::SignInRules,
        }
    }

    /// Ways to one mailbox or account, which is then whose it is about.
    const fn is_to_one(self) -> bool {
        matches!(
            self,
            Self::MailboxPermission
                | Self::FolderPermission
                | Self::SendAs
                | Self::Forwarding
                | Self::MailboxExport
                | Self::PasswordReset
                | Self::SecondFactor
        )
    }

    /// Ways that an account may open for itself: its own password, its own second factor.
    const fn is_of_oneself(self) -> bool {
        matches!(self, Self::PasswordReset | Self::SecondFactor)
    }
}

const OFF: &[&str] = &["False", "$false", "0"];
const ON: &[&str] = &["True", "$true", "1"];
const FORWARDS: &[&str] = &["ForwardTo", "ForwardAsAttachmentTo", "RedirectTo"];
const FORWARDS_ALL: &[&str] = &["ForwardingSmtpAddress", "ForwardingAddress"];

use Does::{Blinds, BlindsIf, Opens, OpensIf, SignsIn};

/// Operations by name, without case, spaces and punctuation: Exchange's commands, then those of compliance search, then
/// those of the directory. What is in no row and was done by a person is an ordinary change.
const TABLE: &[(&str, Does)] = &[
    ("addmailboxpermission", Opens(Way::MailboxPermission)),
    ("removemailboxpermission", Opens(Way::MailboxPermission)),
    ("addadpermission", Opens(Way::MailboxPermission)),
    ("addmailboxfolderpermission", Opens(Way::FolderPermission)),
    ("setmailboxfolderpermission", Opens(Way::FolderPermission)),
    ("removemailboxfolderpermission", Opens(Way::FolderPermission)),
    ("addfolderpermissions", Opens(Way::FolderPermission)),
    ("modifyfolderpermissions", Opens(Way::FolderPermission)),
    ("updatecalendardelegation", Opens(Way::FolderPermission)),
    ("addrecipientpermission", Opens(Way::SendAs)),
    ("removerecipientpermission", Opens(Way::SendAs)),
    ("setmailbox", BlindsIf("AuditEnabled", OFF)),
    ("setmailbox", BlindsIf("AuditOwner", &["", "None"])),
    ("setmailbox", BlindsIf("AuditDelegate", &["", "None"])),
    ("setmailbox", BlindsIf("AuditAdmin", &["", "None"])),
    ("setmailbox", OpensIf(Way::Forwarding, FORWARDS_ALL)),
    ("setmailbox", OpensIf(Way::SendAs, &["GrantSendOnBehalfTo"])),
    ("setmailboxauditbypassassociation", BlindsIf("AuditBypassEnabled", ON)),
    ("setadminauditlogconfig", BlindsIf("UnifiedAuditLogIngestionEnabled", OFF)),
    ("setadminauditlogconfig", BlindsIf("AdminAuditLogEnabled", OFF)),
    ("setorganizationconfig", BlindsIf("AuditDisabled", ON)),
    ("removeunifiedauditlogretentionpolicy", Blinds),
    ("newinboxrule", OpensIf(Way::Forwarding, FORWARDS)),
    ("setinboxrule", OpensIf(Way::Forwarding, FORWARDS)),
    ("updateinboxrules", OpensIf(Way::Forwarding, &["RuleActions"])),
    ("newtransportrule", Opens(Way::TransportRule)),
    ("settransportrule", Opens(Way::TransportRule)),
    ("enabletransportrule", Opens(Way::TransportRule)),
    ("newjournalrule", Opens(Way::JournalRule)),
    ("setjournalrule", Opens(Way::JournalRule)),
    ("enablejournalrule", Opens(Way::JournalRule)),
    ("newoutboundconnector", Opens(Way::Connector)),
    ("setoutboundconnector", Opens(Way::Connector)),
    ("newinboundconnector", Opens(Way::Connector)),
    ("setinboundconnector", Opens(Way::Connector)),
    ("newsendconnector", Opens(Way::Connector)),
    ("installtransportagent", Opens(Way::Connector)),
    ("enabletransportagent", Opens(Way::Connector)),
    ("newmailboxexportrequest", Opens(Way::MailboxExport)),
    ("newmailboxsearch", Opens(Way::ContentSearch)),
    ("searchmailbox", Opens(Way::ContentSearch)),
    ("newcompliancesearch", Opens(Way::ContentSearch)),
    ("startcompliancesearch", Opens(Way::ContentSearch)),
    ("newcompliancesearchaction", Opens(Way::ContentSearch)),
    ("searchcreated", Opens(Way::ContentSearch)),
    ("searchstarted", Opens(Way::ContentSearch)),
    ("searchupdated", Opens(Way::ContentSearch)),
    ("searchpreviewed", Opens(Way::ContentSearch)),
    ("viewedsearchpreviewed", Opens(Way::ContentSearch)),
    ("previewitemlisted", Opens(Way::ContentSearch)),
    ("previewitemrendered", Opens(Way::ContentSearch)),
    ("previewitemdownloaded", Opens(Way::ContentSearch)),
    ("searchexported", Opens(Way::ContentSearch)),
    ("viewedsearchexported", Opens(Way::ContentSearch)),
    ("searchexportdownloaded", Opens(Way::ContentSearch)),
    ("newmanagementroleassignment", OpensIf(Way::Impersonation, &["App", "CustomResourceScope"])),
    ("newmanagementroleassignment", Opens(Way::Role)),
    ("newserviceprincipal", Opens(Way::Impersonation)),
    ("newapplicationaccesspolicy", Opens(Way::Application)),
    ("addrolegroupmember", Opens(Way::Role)),
    ("consenttoapplication", Opens(Way::Application)),
    ("addapproleassignmenttoserviceprincipal", Opens(Way::Application)),
    ("adddelegatedpermissiongrant", Opens(Way::Application)),
    ("addoauth2permissiongrant", Opens(Way::Application)),
    ("addserviceprincipal", Opens(Way::Application)),
    ("addapplication", Opens(Way::Application)),
    ("addownertoapplication", Opens(Way::Application)),
    ("addownertoserviceprincipal", Opens(Way::Application)),
    ("addserviceprincipalcredentials", Opens(Way::ApplicationCredential)),
    ("updateapplicationcertificatesandsecretsmanagement", Opens(Way::ApplicationCredential)),
    ("addmembertorole", Opens(Way::Role)),
    ("removememberfromrole", Opens(Way::Role)),
    ("addeligiblemembertorole", Opens(Way::Role)),
    ("addmembertorolecompletedpimactivation", Opens(Way::Role)),
    ("resetuserpassword", Opens(Way::PasswordReset)),
    ("resetpasswordbyadmin", Opens(Way::PasswordReset)),
    ("changeuserpassword", Opens(Way::PasswordReset)),
    ("setforcechangeuserpassword", Opens(Way::PasswordReset)),
    ("disablestrongauthentication", Opens(Way::SecondFactor)),
    ("adminregisteredsecurityinfo", Opens(Way::SecondFactor)),
    ("adminupdatedsecurityinfo", Opens(Way::SecondFactor)),
    ("admindeletedsecurityinfo", Opens(Way::SecondFactor)),
    ("createtemporaryaccesspass", Opens(Way::SecondFactor)),
    ("adminregisteredtemporaryaccesspass", Opens(Way::SecondFactor)),
    ("userregisteredsecurityinfo", Opens(Way::SecondFactor)),
    ("userdeletedsecurityinfo", Opens(Way::SecondFactor)),
    ("addconditionalaccesspolicy", Opens(Way::SignInRules)),
    ("updateconditionalaccesspolicy", Opens(Way::SignInRules)),
    ("deleteconditionalaccesspolicy", Opens(Way::SignInRules)),
    ("updatepolicy", Opens(Way::SignInRules)),
    ("deletepolicy", Opens(Way::SignInRules)),
    ("updateauthorizationpolicy", Opens(Way::SignInRules)),
    ("setfederationsettingsondomain", Opens(Way::SignInRules)),
    ("userloggedin", SignsIn),
    ("userloginfailed", SignsIn),
    ("mailboxlogin", SignsIn),
];

/// Words of roles that let an application or account act as others.
const ACTS_AS_OTHERS: &[&str] =
    &["impersonation", "application mail", "application exchange", "application eas"];

/// A name without case, spaces and punctuation: `Update application – Certificates and secrets management`.
fn plain(name: &str) -> String {
    name.chars().filter(|letter| letter.is_alphanumeric()).flat_map(char::to_lowercase).collect()
}

/// What an operation that is none on a mailbox amounts to.
pub(super) fn read(base: &Base<'_>) -> Option<Found> {
    let name = plain(&base.operation);
    let rows: Vec<Does> = TABLE.iter().filter(|(own, _)| *own == name).map(|(_, does)| *does).collect();
    if base.is_service() && rows.iter().all(|does| *does != SignsIn) {
        return Some(Found::Noise(BY_SERVICE));
    }
    let said = |parameter: &str| base.fields.parameter(parameter);
    for does in &rows {
        let event = match *does {
            SignsIn => sign_in(base),
            Blinds => blinded(base, None),
            BlindsIf(parameter, values) => match said_at_all(base, parameter) {
                Some(value) if values.iter().any(|off| off.eq_ignore_ascii_case(&value)) => {
                    blinded(base, Some((parameter, &value)))
                }
                _ => continue,
            },
            OpensIf(way, parameters) if parameters.iter().any(|name| said(name).is_some()) => {
                changed(base, Some(way))
            }
            OpensIf(..) => continue,
            Opens(way) => changed(base, Some(way)),
        };
        return Some(Found::Events(vec![event]));
    }
    let is_of_directory = |name: String| matches!(name.as_str(), "AzureActiveDirectory" | "Exchange");
    let is_ours =
        !rows.is_empty() || base.fields.text(&["Workload", "OfficeWorkload"]).is_some_and(is_of_directory);
    is_ours.then(|| Found::Events(vec![changed(base, None)]))
}

/// A parameter, which may be there and empty: that is what switches the recording of some actions off.
fn said_at_all(base: &Base<'_>, name: &str) -> Option<String> {
    base.fields.list(&["Parameters"]).iter().find_map(|pair| {
        let is_it = Fields::of(pair).text(&["Name"])?.eq_ignore_ascii_case(name);
        is_it.then(|| pair.get("Value").and_then(text_of).unwrap_or_default())
    })
}

fn sign_in(base: &Base<'_>) -> Event {
    let mut event = base.event(Kind::Login);
    let is_refused = base.operation == "UserLoginFailed"
        || event.outcome.as_ref().is_some_and(|outcome| *outcome != Outcome::Success);
    event.outcome = Some(if is_refused { Outcome::Denied } else { Outcome::Success });
    refuse(&mut event, is_refused);
    event
}

/// A name that was typed at a sign-in that failed is nobody's act.
pub(super) fn refuse(event: &mut Event, is_refused: bool) {
    if let (Some(actor), true) = (&mut event.actor, is_refused) {
        let typed = actor.upn.take().or_else(|| actor.login_user.take());
        let from = actor.from.take();
        *actor =
            Actor { claims: typed, from, confidence: Some(Confidence::Unattributed), ..Actor::default() };
    }
}

fn blinded(base: &Base<'_>, by: Option<(&str, &str)>) -> Event {
    let mut event = base.event(Kind::Tamper);
    let detail = match by {
        Some((parameter, value)) => format!("{} {parameter}={value}", base.operation),
        None => base.operation.clone(),
    };
    event.object = target(base).map(|owner| mailbox(Some(owner)));
    event.tamper = Some(Tamper {
        what: TamperKind::AuditPolicyChanged,
        detail: Some(detail),
        other: Default::default(),
    });
    event
}

fn changed(base: &Base<'_>, way: Option<Way>) -> Event {
    let mut event = base.event(Kind::AccountChange);
    let name = plain(&base.operation);
    let is_removal = name.starts_with("remove");
    let is_delete = is_removal || name.starts_with("delete") || name.contains("deleted");
    event.action = Some(match name.as_str() {
        _ if is_delete => Action::Delete,
        name if name.starts_with("add") || name.starts_with("new") || name.contains("registered") => {
            Action::Create
        }
        _ => Action::Attributes,
    });
    let target = target(base);
    let by = event.actor.as_ref().and_then(|actor| actor.upn.clone());
    let is_own = way.is_some_and(Way::is_of_oneself)
        && matches!((&by, &target), (Some(by), Some(of)) if by.eq_ignore_ascii_case(of));
    let role = base.fields.parameter("Role").unwrap_or_default().to_lowercase();
    let what = match way {
        Some(Way::Role) if ACTS_AS_OTHERS.iter().any(|word| role.contains(word)) => ChangeWhat::Impersonation,
        Some(way) if !is_own => way.word(),
        _ => ChangeWhat::Account,
    };
    let target = target.filter(|_| way.is_none_or(Way::is_to_one));
    let class = if what.opens_a_way() { Class::Mailbox } else { Class::System };
    event.object = Some(Object { owner: target, class: Some(class), ..Object::default() });
    event.change = Some(Box::new(Change {
        to: given_to(base, way),
        rights: rights(base),
        is_removal,
        what,
        other: Default::default(),
    }));
    event
}

/// Of whom, or of whose mailbox.
fn target(base: &Base<'_>) -> Option<String> {
    let fields = base.fields;
    let directory = || {
        let list = fields.list(&["Target"]);
        let ids = list.iter().filter_map(|target| Fields::of(target).text(&["ID"]));
        ids.into_iter().find(|id| id.contains('@'))
    };
    let object = || fields.text(&["ObjectId", "OfficeObjectId"]);
    let mailbox = fields.text(&["MailboxOwnerUPN"]).or_else(|| fields.parameter("Mailbox"));
    let found = mailbox.or_else(|| fields.parameter("Identity")).or_else(directory).or_else(object)?;
    // `contoso.example/Users/dana`, `dana:\Inbox`, `NAMPR\dana`: the last part is the mailbox.
    let bare = found.split(":\\").next().unwrap_or(&found);
    let last = bare.rsplit(['/', '\\']).next().unwrap_or(bare).trim();
    (!last.is_empty()).then(|| last.to_owned())
}

fn given_to(base: &Base<'_>, way: Option<Way>) -> Option<String> {
    let fields = base.fields;
    let names: &[&str] = match way? {
        Way::MailboxPermission | Way::FolderPermission => &["User"],
        Way::SendAs => &["Trustee", "GrantSendOnBehalfTo"],
        Way::Forwarding => &[
            "ForwardingSmtpAddress",
            "ForwardingAddress",
            "ForwardTo",
            "ForwardAsAttachmentTo",
            "RedirectTo",
        ],
        Way::TransportRule => &["BlindCopyTo", "RedirectMessageTo", "CopyTo", "AddToRecipients"],
        Way::JournalRule => &["JournalEmailAddress"],
        Way::Connector => &["SmartHosts"],
        Way::MailboxExport | Way::ContentSearch => return None,
        Way::Impersonation | Way::Role => &["App", "User", "SecurityGroup", "Member", "AppId"],
        Way::Application | Way::ApplicationCredential => {
            let list = fields.list(&["Target"]);
            let ids = list.iter().filter_map(|target| Fields::of(target).text(&["ID"]));
            return ids
                .into_iter()
                .find(|id| !id.contains('@') && !looks_like_id(id))
                .or_else(|| fields.text(&["ObjectId"]));
        }
        Way::PasswordReset | Way::SecondFactor | Way::SignInRules => return None,
    };
    let role_member = || {
        let list = fields.list(&["Target"]);
        let ids = list.iter().filter_map(|target| Fields::of(target).text(&["ID"]));
        let member = ids.into_iter().find(|id| id.contains('@')).or_else(|| fields.text(&["ObjectId"]));
        member.filter(|id| way == Some(Way::Role) && id.contains('@'))
    };
    names.iter().find_map(|name| fields.parameter(name)).or_else(role_member)
}

/// `User_5542...`, a UUID, or the word that says what kind of thing it is: no name for people.
fn looks_like_id(text: &str) -> bool {
    let is_uuid = |text: &str| text.len() == 36 && text.bytes().filter(|byte| *byte == b'-').count() == 4;
    is_uuid(text)
        || text.rsplit_once('_').is_some_and(|(_, rest)| is_uuid(rest))
        || matches!(text, "User" | "ServicePrincipal" | "Application" | "Other" | "Role" | "Policy")
}

fn rights(base: &Base<'_>) -> Vec<String> {
    let property = |name: &str| base.fields.named(&["ModifiedProperties"], name);
    let said = base.fields.parameter("AccessRights").or_else(|| base.fields.parameter("Role"));
    let said = said
        .or_else(|| property("Role.DisplayName"))
        .or_else(|| property("AppRole.Value"))
        .or_else(|| property("DelegatedPermissionGrant.Scope"));
    if let Some(scopes) = property("ConsentAction.Permissions") {
        // `[[Id: .., Scope: Mail.Read User.Read], ..]`: the scopes are what has a dot in it.
        let words = scopes.split([',', ' ', '[', ']', ';']).filter(|word| {
            word.contains('.') && word.starts_with(|letter: char| letter.is_ascii_alphabetic())
        });
        return words.map(str::to_owned).take(RIGHTS_MAX).collect();
    }
    let said = said.unwrap_or_default();
    let words = said.split([',', ' ', '[', ']', '"']).filter(|word| !word.is_empty());
    let words = words.map(str::to_owned).take(RIGHTS_MAX);
    if said.contains(' ') && !said.contains(',') && !said.contains('.') {
        vec![said]
    } else {
        words.collect()
    }
}
