//! Recordings of kernel audit, made up in the shape of real ones: one opened file a record, numbered, so that a
//! test can tell which arrived.

use std::fmt::Write as _;
use std::fs;
use std::path::Path;

use anyhow::Result;

/// The folder that these recordings speak about.
pub const WATCHED: &str = "/srv/practice/ehr/exports/week";
/// First serial number of a recording.
const SERIAL_FIRST: u64 = 1000;
/// When recordings begin, seconds since 1970: a working day.
pub const BEGINS: u64 = 1_795_350_000;

/// Configuration of an agent that plays these recordings and has no other sensor.
pub fn configuration(files: &[&Path], rate: Option<u32>) -> String {
    let files: Vec<String> = files.iter().map(|file| format!("{:?}", file.display().to_string())).collect();
    let rate = rate.map_or(String::new(), |rate| format!("recorded_rate = {rate}\n"));
    format!(
        "keepalive_s = 1\n[sensor]\naudit = false\nnotify = false\nrecorded = [{}]\n{rate}\n\
         [[watch]]\npath = \"{WATCHED}\"\nclass = \"export\"\n",
        files.join(", ")
    )
}

/// Path of the n-th file that a recording opens.
pub fn file_of(prefix: &str, number: u64) -> String {
    format!("{WATCHED}/{prefix}-{number:07}.csv")
}

/// An hour ago, seconds since 1970: for what the product shows of the last days only.
pub fn an_hour_ago() -> Result<u64> {
    Ok(u64::try_from(jiff::Timestamp::now().as_second())?.saturating_sub(3600))
}

/// Writes a recording in which one account opens this many files, each another one, one every `gap_ms`.
pub fn write(path: &Path, prefix: &str, login_uid: u32, files: u64, gap_ms: u64) -> Result<()> {
    write_from(path, BEGINS, prefix, login_uid, files, gap_ms)
}

/// The same from a second since 1970 on.
pub fn write_from(
    path: &Path,
    begins: u64,
    prefix: &str,
    login_uid: u32,
    files: u64,
    gap_ms: u64,
) -> Result<()> {
    let opens = (0..files).map(|number| Open {
        login_uid,
        session: 7,
        program: "/usr/bin/cat".to_owned(),
        file: file_of(prefix, number),
    });
    write_opens(path, begins, opens, gap_ms)
}

/// One opened file.
#[derive(Clone, Debug)]
pub struct Open {
    /// The account that logged in; the largest number for none.
    pub login_uid: u32,
    /// The session's number.
    pub session: u32,
    /// Path of the program.
    pub program: String,
    /// Path of the file.
    pub file: String,
}

/// Writes a recording of these opens, one every `gap_ms`, from a second since 1970 on.
pub fn write_opens(
    path: &Path,
    begins: u64,
    opens: impl IntoIterator<Item = Open>,
    gap_ms: u64,
) -> Result<()> {
    let mut text = String::new();
    for (number, open) in (0u64..).zip(opens) {
        let serial = SERIAL_FIRST + number;
        let at = begins * 1000 + number * gap_ms;
        let stamp = format!("audit({}.{:03}:{serial})", at / 1000, at % 1000);
        let Open { login_uid, session, program, file: name } = open;
        writeln!(
            text,
            "type=SYSCALL msg={stamp}: arch=c000003e syscall=257 success=yes exit=3 a0=ffffff9c a1=7ffd3189cec8 a2=0 a3=0 \
             items=1 ppid=4100 pid={pid} auid={login_uid} uid={login_uid} gid={login_uid} euid={login_uid} \
             suid={login_uid} fsuid={login_uid} egid={login_uid} sgid={login_uid} fsgid={login_uid} tty=pts1 ses={session} \
             comm=\"cat\" exe=\"{program}\" key=\"ntk\"\n\
             type=CWD msg={stamp}: cwd=\"/home/itadmin1\"\n\
             type=PATH msg={stamp}: item=0 name=\"{name}\" inode={inode} dev=fe:00 mode=0100644 ouid=0 ogid=0 \
             rdev=00:00 nametype=NORMAL cap_fp=0 cap_fi=0 cap_fe=0 cap_fver=0 cap_frootid=0\n\
             type=EOE msg={stamp}: ",
            pid = 5000 + number % 20_000,
            inode = 100_000 + number,
        )?;
    }
    Ok(fs::write(path, text)?)
}
