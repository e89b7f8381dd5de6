//! Bytes both ways between two sockets, counted.
//!
//! A way that is idle holds no buffer: bytes are read into one buffer for each thread, and only what the
//! other side does not take at once is kept, until it does. So a thousand idle tunnels cost their
//! sockets and little more.
//!
//! What it must not do: end one way because the other has ended. Half a connection is in use by some
//! protocols.

use std::cell::RefCell;
use std::io;

use bytes::Bytes;
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};

use super::record::{Meter, Way};

/// How much is read at once.
const CHUNK: usize = 64 * 1024;

/// How many reads one way may do before others have their turn.
const TURNS: u32 = 16;

thread_local! {
    static BUFFER: RefCell<Vec<u8>> = RefCell::new(vec![0; CHUNK]);
}

/// What was read of each side before the pumping began.
pub(super) struct Ahead {
    /// From the client.
    pub(super) to_host: Bytes,
    /// From the host, counted already.
    pub(super) to_client: Bytes,
}

/// Moves bytes until both sides have ended, or one fails.
pub(super) async fn pump(mut client: TcpStream, mut host: TcpStream, ahead: Ahead, meter: &Meter) {
    let (client_reads, mut client_writes) = client.split();
    let (host_reads, mut host_writes) = host.split();
    let up = async {
        if !ahead.to_host.is_empty() {
            host_writes.write_all(&ahead.to_host).await?;
            meter.moved(Way::Sent, ahead.to_host.len());
        }
        one_way(&client_reads, &mut host_writes, meter, Way::Sent).await
    };
    let down = async {
        client_writes.write_all(&ahead.to_client).await?;
        one_way(&host_reads, &mut client_writes, meter, Way::Received).await
    };
    // A side that fails takes the other with it, as the socket does.
    let _ = tokio::try_join!(up, down);
}

/// What came of one look at a socket.
enum Step {
    /// All that was there has gone on.
    Moved,
    /// Some of it has not: the other side is slow.
    Kept(Vec<u8>),
    /// Nothing is there yet.
    Waiting,
    /// The side has ended.
    Ended,
}

async fn one_way(
    from: &ReadHalf<'_>,
    to: &mut WriteHalf<'_>,
    meter: &Meter,
    way: Way,
) -> io::Result<()> {
    let mut turns = 0;
    loop {
        match step(from, to, meter, way)? {
            Step::Moved => {
                turns += 1;
                if turns >= TURNS {
                    turns = 0;
                    tokio::task::yield_now().await;
                }
            }
            Step::Kept(rest) => to.write_all(&rest).await?,
            Step::Waiting => {
                turns = 0;
                from.readable().await?;
            }
            Step::Ended => return to.shutdown().await,
        }
    }
}

fn step(from: &ReadHalf<'_>, to: &WriteHalf<'_>, meter: &Meter, way: Way) -> io::Result<Step> {
    BUFFER.with_borrow_mut(|buffer| {
        let read = match from.try_read(buffer) {
            Ok(0) => return Ok(Step::Ended),
            Ok(read) => read,
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => return Ok(Step::Waiting),
            Err(error) => return Err(error),
        };
        meter.moved(way, read);
        let mut written = 0;
        while written < read {
            match to.try_write(&buffer[written..read]) {
                Ok(more) => written += more,
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => {
                    return Ok(Step::Kept(buffer[written..read].to_vec()));
                }
                Err(error) => return Err(error),
            }
        }
        Ok(Step::Moved)
    })
}
