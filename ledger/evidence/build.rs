//! Packs the verifier's source into one tar file, which every bundle carries: what checks the evidence can be read
//! and built by whoever doubts it. The same sources give the same bytes: names in order, no times, no owners.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};

/// Files and folders of the archive, from the workspace's root.
const PARTS: [&str; 11] = [
    "Cargo.lock",
    "ledger/evidence/Cargo.toml",
    "ledger/evidence/build.rs",
    "ledger/evidence/schema",
    "ledger/evidence/src",
    "ledger/verify/Cargo.toml",
    "ledger/verify/check_proofs.go",
    "ledger/verify/src",
    "ledger/verify/verify_bundle.py",
    "rustfmt.toml",
    "clippy.toml",
];

fn main() -> io::Result<()> {
    let variable = |name: &str| {
        std::env::var_os(name).map(PathBuf::from).ok_or_else(|| io::Error::other(name.to_owned()))
    };
    let root = variable("CARGO_MANIFEST_DIR")?.join("../..");
    let mut files = Vec::new();
    for part in PARTS {
        println!("cargo::rerun-if-changed={}", root.join(part).display());
        collect(&root, part, &mut files)?;
    }
    println!("cargo::rerun-if-changed={}", root.join("Cargo.toml").display());
    // The workspace of the archive has two members; the rest of its description stays as it is.
    let manifest = fs::read_to_string(root.join("Cargo.toml"))?;
    let manifest: String = manifest
        .lines()
        .map(|line| match line.starts_with("members = ") {
            true => "members = [\"ledger/evidence\", \"ledger/verify\"]\n".to_owned(),
            false => format!("{line}\n"),
        })
        .collect();
    files.push(("Cargo.toml".to_owned(), manifest.into_bytes()));
    files.sort();
    let mut tar = Vec::new();
    for (name, bytes) in &files {
        tar.extend(header(name, bytes.len())?);
        tar.extend(bytes);
        tar.resize(tar.len().next_multiple_of(512), 0);
    }
    tar.resize(tar.len() + 1024, 0);
    fs::write(variable("OUT_DIR")?.join("ntk-verify-source.tar"), tar)
}

fn collect(root: &Path, part: &str, files: &mut Vec<(String, Vec<u8>)>) -> io::Result<()> {
    let path = root.join(part);
    if !path.is_dir() {
        files.push((part.to_owned(), fs::read(path)?));
        return Ok(());
    }
    for entry in fs::read_dir(path)? {
        let name = entry?.file_name();
        let name = name.to_str().ok_or_else(|| io::Error::other("a file name is not UTF-8"))?;
        collect(root, &format!("{part}/{name}"), files)?;
    }
    Ok(())
}

/// One header of the POSIX ustar format.
fn header(name: &str, size: usize) -> io::Result<Vec<u8>> {
    if name.len() > 100 {
        return Err(io::Error::other(format!("`{name}` is longer than a tar header holds")));
    }
    let with_sum = |sum: &str| {
        let mut header = name.as_bytes().to_vec();
        header.resize(100, 0);
        header.extend(format!("0000644\00000000\00000000\0{size:011o}\000000000000\0{sum}0").as_bytes());
        header.resize(257, 0);
        header.extend(b"ustar\x0000");
        header.resize(512, 0);
        header
    };
    let sum: u32 = with_sum("        ").iter().map(|byte| u32::from(*byte)).sum();
    Ok(with_sum(&format!("{sum:06o}\0 ")))
}
