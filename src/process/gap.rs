//! Where the middle of an output log was cut out. The exit record says where to look, the marker there what is missing:
//! a command that prints a marker itself has none.

use std::fs::File;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

use super::record::RunDir;
use super::spec::OutputCaps;
use crate::domain::gap::{Gap, PlacedGap};

/// What is missing in the output log of a run folder. `None` also while the command runs, as nothing is cut out until
/// its end, and where a record cannot be read: to tell of a gap is a convenience.
pub fn gap_of(run_dir: &Path) -> Option<PlacedGap> {
    let run = RunDir::new(run_dir.to_owned());
    let output = run.load_exit().ok()??.output;
    if output.cut_bytes == 0 {
        return None;
    }
    let place = match output.gap_at {
        Some(place) => place,
        // Records had no place once, and nobody asked for other caps.
        None if output.write_error.is_none() => OutputCaps::default().head,
        // There was no room for the marker: what stands there is the command's.
        None => return None,
    };
    let mut bytes = [0; Gap::MAX_MARKER_BYTES];
    let file = File::open(run.output_file()).ok()?;
    let mut read = 0;
    while let Ok(count @ 1..) = file.read_at(&mut bytes[read..], place + read as u64) {
        read += count;
    }
    PlacedGap::parse(place, &bytes[..read])
}

#[cfg(test)]
#[allow(clippy::unwrap_used)]
mod tests {
    use std::fs;

    use super::super::exit::{End, Exit, OutputSummary};
    use super::*;

    /// A run folder with this log, whose command ended with this summary.
    fn run_folder(log: &str, output: OutputSummary) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let run = RunDir::new(folder.path().to_owned());
        fs::write(run.output_file(), log).unwrap();
        let end = End::Exited { code: 0 };
        let exit =
            Exit { end, ended_with: None, started: true, duration_ms: 1, output, survivors: 0 };
        run.reserve_exit().unwrap().commit(&exit).unwrap();
        folder
    }

    #[test]
    fn a_gap_is_where_the_record_says_and_the_marker_stands() {
        let log = "abcd\n… 3 bytes in 1 lines cut …\nhij";
        let cut = |cut_bytes, gap_at| OutputSummary { cut_bytes, gap_at, ..Default::default() };
        let told = |log: &str, output| gap_of(run_folder(log, output).path());
        let gap = Gap { bytes: 3, lines: Some(1) };
        let placed = PlacedGap { at: 4, to: 36, gap };
        assert_eq!(told(log, cut(3, Some(4))), Some(placed));
        assert_eq!(told(log, cut(0, None)), None, "the command printed that");
        assert_eq!(told(log, cut(3, Some(5))), None, "there is none any more");
        assert_eq!(told(log, cut(3, Some(500))), None);
        let head = "x".repeat(1 << 20);
        let old = told(&format!("{head}\n… 3 bytes cut …\nhij"), cut(3, None)).unwrap();
        assert_eq!((old.at, old.to - old.at), (1 << 20, 21));
        assert_eq!(old.gap, Gap { bytes: 3, lines: None });
        let full = OutputSummary { write_error: Some("disk full".to_owned()), ..cut(3, None) };
        let printed = told(&format!("{head}\n… 3 bytes cut …\nhij"), full);
        assert_eq!(printed, None, "the command printed that, and then the disk was full");
        assert_eq!(gap_of(Path::new("/nowhere")), None);
    }
}
