//! Checks that look at more than one place: ids and needs of a suite, statuses that cannot fail.

pub(crate) mod any_status;
pub(crate) mod cases;
