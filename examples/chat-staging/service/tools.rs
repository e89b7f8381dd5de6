//! The tools that agents use. Each computes its result from what it is given; none knows who asks.

use serde_json::{Value, json};

/// Texts longer than this are cut before a tool reads them.
const MAX_TEXT: usize = 8_192;
/// The longest that the timer waits, in seconds.
const MAX_WAIT_S: u64 = 60;

/// Something an agent can do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tool {
    /// Adds the whole numbers of a text.
    Calculator,
    /// Counts words and letters.
    TextStatistics,
    /// Finds the longest word.
    LongestWord,
    /// Waits as long as the text says.
    Timer,
}

impl Tool {
    pub(super) const ALL: [Self; 4] =
        [Self::Calculator, Self::TextStatistics, Self::LongestWord, Self::Timer];

    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Calculator => "calculator",
            Self::TextStatistics => "text_statistics",
            Self::LongestWord => "longest_word",
            Self::Timer => "timer",
        }
    }

    pub(super) fn describe(self) -> Value {
        let what = match self {
            Self::Calculator => "adds the whole numbers of a text",
            Self::TextStatistics => "counts words and letters",
            Self::LongestWord => "finds the longest word",
            Self::Timer => "waits as long as the text says",
        };
        json!({ "name": self.name(), "description": what, "parameters": { "text": "string" } })
    }

    pub(super) fn by_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|tool| tool.name() == name)
    }

    /// The tool that `message` calls for; `otherwise` when it calls for none.
    pub(super) fn for_message(message: &str, otherwise: Self) -> Self {
        if wait_seconds(message).is_some() {
            Self::Timer
        } else if numbers(message).len() >= 2 {
            Self::Calculator
        } else {
            otherwise
        }
    }

    /// How long the tool takes, in seconds.
    pub(super) fn duration_s(self, text: &str) -> u64 {
        match self {
            Self::Timer => wait_seconds(text).unwrap_or(0),
            Self::Calculator | Self::TextStatistics | Self::LongestWord => 0,
        }
    }

    /// The result, as a value and as a sentence.
    pub(super) fn run(self, text: &str) -> (Value, String) {
        let text = cut(text);
        match self {
            Self::Calculator => add(&numbers(text)),
            Self::TextStatistics => {
                let words = text.split_whitespace().count();
                let letters = text.chars().filter(|c| c.is_alphabetic()).count();
                let result = json!({ "words": words, "letters": letters });
                (result, format!("It has {words} words and {letters} letters."))
            }
            Self::LongestWord => {
                let word = text.split_whitespace().max_by_key(|w| w.chars().count()).unwrap_or("");
                (json!({ "word": word }), format!("Its longest word is {word}."))
            }
            Self::Timer => {
                let waited = wait_seconds(text).unwrap_or(0);
                (json!({ "waited_s": waited }), format!("I waited {waited} seconds."))
            }
        }
    }
}

fn add(numbers: &[i64]) -> (Value, String) {
    let sum = numbers.iter().fold(0_i64, |sum, n| sum.saturating_add(*n));
    let terms = numbers.iter().map(i64::to_string).collect::<Vec<_>>().join(" + ");
    (json!({ "sum": sum, "terms": numbers.len() }), format!("{terms} = {sum}."))
}

fn cut(text: &str) -> &str {
    let mut end = text.len().min(MAX_TEXT);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    &text[..end]
}

/// Words that are whole numbers, with the punctuation around them taken off.
fn numbers(text: &str) -> Vec<i64> {
    cut(text)
        .split_whitespace()
        .filter_map(|word| word.trim_matches(|c: char| ",.;:!?()\"".contains(c)).parse().ok())
        .collect()
}

/// `20` in "wait 20 seconds".
fn wait_seconds(text: &str) -> Option<u64> {
    let words: Vec<String> = cut(text).split_whitespace().map(str::to_lowercase).collect();
    let three =
        words.windows(3).find(|three| three[0] == "wait" && three[2].starts_with("second"))?;
    three[1].parse::<u64>().ok().map(|seconds| seconds.min(MAX_WAIT_S))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_decides_which_tool_runs() {
        let pick = |message| Tool::for_message(message, Tool::LongestWord);
        assert_eq!(pick("Add 17 and 25 for cycle-7-1234567"), Tool::Calculator);
        assert_eq!(pick("Wait 20 seconds, please"), Tool::Timer);
        assert_eq!(pick("only 1 number"), Tool::LongestWord);
    }

    #[test]
    fn tools_compute() {
        assert_eq!(Tool::Calculator.run("17, and 25.").0["sum"], 42);
        assert_eq!(Tool::Calculator.run(&format!("{} 1", i64::MAX)).0["sum"], i64::MAX);
        assert_eq!(Tool::TextStatistics.run("two words").0["words"], 2);
        assert_eq!(Tool::LongestWord.run("a longest b").0["word"], "longest");
        assert_eq!(Tool::Timer.duration_s("wait 99999 seconds"), MAX_WAIT_S);
    }
}
