//! Writes the software bill of materials (CycloneDX 1.6) out of Cargo.lock, so that a bundle tells what the programs
//! of its version are made of. Without Cargo.lock there is none, and the build says so.

use std::env;
use std::fs;
use std::io;
use std::path::Path;

fn main() -> io::Result<()> {
    let (manifest, out) = (variable("CARGO_MANIFEST_DIR")?, variable("OUT_DIR")?);
    let lock = Path::new(&manifest).join("../Cargo.lock");
    println!("cargo::rerun-if-changed={}", lock.display());
    let text = fs::read_to_string(&lock)?;
    fs::write(Path::new(&out).join("sbom.cdx.json"), sbom(&text, &variable("CARGO_PKG_VERSION")?))
}

fn variable(name: &str) -> io::Result<String> {
    env::var(name).map_err(|_| io::Error::other(format!("cargo does not set {name}")))
}

/// One component for each package of the lock file; its checksum where it came from a registry.
fn sbom(lock: &str, version: &str) -> String {
    let mut components = Vec::new();
    for package in lock.split("[[package]]").skip(1) {
        let value = |key: &str| {
            let line = package.lines().find_map(|line| line.strip_prefix(&format!("{key} = ")))?;
            Some(line.trim_matches('"').to_owned())
        };
        let (Some(name), Some(version)) = (value("name"), value("version")) else { continue };
        let mut fields = vec![
            r#""type": "library""#.to_owned(),
            format!(r#""bom-ref": "{name}@{version}""#),
            format!(r#""name": "{name}""#),
            format!(r#""version": "{version}""#),
        ];
        if let Some(checksum) = value("checksum") {
            fields.push(format!(r#""hashes": [{{"alg": "SHA-256", "content": "{checksum}"}}]"#));
            fields.push(format!(r#""purl": "pkg:cargo/{name}@{version}""#));
        }
        components.push(format!("    {{{}}}", fields.join(", ")));
    }
    format!(
        "{{\n  \"bomFormat\": \"CycloneDX\",\n  \"specVersion\": \"1.6\",\n  \"version\": 1,\n  \"metadata\": {{\"component\": {{\"type\": \"application\", \"name\": \"need-to-know\", \"version\": \"{version}\"}}}},\n  \"components\": [\n{}\n  ]\n}}\n",
        components.join(",\n")
    )
}
