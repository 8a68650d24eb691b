//! One ZIP file of a bundle's files.

use std::io::{Cursor, Write as _};

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
