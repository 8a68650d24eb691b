//! The checked-in code is what `ntk.proto` makes. `UPDATE_EXPECT=1` writes it anew.

use std::path::Path;

#[test]
fn the_checked_in_code_is_what_the_proto_file_makes() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let made = tempfile::tempdir().unwrap();
    let set = protox::compile(["ntk.proto"], [root]).unwrap();
    tonic_prost_build::configure().out_dir(made.path()).compile_fds(set).unwrap();
    let made = std::fs::read_to_string(made.path().join("ntk.v1.rs")).unwrap();
    let kept = root.join("src/gen/ntk.v1.rs");
    if std::env::var_os("UPDATE_EXPECT").is_some() {
        std::fs::write(&kept, &made).unwrap();
    }
    let kept = std::fs::read_to_string(kept).unwrap_or_default();
    assert!(kept == made, "src/gen is not what ntk.proto makes; run UPDATE_EXPECT=1 cargo test -p ntk-proto");
}
