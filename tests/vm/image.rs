//! The root of a machine of our own, put together from files of this one.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use super::archive;
use crate::program::{self, text};

/// The first process: mounts what every machine has, runs the script, sends `/out` back.
const INIT: &str = include_str!("init.sh");

/// What its scripts share.
const SHARED: &str = include_str!("vm.sh");

/// Folders of a package that no program needs.
const FOR_PEOPLE: &[&str] = &[
    "/usr/share/doc",
    "/usr/share/man",
    "/usr/share/locale",
    "/usr/share/info",
    "/usr/share/lintian",
    "/usr/share/bash-completion",
    "/usr/share/zsh",
    "/usr/share/bug",
    "/usr/lib/udev/hwdb.d",
    "/usr/share/polkit-1",
];

/// Folders that are links since Debian 12.
const MERGED: &[&str] = &["bin", "sbin", "lib", "lib64"];

#[derive(Clone)]
enum Node {
    Folder,
    File {
        mode: u32,
        bytes: Vec<u8>,
    },
    /// Read when the archive is made.
    Host {
        mode: u32,
        path: PathBuf,
    },
    Link(String),
}

/// Files of a root, by path without a slash in front.
#[derive(Clone, Default)]
pub struct Image {
    nodes: BTreeMap<String, Node>,
    /// Programs whose libraries are not in yet.
    programs: BTreeSet<PathBuf>,
}

impl Image {
    /// busybox, our agent and collector, and a script that the first process runs.
    pub fn with_script(script: &str) -> Result<Self> {
        let mut image = Self::default();
        for name in MERGED {
            image.put(name, Node::Link(format!("usr/{name}")));
        }
        for folder in ["dev", "proc", "sys", "run", "out", "root", "usr/bin", "usr/sbin", "usr/lib64"] {
            image.folder(folder);
        }
        image.file("/init", 0o755, INIT);
        image.file("/vm.sh", 0o644, SHARED);
        image.file("/script", 0o755, script);
        image.host("/bin/busybox")?;
        for name in ["ntk-agent", "ntk-collector"] {
            image.own_program(&program::binary(name)?, &format!("/usr/bin/{name}"))?;
        }
        Ok(image)
    }

    /// A folder.
    pub fn folder(&mut self, path: &str) {
        let name = path.trim_start_matches('/').to_owned();
        if !name.is_empty() {
            self.nodes.entry(name).or_insert(Node::Folder);
        }
    }

    /// A file with this content.
    pub fn file(&mut self, path: &str, mode: u32, content: impl AsRef<[u8]>) {
        self.put(path, Node::File { mode, bytes: content.as_ref().to_vec() });
    }

    /// A symbolic link.
    pub fn link(&mut self, path: &str, to: &str) {
        self.put(path, Node::Link(to.to_owned()));
    }

    /// A program of this machine under another name, with its libraries.
    pub fn program(&mut self, from: &Path, path: &str) -> Result<()> {
        ensure!(from.is_file(), "there is no {}", from.display());
        self.put(path, Node::Host { mode: 0o755, path: from.to_owned() });
        self.programs.insert(from.to_owned());
        Ok(())
    }

    /// A program of ours, without what only debuggers read: that is most of it, and the machine's root is memory.
    fn own_program(&mut self, from: &Path, path: &str) -> Result<()> {
        let stripped = tempfile::NamedTempFile::new()?;
        let mut strip = Command::new("strip");
        let done = strip.arg("--strip-debug").arg("-o").arg(stripped.path()).arg(from).status();
        if !done.is_ok_and(|status| status.success()) {
            return self.program(from, path);
        }
        self.file(path, 0o755, fs::read(stripped.path())?);
        self.programs.insert(from.to_owned());
        Ok(())
    }

    /// A file, link or whole folder of this machine under its own name, with the libraries of programs.
    pub fn host(&mut self, path: impl AsRef<Path>) -> Result<()> {
        let path = path.as_ref();
        let folder = path.parent().context("a path in a folder")?.canonicalize();
        let folder = folder.with_context(|| format!("there is no {}", path.display()))?;
        let place = folder.join(path.file_name().context("a name")?);
        let name = place.to_str().context("a path in UTF-8")?.to_owned();
        let about = fs::symlink_metadata(&place).with_context(|| format!("there is no {name}"))?;
        if about.is_symlink() {
            let to = fs::read_link(&place)?;
            self.link(&name, to.to_str().context("a path in UTF-8")?);
            // A link that leads nowhere here leads nowhere there, and one to a folder to what others put into it.
            let target = folder.join(to);
            if target.is_file() && !self.has(&target) {
                self.host(&target)?;
            }
        } else if about.is_dir() {
            self.folder(&name);
            for entry in fs::read_dir(&place)? {
                self.host(entry?.path())?;
            }
        } else if about.is_file() {
            let mode = about.permissions().mode() & 0o7777;
            let is_library = name.contains(".so");
            if mode & 0o111 != 0 || is_library {
                self.programs.insert(place.clone());
            }
            self.put(&name, Node::Host { mode, path: place });
        }
        Ok(())
    }

    /// Every file of a package that is installed here.
    pub fn package(&mut self, name: &str) -> Result<()> {
        let said = Command::new("dpkg").args(["-L", name]).output().context("could not run dpkg")?;
        ensure!(said.status.success(), "the package {name} is not installed");
        for line in text(&said.stdout).lines().filter(|line| line.starts_with('/')) {
            let path = Path::new(line);
            let is_wanted = !FOR_PEOPLE.iter().any(|folder| path.starts_with(folder));
            // Its folders, too, but not what other packages have in them.
            if path.is_dir() && (!path.is_symlink() || path.parent() == Some(Path::new("/"))) {
                if is_wanted && !line.ends_with("/.") {
                    self.folder(&merged(line));
                }
            } else if is_wanted && (path.exists() || path.is_symlink()) {
                self.host(path)?;
            }
        }
        Ok(())
    }

    fn has(&self, path: &Path) -> bool {
        path.to_str().is_some_and(|path| self.nodes.contains_key(path.trim_start_matches('/')))
    }

    fn put(&mut self, path: &str, node: Node) {
        let path = path.trim_start_matches('/');
        for (at, _) in path.match_indices('/') {
            if let Some(folder) = path.get(..at) {
                self.nodes.entry(folder.to_owned()).or_insert(Node::Folder);
            }
        }
        self.nodes.insert(path.to_owned(), node);
    }

    /// Adds the libraries of the programs, and theirs: `ldd` names them all.
    pub fn with_libraries(mut self) -> Result<Self> {
        let programs = std::mem::take(&mut self.programs);
        let said = Command::new("ldd").args(&programs).output().context("could not run ldd")?;
        let mut libraries = BTreeSet::new();
        for line in text(&said.stdout).lines() {
            // "\tlibc.so.6 => /lib/x86_64-linux-gnu/libc.so.6 (0x00007f..)", or the loader's path alone.
            let words: Vec<&str> = line.split_whitespace().collect();
            let path = match words.as_slice() {
                [path, _] => path,
                [_, "=>", path, ..] => path,
                _ => continue,
            };
            if path.starts_with('/') {
                libraries.insert((*path).to_owned());
            }
        }
        for library in libraries {
            self.host(library)?;
        }
        self.programs.clear();
        Ok(self)
    }

    /// The whole, as the kernel takes it.
    pub(super) fn archive(&self) -> Result<Vec<u8>> {
        ensure!(self.programs.is_empty(), "the libraries of this image are missing");
        let mut bytes = Vec::new();
        for (name, node) in &self.nodes {
            match node {
                Node::Folder => archive::add(&mut bytes, name, 0o040_755, &[])?,
                Node::Link(to) => archive::add(&mut bytes, name, 0o120_777, to.as_bytes())?,
                Node::File { mode, bytes: content } => {
                    archive::add(&mut bytes, name, 0o100_000 | mode, content)?
                }
                Node::Host { mode, path } => {
                    let content =
                        fs::read(path).with_context(|| format!("could not read {}", path.display()))?;
                    archive::add(&mut bytes, name, 0o100_000 | mode, &content)?;
                }
            }
        }
        archive::finish(&mut bytes)?;
        Ok(bytes)
    }
}

/// Whether a package is installed here, so that an image can take it.
pub fn is_installed(package: &str) -> bool {
    let asked = Command::new("dpkg-query").args(["-W", "-f", "${db:Status-Status}", package]).output();
    asked.is_ok_and(|said| said.stdout == b"installed")
}

/// `/lib/x` is `/usr/lib/x`.
fn merged(path: &str) -> String {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    if MERGED.contains(&first) { format!("/usr{path}") } else { path.to_owned() }
}
