//! Stretches of time, asked many questions.
//!
//! What it must not do: know what they stand for.

use jiff::Timestamp;

use crate::domain::observed::Span;

/// Which of many stretches hold an instant.
pub(super) struct Running {
    /// The beginnings, in order, each with the sum of the places up to it.
    begins: Vec<(Timestamp, u64)>,
    /// The ends, likewise.
    ends: Vec<(Timestamp, u64)>,
}

impl Running {
    /// Of these stretches; a place without one is never found.
    pub(super) fn new(spans: impl Iterator<Item = Option<Span>>) -> Self {
        let known: Vec<(usize, Span)> =
            spans.enumerate().filter_map(|(place, span)| Some((place, span?))).collect();
        let begins = known.iter().map(|(place, span)| (span.from, *place as u64)).collect();
        let ends = known.iter().map(|(place, span)| (span.to, *place as u64)).collect();
        Self { begins: summed(begins), ends: summed(ends) }
    }

    /// The place of the only stretch that meets that one. Those that began by its end, less those that
    /// ended before its beginning, are the ones that meet it; if that is one, so is the difference of
    /// the sums of their places.
    pub(super) fn only_one_at(&self, span: Span) -> Option<usize> {
        let begun = self.begins.partition_point(|(from, _)| *from <= span.to);
        let ended = self.ends.partition_point(|(to, _)| *to < span.from);
        let sum = |list: &[(Timestamp, u64)], count: usize| match count {
            0 => 0,
            count => list[count - 1].1,
        };
        let only = begun == ended + 1;
        only.then(|| (sum(&self.begins, begun) - sum(&self.ends, ended)) as usize)
    }
}

fn summed(mut list: Vec<(Timestamp, u64)>) -> Vec<(Timestamp, u64)> {
    list.sort_unstable();
    let mut sum = 0;
    for (_, place) in &mut list {
        sum += *place;
        *place = sum;
    }
    list
}

/// What many stretches cover together.
pub(super) struct Cover(Vec<Span>);

impl Cover {
    /// Of these.
    pub(super) fn new(spans: impl Iterator<Item = Span>) -> Self {
        let mut spans: Vec<Span> = spans.collect();
        spans.sort_unstable_by_key(|span| span.from);
        let mut cover: Vec<Span> = Vec::new();
        for span in spans {
            match cover.last_mut() {
                Some(last) if span.from <= last.to => last.to = last.to.max(span.to),
                Some(_) | None => cover.push(span),
            }
        }
        Self(cover)
    }

    /// Whether some of it meets that stretch.
    pub(super) fn meets(&self, span: Span) -> bool {
        let next = self.0.partition_point(|covered| covered.to < span.from);
        self.0.get(next).is_some_and(|covered| covered.meets(span))
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span((from, length): (i64, i64)) -> Span {
        let at = |second| Timestamp::from_second(second).expect("small numbers are instants");
        Span { from: at(from), to: at(from + length) }
    }

    proptest! {
        #[test]
        fn they_answer_as_looking_at_each_would(
            many in prop::collection::vec((0_i64..40, 0_i64..8), 0..12),
            asked in (0_i64..40, 0_i64..8),
        ) {
            let many: Vec<Span> = many.into_iter().map(span).collect();
            let asked = span(asked);
            let meeting: Vec<usize> =
                (0..many.len()).filter(|place| many[*place].meets(asked)).collect();
            let only = match meeting.as_slice() {
                [only] => Some(*only),
                _ => None,
            };
            let running = Running::new(many.iter().copied().map(Some));
            prop_assert_eq!(running.only_one_at(asked), only);
            let cover = Cover::new(many.iter().copied());
            prop_assert_eq!(cover.meets(asked), !meeting.is_empty());
        }
    }
}
