//! A package holds what a lost collector needs, encrypted; it overwrites nothing.

use age::x25519::Identity as RecoveryKey;

use super::*;
use crate::identity::tests as identities;
use crate::whole_file::RealFiles;

#[test]
fn a_package_holds_kept_and_live_segments_encrypted_and_overwrites_nothing() {
    let scratch = tempfile::tempdir().unwrap();
    let dir = scratch.path();
    let key = RecoveryKey::generate();
    let mut identity = identities::whole(dir);
    identity.trust.recovery = key.to_public().to_string();
    let spool = spool_path(dir);
    std::fs::create_dir_all(spool.join("kept")).unwrap();
    std::fs::write(spool.join("00000000000000000002.seg"), "live secret").unwrap();
    std::fs::write(spool.join("position.json"), "{}").unwrap();
    let sealed = age::encrypt(&key.to_public(), b"kept secret").unwrap();
    std::fs::write(spool.join("kept/00000000000000000001.age"), &sealed).unwrap();

    let out = dir.join("out");
    let packed = pack(dir, &identity, &out, &RealFiles).unwrap();
    assert_eq!(packed, Packed { n_kept: 1, n_live: 1 });
    assert_eq!(std::fs::read(out.join("kept/00000000000000000001.age")).unwrap(), sealed);
    let live = std::fs::read(out.join("live/00000000000000000002.age")).unwrap();
    assert!(!live.windows(6).any(|window| window == b"secret"));
    assert_eq!(age::decrypt(&key, &live).unwrap(), b"live secret");
    for name in ["position.json", "trust.txt", "identity.toml"] {
        assert!(out.join(name).is_file(), "{name}");
    }
    assert!(matches!(pack(dir, &identity, &out, &RealFiles), Err(KeptError::There(_))));
}
