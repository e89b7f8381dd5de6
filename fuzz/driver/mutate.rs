//! Makes inputs of seeds.

use crate::random::Random;

/// No input is longer; what a longer one shows, this one shows.
const LONGEST: usize = 192 << 10;
/// Pieces that are repeated or nested are no longer, most of the time.
const PIECE: usize = 64;

pub struct Mutator {
    random: Random,
    words: &'static [&'static str],
}

impl Mutator {
    pub fn new(random: Random, words: &'static [&'static str]) -> Self {
        Self { random, words }
    }

    /// A seed that was changed in one to eight ways.
    pub fn input(&mut self, seeds: &[Vec<u8>]) -> Vec<u8> {
        let mut bytes = self.random.of(seeds).clone();
        for _ in 0..=self.random.below(8) {
            self.change(&mut bytes, seeds);
            bytes.truncate(LONGEST);
        }
        bytes
    }

    fn change(&mut self, bytes: &mut Vec<u8>, seeds: &[Vec<u8>]) {
        let random = &mut self.random;
        match random.below(10) {
            0 => bytes.truncate(random.below(bytes.len() + 1)),
            1 => {
                let cut = random.range(bytes.len());
                bytes.drain(cut);
            }
            2 => {
                // The end of one on the beginning of another.
                let other = random.of(seeds);
                let from = random.below(other.len() + 1);
                bytes.truncate(random.below(bytes.len() + 1));
                bytes.extend_from_slice(&other[from..]);
            }
            3 => {
                let other = random.of(seeds);
                let piece = other[random.range(other.len())].to_vec();
                self.insert(bytes, &piece);
            }
            4 | 5 => {
                for _ in 0..=random.below(6) {
                    if !bytes.is_empty() {
                        let at = random.below(bytes.len());
                        bytes[at] ^= 1 << random.below(8);
                    }
                }
            }
            6 => self.repeat(bytes),
            7 => self.nest(bytes),
            _ => {
                let word = random.of(self.words).as_bytes().to_vec();
                self.insert(bytes, &word);
            }
        }
    }

    fn insert(&mut self, bytes: &mut Vec<u8>, piece: &[u8]) {
        let at = self.random.below(bytes.len() + 1);
        bytes.splice(at..at, piece.iter().copied());
    }

    /// The same piece, again and again.
    fn repeat(&mut self, bytes: &mut Vec<u8>) {
        let mut piece = self.random.range(bytes.len());
        piece.end = piece.end.min(piece.start + PIECE);
        let times = self.times(12);
        let repeated = bytes[piece.clone()].repeat(times);
        bytes.splice(piece.end..piece.end, repeated);
    }

    /// A piece before what it encloses, as often as another one behind it.
    fn nest(&mut self, bytes: &mut Vec<u8>) {
        let (open, close) = (self.piece(bytes), self.piece(bytes));
        let times = self.times(11);
        let within = self.random.range(bytes.len());
        bytes.splice(within.end..within.end, close.repeat(times));
        bytes.splice(within.start..within.start, open.repeat(times));
    }

    /// Seldom often: most inputs are to be small, so that there are many.
    fn times(&mut self, most: usize) -> usize {
        let exponent = self.random.below(most) + 1;
        1 << self.random.below(exponent)
    }

    fn piece(&mut self, bytes: &[u8]) -> Vec<u8> {
        if self.random.below(2) == 0 {
            return self.random.of(self.words).as_bytes().to_vec();
        }
        let mut piece = self.random.range(bytes.len());
        piece.end = piece.end.min(piece.start + PIECE);
        bytes[piece].to_vec()
    }
}
