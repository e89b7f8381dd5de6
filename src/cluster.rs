//! Failures → fingerprints → groups, each with the cause that the records suggest.
//!
//! A fingerprint says what a failure *is*, so that one cause has one identity across cases and
//! cycles. It is made of the class of the failure and, by class, of these parts, each without what
//! varies ([`normalise()`]):
//!
//! - **What the step did** stands for the step: method and route (`GET /api/messages/{id}`, `WS /ws`).
//!   The step's *name* is the author's wording: five cases call the step that opens their socket by
//!   five names, and when every socket is closed with 1008 that is one cause and must be one cluster.
//!   404 on two routes stays two. Only where the evidence shows no exchange does the name count.
//! - Where nothing got as far as a route (the host refused, did not resolve, its TLS broke), the host
//!   counts and the route does not. A 401 for an identity that should do is about the identity, so
//!   there the route does not count either.
//! - **Statuses and close codes** always count; with a close, also its reason. How many events had
//!   come before does not.
//! - **The assertion** counts as the author wrote it (subject and expectation); of the value that
//!   came instead only its kind does.
//! - **Missing events** count by name.
//! - Failures that other tools report count by their message.
//!
//! What it must not do: decide what became of a case (`diff`), or write a cause that nobody saw: it
//! only tells which of our own things had changed when the failure began.

mod cause;
mod code;
mod group;
mod identity;
mod normalise;
mod route;
mod scene;
mod title;
mod word;
mod writer;

pub use group::{Grouping, group, ranges_needed};
pub use identity::{FINGERPRINT_VERSION, fingerprint, fingerprint_of};
pub use normalise::{MAX_BYTES, normalise};
pub use title::slug_of;
