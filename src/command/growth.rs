//! How many results a run has written so far, for whoever watches: counted by what marks a case in the text
//! of the formats that are written as tests end. An estimate; what the files really say is read at the end.

use std::collections::HashMap;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};

use super::folder::{RunFolder, open_regular};
use super::results::beneath;

/// At most so many bytes are read at a look; the next one goes on from there.
const MAX_LOOK: u64 = 8 << 20;
/// Of a line that is longer, what follows begins anew.
const MAX_LINE: usize = 64 << 10;

/// The results of one run while it writes them.
#[derive(Debug)]
pub struct Growth {
    results: PathBuf,
    files: HashMap<PathBuf, Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    read: u64,
    cases: u32,
    /// A line that has no end yet.
    begun: Vec<u8>,
}

impl Growth {
    /// Of the run in this folder.
    pub fn of(folder: &RunFolder) -> Self {
        Self { results: folder.results(), files: HashMap::new() }
    }

    /// Looks at what was added since the last look; how many results there are. Blocking. What cannot be
    /// read is not counted.
    pub fn look(&mut self) -> u32 {
        let mut room = MAX_LOOK;
        for found in beneath(&self.results).0 {
            let seen = self.files.entry(found.path.clone()).or_default();
            if let Ok(read) = seen.go_on(&found.path, room) {
                room -= read;
            }
            if room == 0 {
                break;
            }
        }
        self.files.values().fold(0, |sum, seen| sum.saturating_add(seen.cases))
    }

    /// How many bytes were read so far of what is there.
    pub fn bytes(&self) -> u64 {
        self.files.values().map(|seen| seen.read).sum()
    }
}

impl Seen {
    fn go_on(&mut self, path: &Path, room: u64) -> io::Result<u64> {
        let mut file = open_regular(path)?;
        if file.metadata()?.len() < self.read {
            // It was written anew.
            *self = Self::default();
        }
        file.seek(SeekFrom::Start(self.read))?;
        let before = self.begun.len();
        file.take(room).read_to_end(&mut self.begun)?;
        let read = (self.begun.len() - before) as u64;
        self.read += read;
        let whole = match self.begun.iter().rposition(|byte| *byte == b'\n') {
            Some(end) => end + 1,
            None if self.begun.len() > MAX_LINE => self.begun.len(),
            None => 0,
        };
        let lines = self.begun[..whole].split(|byte| *byte == b'\n');
        self.cases = lines.fold(self.cases, |sum, line| sum.saturating_add(results_in(line)));
        self.begun.drain(..whole);
        Ok(read)
    }
}

/// How many results stand in a line: elements of JUnit XML, a test of TAP, an end of `go test -json`.
fn results_in(line: &[u8]) -> u32 {
    if line.starts_with(b"ok ") || line.starts_with(b"not ok ") {
        return 1;
    }
    let has = |what: &[u8]| memchr::memmem::find(line, what).is_some();
    if line.starts_with(b"{") && has(br#""Test":""#) {
        let ends = [r#""Action":"pass""#, r#""Action":"fail""#, r#""Action":"skip""#];
        return u32::from(ends.iter().any(|end| has(end.as_bytes())));
    }
    let elements = memchr::memmem::find_iter(line, b"<testcase");
    let elements = elements.filter(|at| {
        line.get(at + b"<testcase".len())
            .is_none_or(|next| next.is_ascii_whitespace() || b"/>".contains(next))
    });
    u32::try_from(elements.count()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use std::fs;
    use std::io::Write as _;

    use super::*;

    #[test]
    fn what_grows_is_counted_once_and_what_is_written_anew_again() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(dir.path().to_owned());
        let mut growth = Growth::of(&folder);
        assert_eq!(growth.look(), 0, "there is no folder yet");
        folder.prepare().unwrap();
        let tap = folder.results().join("a.tap");
        let mut file = fs::File::create(&tap).unwrap();
        file.write_all(b"1..3\nok 1 - a\nnot ok 2 - b\n# ok c\nok 3").unwrap();
        assert_eq!(growth.look(), 2, "the third has no end yet");
        assert_eq!(growth.look(), 2);
        file.write_all(b" - c\n").unwrap();
        assert_eq!(growth.look(), 3);
        fs::write(&tap, "ok 1 - a\n").unwrap();
        assert_eq!(growth.look(), 1);
        std::os::unix::fs::symlink("/dev/zero", folder.results().join("b.tap")).unwrap();
        let xml = "<testsuite><testcase name='a'/><testcase/><testcases/>\n<testcase\nname='b'>\n";
        fs::write(folder.results().join("c.xml"), xml).unwrap();
        assert_eq!(growth.look(), 4);
    }

    #[test]
    fn of_go_the_end_of_a_test_counts() {
        let table: [(&str, u32); 5] = [
            (r#"{"Action":"pass","Package":"p","Test":"TestA"}"#, 1),
            (r#"{"Action":"skip","Package":"p","Test":"TestA/b"}"#, 1),
            (r#"{"Action":"run","Package":"p","Test":"TestA"}"#, 0),
            (r#"{"Action":"pass","Package":"p"}"#, 0),
            ("okay", 0),
        ];
        for (line, results) in table {
            assert_eq!(results_in(line.as_bytes()), results, "{line}");
        }
    }

    /// However much a command writes without a line's end, little of it is held.
    #[test]
    fn a_line_without_an_end_is_let_go() {
        let dir = tempfile::tempdir().unwrap();
        let folder = RunFolder::at(dir.path().to_owned());
        folder.prepare().unwrap();
        fs::write(folder.results().join("a.xml"), "<testcase/>".repeat(10_000)).unwrap();
        let mut growth = Growth::of(&folder);
        assert_eq!(growth.look(), 10_000);
        assert!(growth.files.values().all(|seen| seen.begun.is_empty()));
    }
}
