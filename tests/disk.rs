//! A disk of its own for a test: an ext4 image on a loop device, whose power can be cut.
//!
//! The cut is EXT4_IOC_SHUTDOWN without flushing the journal: what was not synced is gone, as after a power
//! cut. Root only.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context as _, Result, ensure};

use crate::disk_ffi;
use crate::program::text;

/// Neither the journal nor anything else is written any more.
const NO_LOG_FLUSH: u32 = 2;

/// A mounted image; dropped, it is unmounted and its loop device freed.
#[derive(Debug)]
pub struct Disk {
    image: PathBuf,
    mounted_at: PathBuf,
    mounted: bool,
}

impl Disk {
    /// Makes an image of so many megabytes below a folder and mounts it.
    pub fn new(folder: &Path, megabytes: u64) -> Result<Self> {
        let (image, mounted_at) = (folder.join("disk.image"), folder.join("disk"));
        File::create(&image)?.set_len(megabytes << 20)?;
        std::fs::create_dir_all(&mounted_at)?;
        let image_name = image.to_str().context("a path in UTF-8")?;
        system("mkfs.ext4", &["-q", "-F", image_name])?;
        let mut disk = Self { image, mounted_at, mounted: false };
        disk.mount()?;
        Ok(disk)
    }

    /// Where it is mounted.
    pub fn path(&self) -> &Path {
        &self.mounted_at
    }

    /// Cuts the power: from here on nothing reaches the disk.
    pub fn cut(&self) -> Result<()> {
        let folder = File::open(&self.mounted_at)?;
        Ok(disk_ffi::shutdown(&folder, NO_LOG_FLUSH)?)
    }

    /// Switches it on again after everything that used it has ended.
    pub fn switch_on(&mut self) -> Result<()> {
        self.unmount()?;
        self.mount()
    }

    fn mount(&mut self) -> Result<()> {
        let (image, place) = (self.image.to_string_lossy(), self.mounted_at.to_string_lossy());
        system("mount", &["-o", "loop", &image, &place])?;
        self.mounted = true;
        Ok(())
    }

    fn unmount(&mut self) -> Result<()> {
        system("umount", &[&self.mounted_at.to_string_lossy()])?;
        self.mounted = false;
        Ok(())
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        if self.mounted && self.unmount().is_err() {
            let _ = system("umount", &["-l", &self.mounted_at.to_string_lossy()]);
        }
    }
}

fn system(program: &str, arguments: &[&str]) -> Result<()> {
    let path = format!("/usr/sbin:/sbin:{}", std::env::var("PATH").unwrap_or_default());
    let output =
        Command::new(program).args(arguments).env("PATH", path).output().context(program.to_owned())?;
    ensure!(output.status.success(), "{program} {arguments:?}: {}", text(&output.stderr));
    Ok(())
}
