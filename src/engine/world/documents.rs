//! The files of investigations as people left them, and what is no text of theirs to merge: that is
//! left on disk to the last byte.

use std::collections::HashMap;
use std::fs::{self, File};
use std::io::{self, Read as _};
use std::path::Path;

use crate::domain::findings::LeftAsItIs;
use crate::domain::names::{InvestigationId, PipelineName};
use crate::engine::report_folder::ReportFolder;
use crate::investigation;
use crate::store::Adopted;

/// A longer document is not merged: it is not ours.
const MAX_BYTES: u64 = LeftAsItIs::MAX_MIB << 20;
/// So much of a document is looked at for the comment that says what it is.
const MAX_HEAD: u64 = 64 << 10;
/// So many files of a folder are looked at.
const MAX_FILES: usize = 5_000;
/// A greater number in the name of a file is not believed: anybody may put a file there.
const MAX_BELIEVED: u32 = 1_000_000;

/// What stands in the place of a document.
pub(super) enum Existing {
    /// Nothing.
    Absent,
    /// Text that people may have written in.
    Text(String),
    /// A file that is not written over.
    Left {
        /// Why not.
        why: LeftAsItIs,
        /// What of it can be shown.
        shown: String,
    },
}

/// Reads a document.
pub(super) fn read(path: &Path) -> Existing {
    let mut bytes = Vec::new();
    // A pipe or a device in its place is not opened: that could wait without an end.
    let is_odd = fs::metadata(path).is_ok_and(|meta| !meta.is_file());
    let found = match is_odd {
        true => Err(io::Error::other("it is no plain file")),
        false => File::open(path).and_then(|f| f.take(MAX_BYTES + 1).read_to_end(&mut bytes)),
    };
    match found {
        Err(fault) if is_absence(&fault) => return Existing::Absent,
        Err(fault) => {
            tracing::warn!(%fault, path = %path.display(), "an investigation is not read");
            return Existing::Left { why: LeftAsItIs::Unreadable, shown: String::new() };
        }
        Ok(_) => {}
    }
    if bytes.len() as u64 > MAX_BYTES {
        bytes.truncate(usize::try_from(MAX_BYTES).unwrap_or(usize::MAX));
        return Existing::Left { why: LeftAsItIs::TooLong, shown: shown(&bytes) };
    }
    match String::from_utf8(bytes) {
        Ok(text) if !text.contains('\0') => Existing::Text(text),
        Ok(text) => Existing::Left { why: LeftAsItIs::NotText, shown: shown(text.as_bytes()) },
        Err(fault) => Existing::Left { why: LeftAsItIs::NotText, shown: shown(fault.as_bytes()) },
    }
}

/// Why there is no text of a document.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum NoDocument {
    /// There is no file, or a link that leads out.
    Absent,
    /// What stands in its place cannot be read as one.
    Left(LeftAsItIs),
}

/// The document of an investigation as it lies in the report folder.
///
/// # Errors
/// When there is none, or what stands in its place cannot be read as one.
pub fn document_of(
    folder: &ReportFolder,
    pipeline: &PipelineName,
    file: &str,
) -> Result<String, NoDocument> {
    let place = Path::new(pipeline.as_str()).join("investigations").join(file);
    folder.check(&place).map_err(|_| NoDocument::Absent)?;
    match read(&folder.path_of(&place)) {
        Existing::Text(text) => Ok(text),
        Existing::Absent => Err(NoDocument::Absent),
        Existing::Left { why, .. } => Err(NoDocument::Left(why)),
    }
}

fn is_absence(fault: &io::Error) -> bool {
    matches!(fault.kind(), io::ErrorKind::NotFound | io::ErrorKind::NotADirectory)
}

/// Bytes as text for a report; nothing of them goes back into the file.
fn shown(bytes: &[u8]) -> String {
    let units = |unit: fn([u8; 2]) -> u16| -> String {
        let units = bytes[2..].chunks_exact(2).map(|pair| unit([pair[0], pair[1]]));
        char::decode_utf16(units).map(|c| c.unwrap_or(char::REPLACEMENT_CHARACTER)).collect()
    };
    match bytes {
        [0xff, 0xfe, ..] => units(u16::from_le_bytes),
        [0xfe, 0xff, ..] => units(u16::from_be_bytes),
        _ => String::from_utf8_lossy(bytes).replace('\0', ""),
    }
}

/// The documents in the report folder by the fingerprint that their comment names; where two name one,
/// that with the lower number.
pub(super) fn by_fingerprint(
    folder: &ReportFolder,
    pipeline: &PipelineName,
) -> HashMap<String, Adopted> {
    let place = Path::new(pipeline.as_str()).join("investigations");
    let mut found: HashMap<String, Adopted> = HashMap::new();
    if folder.check(&place).is_err() {
        return found;
    }
    let entries = fs::read_dir(folder.path_of(&place)).into_iter().flatten().flatten();
    for entry in entries.take(MAX_FILES) {
        let is_file = entry.file_type().is_ok_and(|kind| kind.is_file());
        let name = entry.file_name();
        let Some((id, slug)) = name.to_str().filter(|_| is_file).and_then(named) else { continue };
        let Some(meta) = head(&entry.path()).as_deref().and_then(investigation::meta_of) else {
            continue;
        };
        if meta.id != id {
            continue;
        }
        let adopted = Adopted { number: id.number(), slug, opened_in: meta.opened };
        let known = found.entry(meta.fingerprint).or_insert_with(|| adopted.clone());
        if adopted.number < known.number {
            *known = adopted;
        }
    }
    found
}

/// The parts of the name of a document's file, when it is one that we could have given.
fn named(file: &str) -> Option<(InvestigationId, String)> {
    let (digits, slug) = file.strip_suffix(".md")?.strip_prefix("INV-")?.split_once('-')?;
    let id = InvestigationId::parse(&format!("INV-{digits}"))?;
    let is_slug = slug.bytes().all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-');
    let is_ours = is_slug && !slug.is_empty() && (1..=MAX_BELIEVED).contains(&id.number());
    (is_ours && file == format!("{id}-{slug}.md")).then(|| (id, slug.to_owned()))
}

fn head(path: &Path) -> Option<String> {
    let mut bytes = Vec::new();
    File::open(path).ok()?.take(MAX_HEAD).read_to_end(&mut bytes).ok()?;
    Some(shown(&bytes))
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_files_that_we_could_have_named_are_adopted() {
        assert_eq!(
            named("INV-0012-close-1008.md"),
            Some((InvestigationId::from_number(12), "close-1008".to_owned()))
        );
        for odd in [
            "INV-12-a.md",
            "INV-0012.md",
            "INV-0012-.md",
            "INV-0012-A b.md",
            "INV-0000-a.md",
            "INV-99999999-a.md",
            "INV-0012-a.md.orig",
            "inv-0012-a.md",
        ] {
            assert_eq!(named(odd), None, "{odd}");
        }
    }

    #[test]
    fn a_document_is_known_by_its_comment_and_the_lower_number_counts() {
        let here = tempfile::tempdir().unwrap();
        let folder = ReportFolder::new(here.path(), Path::new("reports"));
        let comment = |id: &str| {
            format!(
                "<!-- andon:investigation id={id} fingerprint=v1-aa state=new opened=3 reopened=- gone=- -->\n"
            )
        };
        for (file, text) in [
            ("INV-0007-later.md", comment("INV-0007")),
            ("INV-0002-a.md", format!("people's words\n\n{}", comment("INV-0002"))),
            ("INV-0001-a-copy.md", comment("INV-0002")),
            ("INV-0003-none.md", "# INV-0003".to_owned()),
        ] {
            folder.write(format!("shop/investigations/{file}"), text.as_bytes()).unwrap();
        }
        let found = by_fingerprint(&folder, &PipelineName::parse("shop").unwrap());
        let expected = Adopted { number: 2, slug: "a".to_owned(), opened_in: 3 };
        assert_eq!(found, HashMap::from([("v1-aa".to_owned(), expected)]));
    }

    #[test]
    fn what_cannot_be_read_is_not_taken_for_absent() {
        let here = tempfile::tempdir().unwrap();
        assert!(matches!(read(&here.path().join("no-such")), Existing::Absent));
        let unreadable = read(here.path());
        assert!(matches!(unreadable, Existing::Left { why: LeftAsItIs::Unreadable, .. }));
    }
}
