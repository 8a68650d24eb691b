//! VPN profiles, and the places where programs keep passwords and keys of other services: names, never contents.

use ntk_evidence::event::{Holding, HoldingKind};

use super::accounts::{Account, People};
use crate::inventory::list::List;
use crate::inventory::root::Root;

/// Files below a home folder that hold secrets by design, and whose program that is.
const IN_HOMES: &[(&str, &str)] = &[
    (".aws/credentials", "Amazon Web Services"),
    (".azure/accessTokens.json", "Azure"),
    (".azure/msal_token_cache.json", "Azure"),
    (".config/gcloud/credentials.db", "Google Cloud"),
    (".config/gcloud/application_default_credentials.json", "Google Cloud"),
    (".config/doctl/config.yaml", "DigitalOcean"),
    (".config/hub", "GitHub"),
    (".config/gh/hosts.yml", "GitHub"),
    (".config/rclone/rclone.conf", "rclone"),
    (".config/restic/password", "restic"),
    (".config/borg/keys", "borg"),
    (".docker/config.json", "Docker"),
    (".git-credentials", "git"),
    (".kube/config", "Kubernetes"),
    (".m2/settings.xml", "Maven"),
    (".my.cnf", "MySQL"),
    (".mylogin.cnf", "MySQL"),
    (".netrc", "network programs"),
    (".npmrc", "npm"),
    (".pgpass", "PostgreSQL"),
    (".pypirc", "PyPI"),
    (".s3cfg", "s3cmd"),
    (".smbcredentials", "file shares"),
    (".ssh/config", "SSH destinations"),
    (".terraform.d/credentials.tfrc.json", "Terraform"),
    (".vault-token", "Vault"),
    (".msmtprc", "mail"),
    (".fetchmailrc", "mail"),
    (".muttrc", "mail"),
    (".password-store", "pass"),
    (".local/share/keyrings", "the desktop's keyring"),
    (".gnupg/private-keys-v1.d", "GnuPG"),
    (".mozilla/firefox", "Firefox, with saved passwords"),
    (".config/google-chrome", "Chrome, with saved passwords"),
    (".config/chromium", "Chromium, with saved passwords"),
    (".thunderbird", "Thunderbird, with saved passwords"),
    (".config/Bitwarden", "Bitwarden"),
    (".config/filezilla/sitemanager.xml", "FileZilla"),
    (".config/remmina", "Remmina, with saved connections"),
];

/// The same for the machine as a whole.
const OF_THE_MACHINE: &[(&str, &str)] = &[
    ("/etc/mysql/debian.cnf", "MySQL"),
    ("/etc/postfix/sasl_passwd", "mail"),
    ("/etc/exim4/passwd.client", "mail"),
    ("/etc/msmtprc", "mail"),
    ("/etc/ppp/chap-secrets", "dial-up and VPN"),
    ("/etc/ipsec.secrets", "VPN"),
    ("/etc/davfs2/secrets", "WebDAV"),
    ("/etc/samba/credentials", "file shares"),
    ("/etc/cifs-credentials", "file shares"),
    ("/etc/krb5.keytab", "Kerberos"),
    ("/etc/asterisk/sip.conf", "telephones"),
    ("/etc/rclone.conf", "rclone"),
    ("/etc/restic/password", "restic"),
];

/// Folders of a home that are gone through for `.env` files: how deep, and how many names in all.
const ENV_DEPTH_MAX: u32 = 3;
const ENV_NAMES_MAX: usize = 2000;

/// Lists VPN profiles and places of secrets.
pub(super) fn list(root: &Root, people: &People, list: &mut List) {
    vpn(root, people, list);
    for account in people.homes() {
        for (below, of) in IN_HOMES {
            if root.is_there(&format!("{}/{below}", account.home)) {
                let detail = Some((*of).to_owned());
                let name = format!("~/{below}");
                list.add(Holding { detail, ..List::of(HoldingKind::SecretPlace, &name, &[&account.name]) });
            }
        }
        environment_files(root, account, list);
    }
    for (path, of) in OF_THE_MACHINE {
        if root.is_there(path) {
            let detail = Some((*of).to_owned());
            list.add(Holding { detail, ..List::of::<&str>(HoldingKind::SecretPlace, path, &[]) });
        }
    }
    for line in
        root.read("/etc/fstab").unwrap_or_default().lines().filter(|line| !line.trim_start().starts_with('#'))
    {
        let options = line.split_whitespace().nth(3).unwrap_or_default().split(',');
        for file in options.filter_map(|option| option.strip_prefix("credentials=")) {
            let detail = Some("a file share, named in /etc/fstab".to_owned());
            list.add(Holding { detail, ..List::of::<&str>(HoldingKind::SecretPlace, file, &[]) });
        }
    }
}

/// `.env` files of a home: how many, not where: folders have whatever names people give them.
fn environment_files(root: &Root, account: &Account, list: &mut List) {
    let mut open = vec![(account.home.clone(), 0)];
    let (mut n_names, mut n_found) = (0usize, 0u32);
    while let Some((folder, depth)) = open.pop() {
        for name in root.names(&folder) {
            n_names = n_names.saturating_add(1);
            if n_names > ENV_NAMES_MAX {
                open.clear();
                break;
            }
            let path = format!("{folder}/{name}");
            if (name == ".env" || name.ends_with(".env")) && root.is_plain_file(&path) {
                n_found = n_found.saturating_add(1);
            } else if depth < ENV_DEPTH_MAX
                && !name.starts_with('.')
                && name != "node_modules"
                && root.is_folder(&path)
            {
                open.push((path, depth.saturating_add(1)));
            }
        }
    }
    if n_found > 0 {
        let detail = Some(format!("{n_found} in the home folder"));
        list.add(Holding { detail, ..List::of(HoldingKind::SecretPlace, "*.env", &[&account.name]) });
    }
}

fn vpn(root: &Root, people: &People, list: &mut List) {
    let mut add = |name: &str, accounts: &[&str], place: &str, kind: &str| {
        list.add(Holding {
            place: Some(place.to_owned()),
            detail: Some(kind.to_owned()),
            ..List::of(HoldingKind::VpnProfile, name, accounts)
        });
    };
    for (folder, end, kind) in [
        ("/etc/wireguard", ".conf", "WireGuard"),
        ("/etc/openvpn", ".conf", "OpenVPN"),
        ("/etc/openvpn/client", ".conf", "OpenVPN"),
        ("/etc/openvpn/client", ".ovpn", "OpenVPN"),
        ("/etc/openvpn/server", ".conf", "OpenVPN server"),
        ("/etc/swanctl/conf.d", ".conf", "IPsec"),
        ("/etc/ppp/peers", "", "PPP"),
    ] {
        for name in root.names(folder) {
            let path = format!("{folder}/{name}");
            if let Some(base) = name.strip_suffix(end).filter(|_| root.is_plain_file(&path)) {
                add(base, &[], folder, kind);
            }
        }
    }
    let connections = "/etc/NetworkManager/system-connections";
    for name in root.names(connections) {
        let text = root.read(&format!("{connections}/{name}")).unwrap_or_default();
        let value =
            |key: &str| text.lines().find_map(|line| line.trim().strip_prefix(key)?.strip_prefix('='));
        let Some(kind @ ("vpn" | "wireguard")) = value("type") else { continue };
        let kind = if kind == "vpn" { "NetworkManager" } else { "WireGuard in NetworkManager" };
        // `user:bea:;user:sam:;`, or empty for everybody.
        let allowed = value("permissions").unwrap_or_default();
        let accounts: Vec<&str> = allowed.split(';').filter_map(|one| one.split(':').nth(1)).collect();
        add(value("id").unwrap_or(&name), &accounts, connections, kind);
    }
    for (path, name) in [
        ("/var/lib/tailscale/tailscaled.state", "Tailscale"),
        ("/var/lib/zerotier-one/identity.secret", "ZeroTier"),
        ("/etc/ipsec.conf", "IPsec"),
        ("/var/lib/netbird", "NetBird"),
        ("/etc/nebula", "Nebula"),
    ] {
        if root.is_there(path) {
            add(name, &[], path, "set up on this machine");
        }
    }
    for account in people.homes() {
        for below in ["", "Downloads", "Documents", ".config/openvpn", ".cert"] {
            let folder = format!("{}/{below}", account.home);
            for name in root.names(folder.trim_end_matches('/')).iter().filter(|name| name.ends_with(".ovpn"))
            {
                add(name, &[&account.name], if below.is_empty() { "~" } else { below }, "OpenVPN");
            }
        }
    }
}
