//! Two edits of one text made one: what only one of them changed is taken, and where both changed the
//! same lines a person decides. Nothing of either is lost.

use std::ops::Range;

use super::lines::{self, Line, Numbers, ending_of, joined, push};

/// What became of two edits of one text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Merge {
    parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
enum Part {
    Settled(String),
    Open(Clash),
}

/// Lines that both changed, each in another way.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Clash {
    /// As they were before both.
    pub base: String,
    /// What the one made of them.
    pub theirs: String,
    /// What the other made of them.
    pub mine: String,
    /// The heading above them, where there is one.
    pub under: Option<String>,
}

impl Clash {
    /// Both, one after the other: what stands there until a person says otherwise.
    pub fn both(&self) -> String {
        let ends = self.theirs.is_empty() || self.theirs.ends_with(['\n', '\r']);
        let mut both = format!("{}{}", self.theirs, if ends { "" } else { "\n" });
        push(&mut both, &self.mine);
        both
    }
}

impl Merge {
    /// Where a person must decide, in order.
    pub fn clashes(&self) -> impl Iterator<Item = &Clash> {
        self.parts.iter().filter_map(|part| match part {
            Part::Open(clash) => Some(clash),
            Part::Settled(_) => None,
        })
    }

    /// The text with what a person decided for each clash; `None` when those are not as many.
    pub fn settled(&self, decided: &[String]) -> Option<String> {
        let mut decisions = decided.iter();
        let mut text = String::new();
        for part in &self.parts {
            let piece = match part {
                Part::Settled(piece) => piece,
                Part::Open(_) => decisions.next()?,
            };
            let is_open = !text.is_empty() && !text.ends_with(['\n', '\r']);
            if is_open && !piece.is_empty() {
                text.push('\n');
            }
            push(&mut text, piece);
        }
        decisions.next().is_none().then_some(text)
    }
}

/// An edited text with its lines ended as in the text that was edited: those that say the same are the
/// same to the last byte, new ones end as most others do.
pub fn with_endings_of(base: &str, edited: &str) -> String {
    let (old, new) = (lines::lines(base), lines::lines(edited));
    let ending = ending_of(&old);
    let mut numbers = Numbers::default();
    let places = lines::places(&numbers.of(&new), &numbers.of(&old));
    let mut text = String::new();
    for (at, (line, place)) in new.iter().zip(places).enumerate() {
        let kept = place.map_or(line.raw, |place| old[place].raw);
        let has_end = kept.len() > line.says.len();
        let mut whole = if place.is_some() { kept } else { line.says }.to_owned();
        if (place.is_none() && has_end) || (!has_end && at + 1 < new.len()) {
            whole.push_str(ending);
        }
        push(&mut text, &whole);
    }
    text
}

/// Merges what `theirs` and `mine` made of `base`.
pub fn merge(base: &str, theirs: &str, mine: &str) -> Merge {
    let ending = ending_of(&lines::lines(theirs));
    let walk = Walk::of(base, theirs, mine);
    let mut parts: Vec<Part> = Vec::new();
    for piece in walk.pieces() {
        match walk.judged(&piece, ending) {
            Part::Settled(text) => match parts.last_mut() {
                Some(Part::Settled(before)) => push(before, &text),
                Some(Part::Open(_)) | None => parts.push(Part::Settled(text)),
            },
            clash @ Part::Open(_) => parts.push(clash),
        }
    }
    Merge { parts }
}

/// Merges where what both began with is not known: as if that were what both still have.
pub fn merge_without_base(theirs: &str, mine: &str) -> Merge {
    let (one, other) = (lines::lines(theirs), lines::lines(mine));
    let mut numbers = Numbers::default();
    let places = lines::places(&numbers.of(&one), &numbers.of(&other));
    let shared = one.iter().zip(places).filter(|(_, place)| place.is_some());
    merge(&joined(shared.map(|(line, _)| *line), ending_of(&one)), theirs, mine)
}

/// The three texts, and where lines of the base still stand.
struct Walk<'t> {
    base: Vec<Line<'t>>,
    theirs: Vec<Line<'t>>,
    mine: Vec<Line<'t>>,
    in_theirs: Vec<Option<usize>>,
    in_mine: Vec<Option<usize>>,
}

/// The same place in each of the three.
struct Piece {
    base: Range<usize>,
    theirs: Range<usize>,
    mine: Range<usize>,
}

impl<'t> Walk<'t> {
    fn of(base: &'t str, theirs: &'t str, mine: &'t str) -> Self {
        let (base, theirs, mine) = (lines::lines(base), lines::lines(theirs), lines::lines(mine));
        let mut numbers = Numbers::default();
        let [b, t, m] = [&base, &theirs, &mine].map(|lines| numbers.of(lines));
        let (in_theirs, in_mine) = (lines::places(&b, &t), lines::places(&b, &m));
        Self { base, theirs, mine, in_theirs, in_mine }
    }

    /// The texts in pieces: each begins with a line that all three have, or ends before one.
    fn pieces(&self) -> Vec<Piece> {
        let mut pieces = Vec::new();
        let (mut b, mut t, mut m) = (0, 0, 0);
        let shared = (0..self.base.len()).filter_map(|at| {
            self.in_theirs[at].zip(self.in_mine[at]).map(|(theirs, mine)| (at, theirs, mine))
        });
        let end = (self.base.len(), self.theirs.len(), self.mine.len());
        for (base, theirs, mine) in shared.chain([end]) {
            if base > b || theirs > t || mine > m {
                pieces.extend(self.narrowed(Piece {
                    base: b..base,
                    theirs: t..theirs,
                    mine: m..mine,
                }));
            }
            if base < self.base.len() {
                let one = |at: usize| at..at + 1;
                pieces.push(Piece { base: one(base), theirs: one(theirs), mine: one(mine) });
            }
            (b, t, m) = (base + 1, theirs + 1, mine + 1);
        }
        pieces
    }

    /// A place where lines were changed for others, one for one, is looked at line by line: two people
    /// who fill in neighbouring fields of a form do not clash.
    fn narrowed(&self, piece: Piece) -> Vec<Piece> {
        let count = piece.base.len();
        if count < 2 || piece.theirs.len() != count || piece.mine.len() != count {
            return vec![piece];
        }
        let one = |range: &Range<usize>, at: usize| range.start + at..range.start + at + 1;
        let each = (0..count).map(|at| Piece {
            base: one(&piece.base, at),
            theirs: one(&piece.theirs, at),
            mine: one(&piece.mine, at),
        });
        each.collect()
    }

    fn judged(&self, piece: &Piece, ending: &str) -> Part {
        let base = &self.base[piece.base.clone()];
        let theirs = &self.theirs[piece.theirs.clone()];
        let mine = &self.mine[piece.mine.clone()];
        let text = |lines: &[Line<'t>]| {
            let mut text = joined(lines.iter().copied(), ending);
            // Only the last line of all may have no end.
            let is_open = lines.last().is_some_and(|line| line.raw.len() == line.says.len());
            let is_last =
                piece.theirs.end == self.theirs.len() && piece.mine.end == self.mine.len();
            if is_open && !is_last {
                text.push_str(ending);
            }
            text
        };
        if same(mine, base) || same(mine, theirs) {
            return Part::Settled(text(theirs));
        }
        if same(theirs, base) {
            return Part::Settled(text(mine));
        }
        Part::Open(Clash {
            base: text(base),
            theirs: text(theirs),
            mine: text(mine),
            under: lines::heading_above(&self.theirs[..piece.theirs.start]).map(str::to_owned),
        })
    }
}

fn same(one: &[Line<'_>], other: &[Line<'_>]) -> bool {
    one.len() == other.len() && one.iter().zip(other).all(|(a, b)| a.says == b.says)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use proptest::prelude::*;

    use super::*;

    const BASE: &str = "# INV-0001\n\nseen\n\n- Claim:\n  - Evidence:\n\n## Notes\n\nold\n";

    fn merged(base: &str, theirs: &str, mine: &str) -> String {
        let merge = merge(base, theirs, mine);
        assert_eq!(merge.clashes().count(), 0, "{merge:?}");
        merge.settled(&[]).unwrap()
    }

    #[test]
    fn what_only_one_changed_is_taken() {
        let theirs = BASE.replace("seen", "seen twice");
        let mine = BASE.replace("- Claim:", "- Claim: a cache");
        let both = theirs.replace("- Claim:", "- Claim: a cache");
        for (theirs, mine, expected) in [
            (BASE, BASE, BASE),
            (theirs.as_str(), BASE, theirs.as_str()),
            (BASE, mine.as_str(), mine.as_str()),
            (mine.as_str(), mine.as_str(), mine.as_str()),
            (theirs.as_str(), mine.as_str(), both.as_str()),
            (mine.as_str(), theirs.as_str(), both.as_str()),
        ] {
            assert_eq!(merged(BASE, theirs, mine), expected);
        }
    }

    #[test]
    fn fields_beside_each_other_do_not_clash() {
        let theirs = BASE.replace("- Claim:", "- Claim: a cache");
        let mine = BASE.replace("- Evidence:", "- Evidence: its log");
        let expected = theirs.replace("- Evidence:", "- Evidence: its log");
        assert_eq!(merged(BASE, &theirs, &mine), expected);
    }

    #[test]
    fn where_both_changed_the_same_a_person_decides() {
        let (theirs, mine) = (BASE.replace("old", "theirs"), BASE.replace("old", "mine"));
        let merge = merge(BASE, &theirs, &mine);
        let clashes: Vec<&Clash> = merge.clashes().collect();
        let [clash] = clashes.as_slice() else { panic!("{clashes:?}") };
        assert_eq!((clash.base.as_str(), clash.under.as_deref()), ("old\n", Some("Notes")));
        assert_eq!(clash.both(), "theirs\nmine\n");
        assert_eq!(merge.settled(&[clash.both()]).unwrap(), BASE.replace("old", "theirs\nmine"));
        assert_eq!(merge.settled(&["ours".to_owned()]).unwrap(), BASE.replace("old\n", "ours"));
        assert_eq!((merge.settled(&[]), merge.settled(&["a".into(), "b".into()])), (None, None));
    }

    #[test]
    fn lines_keep_their_ends() {
        let base = "a\r\nb\rc\nd";
        assert_eq!(with_endings_of(base, "a\r\nb\r\nc\r\nd"), base);
        assert_eq!(with_endings_of("a\r\nb\r\n", "a\nnew\nb\n"), "a\r\nnew\r\nb\r\n");
        assert_eq!(with_endings_of("a\nb", "a\r\nb\r\nc"), "a\nb\nc");
        assert_eq!(with_endings_of("a\n", ""), "");
    }

    #[test]
    fn without_a_base_nothing_of_either_is_lost() {
        let merge = merge_without_base("a\ntheirs\nb\n", "a\nmine\nb\nmore\n");
        let decided: Vec<String> = merge.clashes().map(Clash::both).collect();
        assert_eq!(merge.settled(&decided).unwrap(), "a\ntheirs\nmine\nb\nmore\n");
    }

    fn any_text() -> impl Strategy<Value = String> {
        let line = prop_oneof![Just(""), Just("a"), Just("b"), Just("# c"), Just("- Claim:")];
        let ending = prop_oneof![4 => Just("\n"), 1 => Just("\r\n"), 1 => Just("\r")];
        let ended = proptest::collection::vec((line, ending), 0..12)
            .prop_map(|lines| lines.iter().map(|(line, end)| format!("{line}{end}")).collect());
        (ended, prop_oneof![Just(""), Just("end")])
            .prop_map(|(text, end): (String, &str)| text + end)
    }

    proptest! {
        #[test]
        fn an_edit_of_nothing_is_none(base in any_text(), theirs in any_text()) {
            let of_browser = base.replace("\r\n", "\n").replace('\r', "\n").replace('\n', "\r\n");
            prop_assert_eq!(&with_endings_of(&base, &of_browser), &base);
            let merge = merge(&base, &theirs, &base);
            prop_assert_eq!(merge.settled(&[]), Some(theirs));
        }

        #[test]
        fn every_line_that_somebody_added_is_there(base in any_text(), theirs in any_text(), mine in any_text()) {
            let merge = merge(&base, &theirs, &mine);
            let decided: Vec<String> = merge.clashes().map(Clash::both).collect();
            let text = merge.settled(&decided).unwrap();
            let count = |text: &str, says: &str| lines::lines(text).iter().filter(|line| line.says == says).count();
            for line in lines::lines(&theirs).iter().chain(&lines::lines(&mine)) {
                let added = [&theirs, &mine].map(|text| count(text, line.says).saturating_sub(count(&base, line.says)));
                prop_assert!(count(&text, line.says) >= added[0].max(added[1]), "{:?} in {:?}", line.says, text);
            }
        }
    }
}
