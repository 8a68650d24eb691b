//! The kernel's audit as it stands, by our own few lines of netlink: not the agent's code, so that it can judge it.

use std::os::fd::OwnedFd;

use anyhow::{Context as _, Result, bail, ensure};
use rustix::net::netlink::{AUDIT, SocketAddrNetlink};
use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketFlags, SocketType, bind, recv, sendto, socket_with,
    sockopt::{Timeout, set_socket_timeout},
};

const AUDIT_GET: u16 = 1000;
const AUDIT_SET: u16 = 1001;
const AUDIT_ADD_RULE: u16 = 1011;
const AUDIT_LIST_RULES: u16 = 1013;
const NLMSG_ERROR: u16 = 2;
const NLMSG_DONE: u16 = 3;
const REQUEST_AND_ACK: u16 = 1 | 4;

/// Status and rules of the kernel's audit.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct AuditState {
    /// 0 off, 1 on, 2 locked.
    pub enabled: u32,
    /// Process that gets the records; 0 for none.
    pub owner: u32,
    /// What the kernel does when it must lose a record.
    pub failure: u32,
    /// Records a second at most; 0 for no bound.
    pub rate_limit: u32,
    /// How many records may wait.
    pub backlog_limit: u32,
    /// How long a process waits when too many wait.
    pub backlog_wait_time: u32,
    /// The rules, each as the kernel's bytes.
    pub rules: Vec<Vec<u8>>,
}

impl std::fmt::Display for AuditState {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let enabled = match self.enabled {
            0 => "off",
            1 => "on",
            _ => "on and locked",
        };
        let owner = match self.owner {
            0 => "nobody".to_owned(),
            id => format!("process {id}"),
        };
        write!(
            f,
            "{enabled}, read by {owner}, {} rules, failure {}, rate {}, backlog {}, wait {}",
            self.rules.len(),
            self.failure,
            self.rate_limit,
            self.backlog_limit,
            self.backlog_wait_time
        )?;
        for rule in &self.rules {
            write!(f, "\nrule {}", ntk_evidence::hash::hex(rule))?;
        }
        Ok(())
    }
}

/// Reads it. An error where there is no kernel audit or no right to ask.
pub fn read() -> Result<AuditState> {
    let status = ask(AUDIT_GET)?;
    let status = status.first().context("the kernel gave no audit status")?;
    let word = |n: usize| -> Result<u32> {
        let bytes = status.get(n * 4..n * 4 + 4).context("the audit status is short")?;
        Ok(u32::from_ne_bytes(bytes.try_into()?))
    };
    // struct audit_status: mask, enabled, failure, pid, rate_limit, backlog_limit, lost, backlog, features,
    // backlog_wait_time.
    Ok(AuditState {
        enabled: word(1)?,
        failure: word(2)?,
        owner: word(3)?,
        rate_limit: word(4)?,
        backlog_limit: word(5)?,
        backlog_wait_time: word(9)?,
        rules: ask(AUDIT_LIST_RULES)?,
    })
}

/// How many records the kernel has lost, by its own count. It only grows, and is no part of the state.
pub fn lost() -> Result<u32> {
    let status = ask(AUDIT_GET)?;
    let bytes = status.first().and_then(|status| status.get(24..28)).context("the audit status is short")?;
    Ok(u32::from_ne_bytes(bytes.try_into()?))
}

/// Whether a test may take the kernel's audit: we may ask, nobody owns it, nothing is locked.
pub fn free_for_a_test() -> Result<(), String> {
    match read() {
        Err(error) => Err(format!("kernel audit cannot be read here ({error:#})")),
        Ok(state) if state.enabled == 2 => Err("kernel audit is locked until the next start".to_owned()),
        Ok(state) if state.owner != 0 => Err(format!("process {} owns the kernel's audit", state.owner)),
        Ok(_) if !rustix::process::geteuid().is_root() => Err("needs root".to_owned()),
        Ok(_) => Ok(()),
    }
}

/// Tries to become the process that gets the records, as nobody's tool does it: the sentence says what the kernel made of it.
pub fn try_to_own() -> Result<()> {
    // struct audit_status: the mask names the third word.
    let mut words = [0u32; 11];
    (words[0], words[3]) = (4, std::process::id());
    tell(AUDIT_SET, &words)
}

/// Tries to keep the records of changes from being made. `auditctl` asks first whether that is locked; this does not.
pub fn try_to_exclude() -> Result<()> {
    const WORDS: usize = 260;
    const CHANGES: u32 = 1305;
    // struct audit_rule_data: list 5 (by kind of record), never, one field: the kind, equal.
    let mut words = [0u32; WORDS];
    (words[0], words[2]) = (5, 1);
    words[3..67].fill(u32::MAX);
    (words[67], words[131], words[195]) = (12, CHANGES, 0x4000_0000);
    tell(AUDIT_ADD_RULE, &words)
}

fn tell(kind: u16, words: &[u32]) -> Result<()> {
    let body: Vec<u8> = words.iter().flat_map(|word| word.to_ne_bytes()).collect();
    let socket = send(kind, &body)?;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (_, length) = recv(&socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let answer = buffer.get(..length).and_then(|answer| answer.split_first_chunk::<16>());
        let (header, rest) = answer.context("a whole answer")?;
        if header[4..6] == NLMSG_ERROR.to_ne_bytes() {
            let code = i32::from_ne_bytes(*rest.first_chunk::<4>().context("an error has a number")?);
            ensure!(code == 0, "the kernel refused: {}", std::io::Error::from_raw_os_error(-code));
            return Ok(());
        }
    }
}

fn ask(kind: u16) -> Result<Vec<Vec<u8>>> {
    let socket = send(kind, &[])?;
    answers(kind, &socket)
}

fn send(kind: u16, body: &[u8]) -> Result<OwnedFd> {
    let socket = socket_with(AddressFamily::NETLINK, SocketType::RAW, SocketFlags::CLOEXEC, Some(AUDIT))?;
    set_socket_timeout(&socket, Timeout::Recv, Some(std::time::Duration::from_secs(3)))?;
    bind(&socket, &SocketAddrNetlink::new(0, 0))?;
    let mut request = Vec::new();
    request.extend_from_slice(&u32::try_from(16 + body.len())?.to_ne_bytes());
    request.extend_from_slice(&kind.to_ne_bytes());
    request.extend_from_slice(&REQUEST_AND_ACK.to_ne_bytes());
    request.extend_from_slice(&1u32.to_ne_bytes());
    request.extend_from_slice(&0u32.to_ne_bytes());
    request.extend_from_slice(body);
    sendto(&socket, &request, SendFlags::empty(), &SocketAddrNetlink::new(0, 0))?;
    Ok(socket)
}

fn answers(kind: u16, socket: &OwnedFd) -> Result<Vec<Vec<u8>>> {
    let mut answers = Vec::new();
    let mut acknowledged = false;
    let mut buffer = vec![0; 64 << 10];
    loop {
        let (_, length) = recv(socket, buffer.as_mut_slice(), RecvFlags::empty())?;
        let mut rest = buffer.get(..length).context("the kernel's answer fits")?;
        while let Some((header, _)) = rest.split_first_chunk::<16>() {
            let [l0, l1, l2, l3, k0, k1, ..] = *header;
            // The kernel's audit answers leave their own header out of the length of single messages.
            let stated = usize::try_from(u32::from_ne_bytes([l0, l1, l2, l3]))?.max(16);
            let end = stated.min(rest.len());
            let body = rest.get(16..end).context("a body")?.to_vec();
            match u16::from_ne_bytes([k0, k1]) {
                NLMSG_ERROR => {
                    let code = body.first_chunk::<4>().context("an error has a number")?;
                    let code = i32::from_ne_bytes(*code);
                    ensure!(code == 0, "the kernel refused: {}", std::io::Error::from_raw_os_error(-code));
                    acknowledged = true;
                }
                NLMSG_DONE => return Ok(answers),
                found if found == kind => answers.push(body),
                _ => {}
            }
            rest = rest.get(end.next_multiple_of(4)..).unwrap_or_default();
        }
        if kind == AUDIT_GET && acknowledged && !answers.is_empty() {
            return Ok(answers);
        }
        if answers.len() > 100_000 {
            bail!("the kernel's list of rules has no end");
        }
    }
}
