//! Values of a document, read with patience: what a case needs of them, and no more than fits.
//!
//! What it must not do: know any one format.

use std::fmt;
use std::marker::PhantomData;

use serde::de::{Deserialize, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor};

/// A string. Halves of characters, which JavaScript writes as it holds them, are replaced.
#[derive(Debug, Default, Clone, PartialEq, Eq)]
pub(in crate::ingest) struct Lossy(pub(in crate::ingest) String);

impl<'de> Deserialize<'de> for Lossy {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl<'de> Visitor<'de> for Bytes {
            type Value = Lossy;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_bytes<E: Error>(self, bytes: &[u8]) -> Result<Lossy, E> {
                Ok(Lossy(String::from_utf8_lossy(bytes).into_owned()))
            }

            fn visit_str<E: Error>(self, text: &str) -> Result<Lossy, E> {
                Ok(Lossy(text.to_owned()))
            }
        }
        deserializer.deserialize_bytes(Bytes)
    }
}

/// A value of which only a number or a truth is of interest; anything else is passed over.
#[derive(Debug, Default, Clone, Copy, PartialEq)]
pub(in crate::ingest) enum Loose {
    /// A number.
    Number(f64),
    /// A truth.
    Truth(bool),
    /// Something else.
    #[default]
    Other,
}

impl Loose {
    /// The number, if it is one.
    pub(in crate::ingest) fn number(self) -> Option<f64> {
        match self {
            Self::Number(number) => Some(number),
            Self::Truth(_) | Self::Other => None,
        }
    }

    /// The count, if it is one.
    pub(in crate::ingest) fn count(self) -> Option<u64> {
        // Beyond 2^53 a number is no count of anything.
        self.number().filter(|n| *n >= 0.0 && *n < 9e15 && n.fract() == 0.0).map(|n| n as u64)
    }

    /// Whether it says yes.
    pub(in crate::ingest) fn is_true(self) -> bool {
        self == Self::Truth(true)
    }
}

impl<'de> Deserialize<'de> for Loose {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Any;
        impl<'de> Visitor<'de> for Any {
            type Value = Loose;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("any value")
            }

            fn visit_bool<E: Error>(self, truth: bool) -> Result<Loose, E> {
                Ok(Loose::Truth(truth))
            }

            fn visit_f64<E: Error>(self, number: f64) -> Result<Loose, E> {
                Ok(Loose::Number(number))
            }

            fn visit_i64<E: Error>(self, number: i64) -> Result<Loose, E> {
                Ok(Loose::Number(number as f64))
            }

            fn visit_u64<E: Error>(self, number: u64) -> Result<Loose, E> {
                Ok(Loose::Number(number as f64))
            }

            fn visit_str<E: Error>(self, _: &str) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_unit<E: Error>(self) -> Result<Loose, E> {
                Ok(Loose::Other)
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Loose, A::Error> {
                while seq.next_element::<IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }

            fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Loose, A::Error> {
                while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
                Ok(Loose::Other)
            }
        }
        deserializer.deserialize_any(Any)
    }
}

/// A list of which the first hundred elements and the last are kept, and all are counted.
#[derive(Debug)]
pub(in crate::ingest) struct Few<T> {
    first: Vec<T>,
    last: Option<T>,
    count: u64,
}

/// How many elements of a list within a case are kept.
const FEW: usize = 100;

impl<T> Default for Few<T> {
    fn default() -> Self {
        Self { first: Vec::new(), last: None, count: 0 }
    }
}

impl<T> Few<T> {
    /// What is kept, in its order.
    pub(in crate::ingest) fn iter(&self) -> impl DoubleEndedIterator<Item = &T> {
        self.first.iter().chain(&self.last)
    }

    /// How many there were.
    pub(in crate::ingest) fn count(&self) -> u64 {
        self.count
    }

    fn push(&mut self, element: T) {
        self.count += 1;
        if self.first.len() < FEW {
            self.first.push(element);
        } else {
            self.last = Some(element);
        }
    }
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Few<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct List<T>(PhantomData<T>);
        impl<'de, T: Deserialize<'de>> Visitor<'de> for List<T> {
            type Value = Few<T>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a list")
            }

            fn visit_unit<E: Error>(self) -> Result<Few<T>, E> {
                Ok(Few::default())
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Few<T>, A::Error> {
                let mut few = Few::default();
                while let Some(element) = seq.next_element()? {
                    few.push(element);
                }
                Ok(few)
            }
        }
        deserializer.deserialize_any(List(PhantomData))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn halves_of_characters_are_replaced() {
        let read: Lossy = serde_json::from_str(r#""a\ud800b""#).unwrap();
        assert!(read.0.starts_with('a') && read.0.ends_with('b'), "{read:?}");
        let read: Option<Lossy> = serde_json::from_str("null").unwrap();
        assert_eq!(read, None);
    }

    #[test]
    fn values_of_no_interest_are_passed_over() {
        let read: Vec<Loose> =
            serde_json::from_str(r#"[1, -1.5, true, "x", null, [1], {"a": {}}]"#).unwrap();
        assert_eq!(read[0].count(), Some(1));
        assert_eq!(read[1].number(), Some(-1.5));
        assert_eq!(read[1].count(), None);
        assert!(read[2].is_true());
        assert!(read[3..].iter().all(|value| *value == Loose::Other));
    }

    #[test]
    fn of_long_lists_the_beginning_and_the_end_are_kept() {
        let long: String = (0..1_000).map(|n| format!("{n},")).collect();
        let few: Few<u32> = serde_json::from_str(&format!("[{long}1000]")).unwrap();
        assert_eq!(few.count(), 1_001);
        assert_eq!(few.iter().count(), FEW + 1);
        assert_eq!((few.iter().next(), few.iter().next_back()), (Some(&0), Some(&1_000)));
        let none: Few<u32> = serde_json::from_str("null").unwrap();
        assert_eq!(none.count(), 0);
    }
}
