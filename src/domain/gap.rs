//! The line that stands in a log where its middle was cut out while it was written: its text, which the writer and
//! every reader have from here, and what it does to the numbers of the lines after it.
//!
//! A command may print the same line itself. Whoever reads a log believes it only at the place that the end of the
//! command was recorded with.

use std::fmt;

use serde::{Deserialize, Serialize};

/// What was cut out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Gap {
    /// How many bytes.
    pub bytes: u64,
    /// How many lines ended in it; not known of logs that were written before these were counted.
    pub lines: Option<u64>,
}

impl Gap {
    /// No marker has more bytes.
    pub const MAX_MARKER_BYTES: usize = 80;

    /// What stands in the log instead: a line of its own, wherever the line before was cut.
    pub fn marker(&self) -> String {
        format!("\n{self}\n")
    }

    /// The gap whose marker this begins with, and the length of that marker.
    pub fn parse(bytes: &[u8]) -> Option<(Self, usize)> {
        let line = bytes.strip_prefix(b"\n")?;
        let end = line.iter().take(Self::MAX_MARKER_BYTES).position(|byte| *byte == b'\n')?;
        let text = std::str::from_utf8(&line[..end]).ok()?;
        let (bytes, rest) = text.strip_prefix("… ")?.split_once(" bytes")?;
        let lines = match rest {
            " cut …" => None,
            rest => Some(number(rest.strip_prefix(" in ")?.strip_suffix(" lines cut …")?)?),
        };
        Some((Self { bytes: number(bytes)?, lines }, end + 2))
    }
}

/// Digits as they are written here, and nothing else.
fn number(digits: &str) -> Option<u64> {
    let number: u64 = digits.parse().ok()?;
    (number.to_string() == digits).then_some(number)
}

impl fmt::Display for Gap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.lines {
            Some(lines) => write!(f, "… {} bytes in {lines} lines cut …", self.bytes),
            None => write!(f, "… {} bytes cut …", self.bytes),
        }
    }
}

/// A gap, and where its marker stands in the log.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
pub struct PlacedGap {
    /// Where the marker begins.
    pub at: u64,
    /// Where what was kept goes on.
    pub to: u64,
    /// What was cut out.
    #[serde(flatten)]
    pub gap: Gap,
}

impl PlacedGap {
    /// The gap whose marker begins at this place, where these bytes are.
    pub fn parse(at: u64, bytes: &[u8]) -> Option<Self> {
        let (gap, length) = Gap::parse(bytes)?;
        Some(Self { at, to: at + length as u64, gap })
    }

    /// The line of the marker, by the byte where it begins.
    pub fn line(&self) -> u64 {
        self.at + 1
    }
}

/// The number of the line at a place of a log, from 1, as the command wrote it: so many line ends stand before it in
/// what was kept. `None` for the marker of a gap, and after one of which nobody counted the lines.
pub fn line_number(ends_before: u64, place: u64, gap: Option<&PlacedGap>) -> Option<u64> {
    match gap {
        Some(gap) if place >= gap.to => {
            // The two line ends of the marker are ours.
            Some(gap.gap.lines?.saturating_add(ends_before.saturating_sub(2)).saturating_add(1))
        }
        Some(gap) if place >= gap.at => None,
        _ => Some(ends_before + 1),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn markers_of_every_version_are_read_and_nothing_else() {
        let of = |text: &str| {
            Gap::parse(text.as_bytes()).map(|(gap, length)| (gap.bytes, gap.lines, length))
        };
        assert_eq!(of("\n… 3 bytes cut …\nhij"), Some((3, None, "\n… 3 bytes cut …\n".len())));
        assert_eq!(of("\n… 3 bytes in 0 lines cut …\n"), Some((3, Some(0), 32)));
        for other in [
            "… 3 bytes cut …\n",
            "\n… 3 bytes cut …",
            "\n… 03 bytes cut …\n",
            "\n… +3 bytes cut …\n",
            "\n… 3 bytes in  lines cut …\n",
            "\n… 3 bytes in 1 lines cut … \n",
            "\n… output cut here, the disk took no more …\n",
            "\n… 99999999999999999999999 bytes cut …\n",
            "",
        ] {
            assert_eq!(of(other), None, "{other:?}");
        }
        assert_eq!(Gap::parse(b"\n\xff 3 bytes cut\n"), None);
        let longest = Gap { bytes: u64::MAX, lines: Some(u64::MAX) };
        assert!(longest.marker().len() <= Gap::MAX_MARKER_BYTES);
        assert_eq!(Gap::parse(longest.marker().as_bytes()).map(|(gap, _)| gap), Some(longest));
    }

    #[test]
    fn without_a_count_the_lines_after_a_gap_have_no_numbers() {
        let gap = PlacedGap { at: 4, to: 24, gap: Gap { bytes: 3, lines: None } };
        let number = |ends, place| line_number(ends, place, Some(&gap));
        assert_eq!([number(0, 0), number(1, 5), number(2, 24)], [Some(1), None, None]);
        assert_eq!(line_number(2, 24, None), Some(3));
    }

    proptest! {
        /// Every line that was kept has the number that it had before something was cut.
        #[test]
        fn numbers_are_those_of_what_the_command_wrote(
            text in "[ab\n]{2,60}",
            (head, cut) in (0usize..30, 1usize..30),
        ) {
            let (head, end) = (head.min(text.len()), (head + cut).min(text.len()));
            let out = &text[head..end];
            let ends = |text: &[u8]| text.iter().filter(|byte| **byte == b'\n').count() as u64;
            let gap = Gap { bytes: out.len() as u64, lines: Some(ends(out.as_bytes())) };
            let kept = format!("{}{}{}", &text[..head], gap.marker(), &text[end..]);
            let placed = PlacedGap::parse(head as u64, &kept.as_bytes()[head..]).expect("it is there");
            prop_assert_eq!((placed.gap, &kept[placed.to as usize..]), (gap, &text[end..]));
            for place in 0..kept.len() {
                let shown = line_number(ends(&kept.as_bytes()[..place]), place as u64, Some(&placed));
                let (before, after) = (place < head, place as u64 >= placed.to);
                let was = if before { place } else { (place + text.len()).saturating_sub(kept.len()) };
                let expected = (before || after).then(|| ends(&text.as_bytes()[..was]) + 1);
                prop_assert_eq!(shown, expected, "{} in {:?}", place, &kept);
            }
        }
    }
}
