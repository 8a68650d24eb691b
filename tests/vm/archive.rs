//! The archive that a kernel takes its first root from (cpio, "newc"): written for the machine, read from it.
//!
//! Each member is a header of fourteen fields in hex, its name with a zero, its bytes; name and bytes are filled up to
//! four. The member `TRAILER!!!` is the last.

use std::collections::BTreeMap;

use anyhow::{Context as _, Result, bail, ensure};

const MAGIC: &[u8] = b"070701";
const HEADER: usize = 110;
const TRAILER: &str = "TRAILER!!!";

/// One more member: its name without a slash in front, mode with type bits, and bytes.
pub(super) fn add(archive: &mut Vec<u8>, name: &str, mode: u32, bytes: &[u8]) -> Result<()> {
    let (length, name_length) = (u32::try_from(bytes.len())?, u32::try_from(name.len() + 1)?);
    archive.extend_from_slice(MAGIC);
    // Inode, mode, uid, gid, links, time, length, device and number of the node twice, length of the name, sum.
    for field in [0, mode, 0, 0, 1, 0, length, 0, 0, 0, 0, name_length, 0] {
        archive.extend_from_slice(format!("{field:08x}").as_bytes());
    }
    archive.extend_from_slice(name.as_bytes());
    archive.push(0);
    fill(archive);
    archive.extend_from_slice(bytes);
    fill(archive);
    Ok(())
}

/// The last member.
pub(super) fn finish(archive: &mut Vec<u8>) -> Result<()> {
    add(archive, TRAILER, 0, &[])
}

fn fill(archive: &mut Vec<u8>) {
    archive.resize(archive.len().next_multiple_of(4), 0);
}

/// The files of a whole archive, by name without a `./` in front.
pub(super) fn read(archive: &[u8]) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    let mut rest = archive;
    loop {
        let header = rest.get(..HEADER).context("the archive ends within a header")?;
        ensure!(header.starts_with(MAGIC), "this is no archive of that kind");
        let field = |n: usize| -> Result<usize> {
            let digits = header.get(6 + n * 8..14 + n * 8).context("a field")?;
            Ok(usize::from_str_radix(std::str::from_utf8(digits)?, 16)?)
        };
        let (mode, length, name_length) = (field(1)?, field(6)?, field(11)?);
        let bytes_at = (HEADER + name_length).next_multiple_of(4);
        let name = rest.get(HEADER..HEADER + name_length).and_then(|name| name.strip_suffix(&[0]));
        let name = std::str::from_utf8(name.context("the archive ends within a name")?)?;
        if name == TRAILER {
            return Ok(files);
        }
        let Some(bytes) = rest.get(bytes_at..bytes_at + length) else {
            bail!("the archive ends within `{name}`")
        };
        if mode & 0o170_000 == 0o100_000 {
            files.insert(name.trim_start_matches("./").to_owned(), bytes.to_vec());
        }
        rest = rest.get((bytes_at + length).next_multiple_of(4)..).context("the archive has no end")?;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read_and_what_was_cut_is_not() {
        let mut archive = Vec::new();
        add(&mut archive, "folder", 0o040_755, &[]).unwrap();
        add(&mut archive, "./folder/a", 0o100_644, b"bytes").unwrap();
        add(&mut archive, "empty", 0o100_644, b"").unwrap();
        finish(&mut archive).unwrap();
        let files = read(&archive).unwrap();
        assert_eq!(files.keys().collect::<Vec<_>>(), ["empty", "folder/a"]);
        assert_eq!(files["folder/a"], b"bytes");
        for length in 0..archive.len() - 4 {
            assert!(read(&archive[..length]).is_err(), "cut at {length}");
        }
    }
}
