//! What a bundle carries of its own verifiers, as a convenience and never the only way: the Python script, the Go
//! program, and the Rust source of `ntk-verify` in one tar file, made by this crate's build script.

use crate::bundle::bag::{Bag, BagError};

/// The script that checks the core facts with Python's standard library and one signature package.
pub const SCRIPT: &str = "data/verify/verify_bundle.py";
/// The program that checks the proofs with Go's packages for transparency logs.
pub const PROOFS: &str = "data/verify/check_proofs.go";
/// The Rust source of `ntk-verify` with its lock file: `cargo build --release -p ntk-verify`.
pub const SOURCE: &str = "data/verify/ntk-verify-source.tar";

/// Path and content of each of them; the same program always carries the same bytes.
pub const FILES: [(&str, &[u8]); 3] = [
    (SCRIPT, include_bytes!("../../../verify/verify_bundle.py")),
    (PROOFS, include_bytes!("../../../verify/check_proofs.go")),
    (SOURCE, include_bytes!(concat!(env!("OUT_DIR"), "/ntk-verify-source.tar"))),
];

/// Puts them into a bag.
///
/// # Errors
/// As [`Bag::insert`]: when one of the paths is in the bag already.
pub fn insert(bag: &mut Bag) -> Result<(), BagError> {
    FILES.into_iter().try_for_each(|(path, bytes)| bag.insert(path, bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_archive_names_each_file_once_and_begins_with_the_workspace() {
        let [.., (_, tar)] = FILES;
        let (mut at, mut names) = (0, Vec::new());
        while tar[at] != 0 {
            let text = |from: usize, to: usize| {
                std::str::from_utf8(&tar[at + from..at + to]).unwrap().trim_end_matches('\0').to_owned()
            };
            let size = usize::from_str_radix(&text(124, 135), 8).unwrap();
            assert_eq!(text(257, 262), "ustar");
            names.push(text(0, 100));
            at += 512 + size.next_multiple_of(512);
        }
        assert_eq!(tar.len(), at + 1024);
        assert!(names.is_sorted() && names.windows(2).all(|two| two[0] != two[1]), "{names:?}");
        for needed in
            ["Cargo.lock", "Cargo.toml", "ledger/evidence/src/checks.rs", "ledger/verify/src/main.rs"]
        {
            assert!(names.iter().any(|name| name == needed), "{needed}");
        }
        assert!(tar.len() < 1 << 20, "{} bytes", tar.len());
    }
}
