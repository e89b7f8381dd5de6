//! Fetches, resolves, lists and exports git commits, and pushes reports, on blocking threads.
//!
//! A [`Mirror`] is a bare copy of one watched repository. What the remote says decides: a fetch
//! makes the mirror's branches and tags equal to the remote's, also after a forced push.
//! A checkout is written by this module itself, object by object, so nothing that a repository
//! contains can run or reach out of its folder: there are no hooks, filters, submodules or
//! large-file downloads here to be tricked.
//!
//! This module must not run a shell, follow a redirect to another host, take credentials from
//! anywhere but [`Auth`], or interpret a name that came from a repository.

mod advertisement;
mod arrivals;
mod auth;
mod checkout;
mod child;
mod client;
mod deadline;
mod error;
mod export;
mod fetch;
mod helper;
mod history;
mod http;
mod local;
mod lock;
mod look;
mod mirror;
mod names;
mod packs;
mod publish;
mod push;
mod ref_files;
mod refs;
mod revision;
mod session;
mod ssh;
mod symlinks;
mod text;
mod trailers;
mod url;

pub use arrivals::{ArrivalLimits, Moved};
pub use auth::{Auth, LoginSecrets};
pub use checkout::{Checkout, CheckoutLimits, SkipReason, Skipped};
pub use error::{Absent, Error, ErrorKind};
pub use fetch::Fetched;
pub use history::{Parents, RangeLimits};
pub use local::{enclosing, missing_here};
pub use look::{Branches, Looked, RefsPrint};
pub use mirror::{Mirror, MirrorOptions};
pub use publish::{Keeps, Publication, Published, PublishedFile};
pub use revision::{RevisionSpec, Tip};
pub use trailers::Trailered;
pub use url::{RepoUrl, UrlSource};
