//! Where the collector lives: who can therefore read what it keeps, stop it or delete it. Said once at `init`, kept in
//! `collector.toml` and in the ledger, and repeated at the foot of every report.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Where it lives. The table in `docs/box.md` has the same rows.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize, clap::ValueEnum)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "kebab-case")]
pub enum Place {
    /// A small computer of its own that `deploy/box` made: no sign-in over the network, encrypted data
    Box,
    /// A computer or virtual machine of its own on hardware that the practice keeps in a locked room
    OwnComputer,
    /// The manager's own computer
    ManagersComputer,
    /// A machine that somebody outside runs: a consultant, an attorney, another firm
    Outsider,
    /// A virtual machine on the practice's server
    PracticeServer,
}

impl Place {
    /// Where, and what follows from it, in two sentences for the foot of a report.
    pub const fn sentence(self) -> &'static str {
        match self {
            Self::Box => {
                "This record is kept on a box of its own in the practice, with an encrypted data partition and no sign-in over the network. Whoever holds the box together with its start stick or passphrase can read it; whoever stands in the room can switch it off; whoever runs the network can cut it off, which both sides record."
            }
            Self::OwnComputer => {
                "This record is kept on a computer of its own in the practice. Whoever administers that computer can read it, stop it or delete it; whoever runs the network can cut it off, which both sides record."
            }
            Self::ManagersComputer => {
                "This record is kept on the manager’s own computer. The manager, and whoever administers that computer, can read it, stop it or delete it; proof rests on what machines, witnesses outside and printed pages remember."
            }
            Self::Outsider => {
                "This record is kept on a machine that somebody outside the practice runs. They, and whoever runs the line, can stop it or delete it; they can read it and so are a business associate of the practice."
            }
            Self::PracticeServer => {
                "This record is kept in a virtual machine on the practice’s server. Whoever administers the host can read its memory and disk and put it back to an earlier state; proof against that person rests on what witnesses outside, copies outside and printed pages remember."
            }
        }
    }

    /// The sentence, or that nobody said where.
    pub fn said(place: Option<Self>) -> &'static str {
        place.map_or(
            "Where this record is kept was not said at set-up: read it as if whoever administers the host could read it, stop it or delete it.",
            Self::sentence,
        )
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Box => "box",
            Self::OwnComputer => "own-computer",
            Self::ManagersComputer => "managers-computer",
            Self::Outsider => "outsider",
            Self::PracticeServer => "practice-server",
        })
    }
}

#[cfg(test)]
mod tests {
    use clap::ValueEnum as _;

    use super::*;

    #[test]
    fn every_place_has_one_name_in_file_and_command_and_says_who_can_stop_it() {
        for place in Place::value_variants() {
            let typed = place.to_possible_value().unwrap();
            assert_eq!(typed.get_name(), place.to_string());
            assert_eq!(serde_json::to_value(place).unwrap(), place.to_string());
            let said = place.sentence();
            assert!(said.contains("This record is kept") && said.contains("can read"), "{said}");
        }
        assert!(Place::said(None).contains("was not said"));
    }
}
