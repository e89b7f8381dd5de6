//! What is news, and its delivery.
//!
//! What is news for whom is decided purely ([`finished`], [`started`], [`held`], [`silence`]) and
//! stored with the very append that made it so; what is stored holds no secret. Reports that are to be pushed
//! go the same way. A [`Deliverer`] takes it from there, off the path of any cycle: each target in its order, at least once, with
//! the same key each time. Nothing here changes a verdict.

mod alarm;
mod body;
mod channel;
mod circle;
mod comment;
mod deliver;
mod disk;
mod fate;
mod forge;
mod gave_up;
mod http;
mod link;
mod mail;
mod message;
mod news;
mod notebook;
mod publish;
mod send;
mod status;
mod unnoted;
mod waits;
mod webhook;

pub use alarm::{List, Listener, Quiet, Silence, silence, watch_silence};
pub use body::{Body, StatusState};
pub use channel::target_of;
pub use circle::went_round;
pub use deliver::{Deliverer, Find, Left, Parts, Served, Wake, WallTime};
pub use disk::{DISK_KEYS, no_room, room_again, since_of, without_end};
pub use gave_up::gave_up;
pub use link::Pages;
pub use message::Notice;
pub use news::{Earlier, ends_of_pending, finished, held, pending_keys, started};
pub use publish::{Publish, PublishRequest, Publishing, Unpublished};
pub use waits::{Hears, hears, shows_statuses, waits};
