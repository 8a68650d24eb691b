//! How an account worked, taken from the first record of a finding.

use ntk_evidence::event::ActingAs;

use super::Way;
use crate::need_to_know::Access;

impl Way {
    pub(super) fn of(access: &Access<'_>) -> Self {
        let event = access.event;
        let actor = event.actor.clone().unwrap_or_default();
        let process = event.process.clone().unwrap_or_default();
        let lends_rights = |program: &String| {
            matches!(program.as_str(), "sudo" | "su" | "doas" | "pkexec" | "runuser" | "runas.exe")
        };
        let program = process.exe.as_deref().map(file_name);
        let parent = process.parent.as_deref().map(file_name);
        Self {
            sensor: event.source.as_ref().and_then(|source| source.sensor.clone()),
            event_id: event.source.as_ref().and_then(|source| source.event_id),
            after: parent.into_iter().chain(program.clone()).find(lends_rights),
            working_as: actor.effective_user.filter(|user| Some(user) != actor.login_user.as_ref()),
            tool: actor.tool,
            from: actor.from,
            program,
            via: event.object.as_ref().and_then(|object| object.via.clone()),
            tamper: event.tamper.as_ref().map(|tamper| tamper.what.clone()),
            change: event.change.as_ref().map(|change| change.what.clone()),
            to: event.change.as_ref().and_then(|change| change.to.clone()),
            acting_as: actor.acting_as.filter(|acting_as| *acting_as != ActingAs::Owner),
        }
    }
}

/// The last part of a path, of either system.
pub(crate) fn file_name(path: &str) -> String {
    path.rsplit(['/', '\\']).next().unwrap_or(path).to_owned()
}
