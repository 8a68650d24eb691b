//! What runs here of remote-support tools, and who is connected to them: from /proc, without any contents.

use std::collections::{BTreeMap, BTreeSet, HashSet};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};

use crate::attribute::Names;
use crate::origin::{Connection, Presence, Tools};
use crate::record::UNSET;

/// Connections that are looked at; a machine with more is no desk.
const ROWS_MAX: usize = 65_536;

/// Connections of tools that are told of at once.
const CONNECTIONS_MAX: usize = 256;

/// A process of a tool.
struct ToolProcess {
    pid: u32,
    exe: String,
    tool: String,
    ports: Vec<u16>,
    sockets: HashSet<u64>,
    /// It runs only while somebody is connected.
    is_connected: bool,
}

/// A row of /proc/net/tcp.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Row {
    local: (IpAddr, u16),
    remote: (IpAddr, u16),
    state: u8,
    inode: u64,
}

const ESTABLISHED: u8 = 1;
const LISTENING: u8 = 10;

/// Looks at the tools' processes and connections, and which of the followed processes live.
pub fn presence(tools: &Tools, followed: &[u32], names: &dyn Names) -> Presence {
    let living = followed
        .iter()
        .copied()
        .filter(|pid| Path::new(&format!("/proc/{pid}")).exists())
        .collect::<BTreeSet<_>>();
    let processes = tool_processes(tools);
    if processes.is_empty() {
        return Presence { connections: Vec::new(), living };
    }
    let mut rows = Vec::new();
    for file in ["/proc/net/tcp", "/proc/net/tcp6"] {
        let text = std::fs::read_to_string(file).unwrap_or_default();
        rows.extend(text.lines().skip(1).filter_map(row).take(ROWS_MAX));
    }
    let found = connections(&processes, &rows, tools).into_iter();
    let connections = found.map(|(process, row)| process.connection(Some(row.remote), names));
    let running = processes.iter().filter(|process| process.is_connected);
    let connections = connections.chain(running.map(|process| process.connection(None, names)));
    Presence { connections: connections.take(CONNECTIONS_MAX).collect(), living }
}

impl ToolProcess {
    fn connection(&self, from: Option<(IpAddr, u16)>, names: &dyn Names) -> Connection {
        let session = session(self.pid);
        Connection {
            tool: self.tool.clone(),
            pid: self.pid,
            exe: self.exe.clone(),
            from: from.map(|(address, port)| (address.to_string(), port)),
            session,
            login_user: session.and_then(|(uid, _)| names.user_name(uid)),
        }
    }
}

/// The connections that came in to a tool: to a port on which one of its processes listens, or listens by default.
/// What two processes of the tool say to each other is none, nor is what comes to a tool that has a better sign.
fn connections<'a>(processes: &'a [ToolProcess], rows: &[Row], tools: &Tools) -> Vec<(&'a ToolProcess, Row)> {
    let mut of_tool: BTreeMap<&str, (HashSet<u64>, HashSet<u16>)> = BTreeMap::new();
    for process in processes {
        let (sockets, ports) = of_tool.entry(&process.tool).or_default();
        sockets.extend(&process.sockets);
        ports.extend(&process.ports);
        let listens = |row: &&Row| row.state == LISTENING && process.sockets.contains(&row.inode);
        ports.extend(rows.iter().filter(listens).map(|row| row.local.1));
    }
    let mut found = Vec::new();
    for row in rows.iter().filter(|row| row.state == ESTABLISHED) {
        let Some(process) = processes.iter().find(|process| process.sockets.contains(&row.inode)) else {
            continue;
        };
        let Some((sockets, ports)) = of_tool.get(process.tool.as_str()) else { continue };
        let is_other_end = |other: &&Row| other.local == row.remote && other.remote == row.local;
        let is_own = rows.iter().find(is_other_end).is_some_and(|other| sockets.contains(&other.inode));
        if ports.contains(&row.local.1) && !is_own && tools.is_told_by_connections(&process.tool) {
            found.push((process, *row));
        }
    }
    found
}

fn tool_processes(tools: &Tools) -> Vec<ToolProcess> {
    let mut found = Vec::new();
    for entry in std::fs::read_dir("/proc").into_iter().flatten().flatten() {
        let name = entry.file_name();
        let Some(pid) = name.to_str().and_then(|name| name.parse::<u32>().ok()) else { continue };
        let path = entry.path();
        let Ok(exe) = std::fs::read_link(path.join("exe")) else { continue };
        let exe = exe.to_string_lossy().into_owned();
        if let Some(tool) = tools.of_program(&exe) {
            let sockets = sockets_of(&path.join("fd"));
            let is_connected = tools.runs_while_connected(&tool.name, &exe, &words_of(&path));
            let (tool, ports) = (tool.name.clone(), tool.ports.clone());
            found.push(ToolProcess { pid, exe, tool, ports, sockets, is_connected });
        }
    }
    found
}

/// The words of a running process's command line.
fn words_of(process: &Path) -> Vec<String> {
    let bytes = std::fs::read(process.join("cmdline")).unwrap_or_default();
    bytes.split(|byte| *byte == 0).map(|word| String::from_utf8_lossy(word).into_owned()).collect()
}

fn sockets_of(folder: &Path) -> HashSet<u64> {
    let links = std::fs::read_dir(folder).into_iter().flatten().flatten().take(ROWS_MAX);
    let inode = |link: PathBuf| {
        let text = link.to_str()?.strip_prefix("socket:[")?.strip_suffix(']')?.to_owned();
        text.parse().ok()
    };
    links.filter_map(|entry| std::fs::read_link(entry.path()).ok().and_then(inode)).collect()
}

/// Login uid and session of a process, where a person logged in for it.
fn session(pid: u32) -> Option<(u32, u64)> {
    let number = |name: &str| -> Option<u32> {
        let text = std::fs::read_to_string(format!("/proc/{pid}/{name}")).ok()?;
        text.trim().parse().ok().filter(|number| *number != UNSET)
    };
    number("loginuid").zip(number("sessionid").map(u64::from))
}

/// `sl: LOCAL:PORT REMOTE:PORT STATE tx:rx tr:when retrnsmt uid timeout inode ...`, numbers in hex.
fn row(line: &str) -> Option<Row> {
    let mut words = line.split_ascii_whitespace().skip(1);
    let (local, remote) = (end(words.next()?)?, end(words.next()?)?);
    let state = u8::from_str_radix(words.next()?, 16).ok()?;
    let inode = words.nth(5)?.parse().ok()?;
    Some(Row { local, remote, state, inode })
}

/// An address in the machine's own order of bytes, in groups of four, and a port.
fn end(word: &str) -> Option<(IpAddr, u16)> {
    let (address, port) = word.split_once(':')?;
    let port = u16::from_str_radix(port, 16).ok()?;
    let group = |n: usize| -> Option<[u8; 4]> {
        let digits = address.get(n.checked_mul(8)?..n.checked_add(1)?.checked_mul(8)?)?;
        Some(u32::from_str_radix(digits, 16).ok()?.to_ne_bytes())
    };
    let address = match address.len() {
        8 => IpAddr::V4(Ipv4Addr::from(group(0)?)),
        32 => {
            let bytes: Vec<u8> = (0..4).filter_map(group).flatten().collect();
            let whole = Ipv6Addr::from(<[u8; 16]>::try_from(bytes).ok()?);
            whole.to_ipv4_mapped().map_or(IpAddr::V6(whole), IpAddr::V4)
        }
        _ => return None,
    };
    Some((address, port))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const TABLE: &str = "\
   0: 00000000:1B9E 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 100 1 0 100 0 0 10 0\n\
   1: 0100007F:1B9E 0100007F:C001 01 00000000:00000000 00:00000000 00000000     0        0 101 1 0 20 4 30 10 -1\n\
   2: 0A0000C0:1B9E 097100CB:C350 01 00000000:00000000 00:00000000 00000000     0        0 102 1 0 20 4 30 10 -1\n\
   3: 0100007F:C001 0100007F:1B9E 01 00000000:00000000 00:00000000 00000000     0        0 103 1 0 20 4 30 10 -1\n\
   4: 0A0000C0:D000 097100CB:01BB 01 00000000:00000000 00:00000000 00000000     0        0 104 1 0 20 4 30 10 -1\n";

    fn process(tool: &str, sockets: &[u64]) -> ToolProcess {
        let tools = Tools::built_in();
        let exe = format!("/usr/bin/{}", tool.to_ascii_lowercase());
        let ports = tools.of_program(&exe).map(|tool| tool.ports.clone()).unwrap_or_default();
        let (tool, sockets) = (tool.to_owned(), sockets.iter().copied().collect());
        ToolProcess { pid: 7, exe, tool, ports, sockets, is_connected: false }
    }

    #[test]
    fn only_what_came_in_from_outside_the_tool_is_a_connection() {
        let rows: Vec<Row> = TABLE.lines().filter_map(row).collect();
        let found = |sockets: &[u64]| -> Vec<String> {
            let processes = [process("AnyDesk", sockets)];
            connections(&processes, &rows, &Tools::built_in())
                .iter()
                .map(|(_, row)| row.remote.0.to_string())
                .collect()
        };
        // 101 and 103 are the two ends of what the tool says to itself; 104 leads out, to a relay.
        assert_eq!(found(&[100, 101, 102, 103, 104]), ["203.0.113.9"]);
        assert_eq!(found(&[100, 101, 102, 104]), ["127.0.0.1", "203.0.113.9"], "a tunnel ends here");
        assert_eq!(found(&[104]), [""; 0]);
    }

    #[test]
    fn a_tool_with_a_program_for_each_session_is_not_told_by_its_port() {
        let rows = [Row {
            local: (IpAddr::V4(Ipv4Addr::LOCALHOST), 9090),
            remote: (IpAddr::V4(Ipv4Addr::LOCALHOST), 50_000),
            state: ESTABLISHED,
            inode: 5,
        }];
        let cockpit = ToolProcess {
            exe: "/usr/lib/cockpit/cockpit-ws".into(),
            ports: vec![9090],
            ..process("Cockpit", &[5])
        };
        assert!(connections(&[cockpit], &rows, &Tools::built_in()).is_empty());
    }

    #[test]
    fn a_mapped_address_is_the_one_that_it_maps() {
        let (address, port) = end("0000000000000000FFFF0000097100CB:1B9E").unwrap();
        assert_eq!((address.to_string().as_str(), port), ("203.0.113.9", 7070));
    }

    proptest! {
        #[test]
        fn any_line_is_a_row_or_none(line in "\\PC{0,200}") {
            let _ = row(&line);
        }
    }
}
