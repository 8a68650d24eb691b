//! One ZIP file of a bundle's files, and back.

use std::io::{Cursor, Read as _, Write as _};

use ntk_evidence::bundle::bag::Files;
use zip::write::SimpleFileOptions;

use super::ExportError;

/// One ZIP file of the bundle's files, in one top folder.
pub fn zip(files: &Files, folder: &str) -> Result<Vec<u8>, ExportError> {
    let mut zip = zip::ZipWriter::new(Cursor::new(Vec::new()));
    let options = SimpleFileOptions::default().compression_method(zip::CompressionMethod::Deflated);
    for (path, bytes) in files {
        zip.start_file(format!("{folder}/{path}"), options)?;
        zip.write_all(bytes)?;
    }
    Ok(zip.finish()?.into_inner())
}

/// The files of a bundle that [`zip`] made, without their top folder. Only for bytes whose hash the ledger knows: what
/// strangers bring is read by `ntk-verify`, within its bounds.
pub fn unzip(bytes: &[u8]) -> Result<Files, ExportError> {
    let mut archive = zip::ZipArchive::new(Cursor::new(bytes))?;
    let mut files = Files::new();
    for index in 0..archive.len() {
        let mut file = archive.by_index(index)?;
        let name = file.name()?.into_owned();
        let path = name.split_once('/').map_or(name.as_str(), |(_, path)| path).to_owned();
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        files.insert(path, content);
    }
    Ok(files)
}
