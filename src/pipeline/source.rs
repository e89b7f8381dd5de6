//! Where the bytes of files come from, and whether they can be text at all.
//!
//! Opens nothing itself: whoever loads a pipeline says how a path becomes bytes.

use std::collections::BTreeMap;
use std::io;
use std::path::{Path, PathBuf};

/// The largest pipeline or daemon file, in bytes.
pub const MAX_PIPELINE_BYTES: u64 = 1024 * 1024;
/// The largest suite file, in bytes.
pub const MAX_SUITE_BYTES: u64 = 4 * 1024 * 1024;
/// The largest JSON Schema file, in bytes.
pub const MAX_SCHEMA_BYTES: u64 = 256 * 1024;

/// Gives the bytes of files.
pub trait SourceFiles {
    /// The bytes of a file. An implementation may stop after `limit` + 1 bytes: more is refused.
    ///
    /// # Errors
    /// When the file cannot be read.
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>>;
}

impl<F: Fn(&Path, u64) -> io::Result<Vec<u8>>> SourceFiles for F {
    fn read(&self, path: &Path, limit: u64) -> io::Result<Vec<u8>> {
        self(path, limit)
    }
}

/// Files that exist in memory only.
#[derive(Debug, Clone, Default)]
pub struct MemoryFiles(BTreeMap<PathBuf, Vec<u8>>);

impl MemoryFiles {
    /// No files.
    pub fn new() -> Self {
        Self::default()
    }

    /// The same files and one more.
    #[must_use]
    pub fn with(mut self, path: impl Into<PathBuf>, bytes: impl Into<Vec<u8>>) -> Self {
        self.0.insert(path.into(), bytes.into());
        self
    }
}

impl SourceFiles for MemoryFiles {
    fn read(&self, path: &Path, _limit: u64) -> io::Result<Vec<u8>> {
        self.0.get(path).cloned().ok_or_else(|| io::ErrorKind::NotFound.into())
    }
}

/// Why bytes are not the text of a file that can be read, and what to do about it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct NotText {
    pub(crate) message: String,
    pub(crate) help: &'static str,
    /// The text as far as it is one, and the byte in it at which the fault lies.
    pub(crate) shown: Option<(String, usize)>,
}

/// Checks size and encoding; the text comes without a byte order mark.
pub(crate) fn decode(bytes: Vec<u8>, limit: u64) -> Result<String, NotText> {
    if bytes.len() as u64 > limit {
        return Err(NotText {
            message: format!("the file is larger than {}", size_text(limit)),
            help: "split it into several files",
            shown: None,
        });
    }
    let help = "save the file as UTF-8";
    let utf16 = [[0xff, 0xfe], [0xfe, 0xff]];
    if utf16.iter().any(|mark| bytes.starts_with(mark)) {
        return Err(NotText { message: "the file is UTF-16".to_owned(), help, shown: None });
    }
    let text = String::from_utf8(bytes).map_err(|fault| {
        let at = fault.utf8_error().valid_up_to();
        let byte = fault.as_bytes()[at];
        let message = format!("byte 0x{byte:02x} is not UTF-8");
        let shown = String::from_utf8_lossy(fault.as_bytes()).into_owned();
        NotText { message, help, shown: Some((shown, at)) }
    })?;
    let text = match text.strip_prefix('\u{feff}') {
        Some(rest) => rest.to_owned(),
        None => text,
    };
    if let Some(at) = text.find('\0') {
        let message = "the file holds a NUL byte, so it is not a text".to_owned();
        return Err(NotText { message, help, shown: Some((text, at)) });
    }
    Ok(text)
}

fn size_text(bytes: u64) -> String {
    match bytes / 1024 {
        kib if kib >= 1024 => format!("{} MiB", kib / 1024),
        kib => format!("{kib} KiB"),
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_small_utf8_is_text() {
        assert_eq!(decode(b"\xef\xbb\xbfa: 1".to_vec(), 100).unwrap(), "a: 1");
        let faults = [
            (vec![b'a'; 2 * 1024 * 1024], "the file is larger than 1 MiB"),
            (b"\xff\xfea\0".to_vec(), "the file is UTF-16"),
            (b"ab\xe4".to_vec(), "byte 0xe4 is not UTF-8"),
            (b"a\0".to_vec(), "the file holds a NUL byte, so it is not a text"),
        ];
        for (bytes, message) in faults {
            assert_eq!(decode(bytes, MAX_PIPELINE_BYTES).unwrap_err().message, message);
        }
    }

    #[test]
    fn a_fault_in_the_encoding_says_where() {
        assert_eq!(decode(b"ab\xe4".to_vec(), 100).unwrap_err().shown.unwrap().1, 2);
    }
}
