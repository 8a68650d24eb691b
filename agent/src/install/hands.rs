//! What install and uninstall do to a machine: the seam at which tests make each step fail.

use std::io;
use std::path::Path;
use std::process::Command;

use crate::whole_file::{Files as _, Readable, RealFiles, create_private_folder, sync_folder_of};

/// How a program ended.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ran {
    /// It says that it did what was asked.
    pub is_done: bool,
    /// What it said.
    pub said: String,
}

/// A machine that can be changed.
pub trait Hands {
    /// A file's content; none where there is no such file.
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>>;
    /// Puts this content in place of the file's, whole and durably; folders above it are made.
    fn replace(&mut self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()>;
    /// Removes a file or link, durably; one that is gone is fine.
    fn remove(&mut self, path: &Path) -> io::Result<()>;
    /// Removes a folder with everything in it; one that is gone is fine.
    fn remove_folder(&mut self, path: &Path) -> io::Result<()>;
    /// Makes a symbolic link, durably; one that is there is replaced.
    fn link(&mut self, at: &Path, to: &Path) -> io::Result<()>;
    /// Whether a program can be found.
    fn has(&self, program: &str) -> bool;
    /// Runs a program to its end.
    fn run(&mut self, words: &[&str]) -> io::Result<Ran>;
}

/// This machine.
#[derive(Clone, Copy, Debug, Default)]
pub struct RealHands;

impl Hands for RealHands {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        RealFiles.read(path)
    }

    fn replace(&mut self, path: &Path, content: &[u8], readable: Readable) -> io::Result<()> {
        match path.parent() {
            // What only its owner may read lies in a folder that only its owner may enter.
            Some(folder) if readable == Readable::ByOwner => create_private_folder(folder)?,
            _ => path_above(path)?,
        }
        RealFiles.replace(path, content, readable)
    }

    fn remove(&mut self, path: &Path) -> io::Result<()> {
        match std::fs::remove_file(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_folder_of(path),
        }
    }

    fn remove_folder(&mut self, path: &Path) -> io::Result<()> {
        match std::fs::remove_dir_all(path) {
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(()),
            Err(error) => Err(error),
            Ok(()) => sync_folder_of(path),
        }
    }

    fn link(&mut self, at: &Path, to: &Path) -> io::Result<()> {
        path_above(at)?;
        self.remove(at)?;
        std::os::unix::fs::symlink(to, at)?;
        sync_folder_of(at)
    }

    fn has(&self, program: &str) -> bool {
        let path = std::env::var_os("PATH").unwrap_or_default();
        // A login shell's path may lack the folders of administration.
        let more = ["/usr/sbin", "/sbin"].into_iter().map(Into::into);
        std::env::split_paths(&path).chain(more).any(|folder| folder.join(program).is_file())
    }

    fn run(&mut self, words: &[&str]) -> io::Result<Ran> {
        let Some((program, words)) = words.split_first() else {
            return Err(io::ErrorKind::InvalidInput.into());
        };
        let output = Command::new(program).args(words).output()?;
        let said = [output.stdout, output.stderr].concat();
        Ok(Ran { is_done: output.status.success(), said: String::from_utf8_lossy(&said).trim().to_owned() })
    }
}

fn path_above(path: &Path) -> io::Result<()> {
    path.parent().map_or(Ok(()), std::fs::create_dir_all)
}
