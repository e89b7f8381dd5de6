//! A body that is checked while it comes: a short one stays in memory, a long one goes into a file
//! without a name, so that nobody can fill memory by sending much.

use std::io::{Seek as _, SeekFrom};

use axum::body::Body;
use futures_util::StreamExt as _;
use tokio::fs::File;
use tokio::io::AsyncWriteExt as _;

use super::payload::{Payload, PayloadError};
use crate::domain::errors::chain;
use crate::web::call::{BODY_TIME, cut_off, too_large, too_slow};
use crate::web::problem::Problem;

/// What is longer goes into a file.
const IN_MEMORY: usize = 256 << 10;

/// A body that is here.
pub(super) enum Spooled {
    Memory(Vec<u8>),
    File(File),
}

impl Spooled {
    /// Reads a body, and shows each piece to `see`.
    pub(super) async fn read(
        body: Body,
        limit: usize,
        mut see: impl FnMut(&[u8]),
    ) -> Result<Self, Problem> {
        let reading = async {
            let mut stream = body.into_data_stream();
            let (mut spooled, mut length) = (Self::Memory(Vec::new()), 0);
            while let Some(chunk) = stream.next().await {
                let chunk = chunk.map_err(|fault| cut_off(&fault))?;
                length += chunk.len();
                if length > limit {
                    return Err(too_large(limit));
                }
                see(&chunk);
                spooled = spooled.with(&chunk).await.map_err(|fault| no_room(&fault))?;
            }
            Ok(spooled)
        };
        tokio::time::timeout(BODY_TIME, reading).await.unwrap_or_else(|_| Err(too_slow()))
    }

    async fn with(self, chunk: &[u8]) -> std::io::Result<Self> {
        let mut file = match self {
            Self::Memory(mut bytes) if bytes.len() + chunk.len() <= IN_MEMORY => {
                bytes.extend_from_slice(chunk);
                return Ok(Self::Memory(bytes));
            }
            Self::Memory(bytes) => {
                let made = tokio::task::spawn_blocking(tempfile::tempfile).await;
                let mut file = File::from_std(made.map_err(std::io::Error::other)??);
                file.write_all(&bytes).await?;
                file
            }
            Self::File(file) => file,
        };
        file.write_all(chunk).await?;
        Ok(Self::File(file))
    }

    /// Reads what is in it.
    pub(super) async fn parse(self) -> Result<Payload, Problem> {
        let parsed = match self {
            Self::Memory(bytes) => read(&bytes),
            Self::File(mut file) => {
                file.flush().await.map_err(|fault| no_room(&fault))?;
                let mut file = file.into_std().await;
                let reading = tokio::task::spawn_blocking(move || {
                    file.seek(SeekFrom::Start(0)).map(|_| Payload::read(file))
                });
                let read = reading.await.map_err(std::io::Error::other).and_then(|read| read);
                read.map_err(|fault| no_room(&fault))?
            }
        };
        parsed.map_err(|fault| Problem::bad_request(chain(&fault)))
    }
}

/// A hook of a kind that names its pipeline may say nothing.
fn read(bytes: &[u8]) -> Result<Payload, PayloadError> {
    if bytes.trim_ascii().is_empty() { Ok(Payload::default()) } else { Payload::read(bytes) }
}

fn no_room(fault: &std::io::Error) -> Problem {
    tracing::error!("the body of a webhook cannot be kept: {fault}");
    Problem::unavailable("the body cannot be kept; nothing was taken")
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    async fn read(parts: Vec<Vec<u8>>) -> Result<(Spooled, usize), Problem> {
        let parts = parts.into_iter().map(Ok::<_, std::io::Error>);
        let body = Body::from_stream(futures_util::stream::iter(parts));
        let mut seen = 0;
        let spooled = Spooled::read(body, 1 << 20, |chunk| seen += chunk.len()).await?;
        Ok((spooled, seen))
    }

    #[tokio::test]
    async fn a_long_body_is_in_a_file_and_reads_the_same() {
        let head = br#"{"repository":"https://h/a/b","x":""#.to_vec();
        let filler = vec![b'x'; 100 << 10];
        let parts = vec![head, filler.clone(), filler.clone(), filler, b"\"}".to_vec()];
        let whole: usize = parts.iter().map(Vec::len).sum();
        let (spooled, seen) = read(parts).await.unwrap();
        assert_eq!(seen, whole);
        assert!(matches!(spooled, Spooled::File(_)));
        let payload = spooled.parse().await.unwrap();
        assert!(payload.is_about(&super::super::Address::parse("https://h/a/b.git")));
    }

    #[tokio::test]
    async fn a_body_that_is_too_long_is_not_read_on() {
        let parts = vec![vec![b'x'; 512 << 10]; 3];
        let refused = read(parts).await.err().unwrap();
        assert_eq!(refused.status(), http::StatusCode::PAYLOAD_TOO_LARGE);
    }

    #[tokio::test]
    async fn nothing_at_all_is_about_nothing() {
        let (spooled, _) = read(vec![b" \n".to_vec()]).await.unwrap();
        spooled.parse().await.unwrap();
    }
}
