//! JUnit XML, in the dialects of many tools and in the states in which they leave it.
//!
//! There is no one specification; what the elements and attributes mean here was learnt from the files of some
//! forty tools. Cases are counted, never believed from totals. A damaged document gives the cases that were
//! closed, and those open ones that had failed already: an open one is never called passed.
//!
//! What it must not do: resolve anything outside the file (`xml` knows no DTD), or merge cases.

mod case;
mod dialect;
mod documents;
mod element;
mod stated;

use std::io::BufRead;

use super::case::{Reading, Sink};
use super::error::Unreadable;
use super::xml::{Token, Tokens, Wanted};

use documents::Documents;
use element::Element;

/// The elements at which a document may begin. A case alone is one too: some tools write no suite.
pub(super) const ROOTS: &[&str] = &["testsuites", "testsuite", "testcase"];

/// Reads the cases of a file.
pub(super) fn read(input: &mut dyn BufRead, sink: &mut dyn Sink) -> Result<Reading, Unreadable> {
    let mut tokens = Tokens::new(input);
    let mut documents = Documents::new(sink);
    tokens.want(Wanted::Only(ROOTS));
    while let Some(token) = tokens.next()? {
        let output = match token {
            Token::Text(text) => {
                documents.text(text);
                continue;
            }
            Token::Start(tag) => documents.start(&tag)?,
            Token::End(name) => {
                documents.end(Element::of(name));
                None
            }
            Token::Declaration => {
                documents.restart();
                None
            }
        };
        if let Some(damage) = tokens.take_damage() {
            documents.damaged(damage);
        }
        if documents.has_unplaced() {
            documents.place(tokens.line());
        }
        if let Some(name) = output {
            tokens.skip_output(name)?;
        }
        tokens.want(documents.wanted());
    }
    let line = tokens.line();
    documents.finish(tokens.unfinished(), line)
}

#[cfg(test)]
mod tests;
