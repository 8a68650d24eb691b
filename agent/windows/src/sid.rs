//! Accounts and groups by their security identifiers, whose names are localised (Microsoft: Well-known SIDs).

/// Logon ids of SYSTEM, NETWORK SERVICE and LOCAL SERVICE; the same on every Windows.
pub const SYSTEM_LOGONS: [u64; 3] = [0x3e7, 0x3e4, 0x3e5];

/// Whether it is SYSTEM, LOCAL SERVICE or NETWORK SERVICE: nobody who logs in.
pub fn is_system(sid: &str) -> bool {
    matches!(sid, "S-1-5-18" | "S-1-5-19" | "S-1-5-20")
}

/// Whether it is an account that somebody could log in to: of a machine, a domain or a cloud directory. A machine's own
/// account in its domain is one, too; see [`is_machine_name`].
pub fn is_account(sid: &str) -> bool {
    sid.starts_with("S-1-5-21-") || sid.starts_with("S-1-12-1-")
}

/// Names of machines' own accounts end with `$`.
pub fn is_machine_name(name: &str) -> bool {
    name.ends_with('$')
}

/// Groups that every Windows has and that give rights over other people's files or accounts, or a way in from elsewhere,
/// by their identifiers, with their English names.
pub const POWERFUL_GROUPS: &[(&str, &str)] = &[
    ("S-1-5-32-544", "Administrators"),
    ("S-1-5-32-547", "Power Users"),
    ("S-1-5-32-548", "Account Operators"),
    ("S-1-5-32-549", "Server Operators"),
    ("S-1-5-32-551", "Backup Operators"),
    ("S-1-5-32-555", "Remote Desktop Users"),
    ("S-1-5-32-573", "Event Log Readers"),
    ("S-1-5-32-578", "Hyper-V Administrators"),
    ("S-1-5-32-580", "Remote Management Users"),
];

/// The English name of a group that gives rights over other people's files or accounts, or a way in from elsewhere.
pub fn powerful_group(sid: &str) -> Option<&'static str> {
    const OF_DOMAIN: &[(&str, &str)] = &[
        ("512", "Domain Admins"),
        ("516", "Domain Controllers"),
        ("517", "Cert Publishers"),
        ("518", "Schema Admins"),
        ("519", "Enterprise Admins"),
        ("520", "Group Policy Creator Owners"),
        ("526", "Key Admins"),
        ("527", "Enterprise Key Admins"),
    ];
    let built_in = POWERFUL_GROUPS.iter().find(|(known, _)| *known == sid);
    let of_domain = || {
        let rid = sid.strip_prefix("S-1-5-21-")?.rsplit('-').next()?;
        OF_DOMAIN.iter().find(|(known, _)| *known == rid)
    };
    built_in.or_else(of_domain).map(|(_, name)| *name)
}

/// `DOMAIN\name`, or the name alone where the record names no domain.
pub fn full_name(domain: Option<&str>, name: Option<&str>) -> Option<String> {
    let name = name?;
    Some(match domain {
        Some(domain) => format!("{domain}\\{name}"),
        None => name.to_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_are_known_by_identifier_and_not_by_name() {
        assert_eq!(powerful_group("S-1-5-32-544"), Some("Administrators"));
        assert_eq!(powerful_group("S-1-5-21-1-2-3-512"), Some("Domain Admins"));
        assert_eq!(powerful_group("S-1-5-21-1-2-3-1512"), None);
        assert_eq!(powerful_group("S-1-5-32-545"), None);
        assert!(is_account("S-1-5-21-1-2-3-500") && !is_account("S-1-5-90-0-1") && !is_account("S-1-5-7"));
    }
}
