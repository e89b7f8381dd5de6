//! Keeps inherited file descriptors away from the command.
//!
//! The one place with `unsafe`: a descriptor that somebody else opened and that we only know by
//! number cannot be touched in safe Rust.
#![allow(unsafe_code)]

use std::fs;
use std::os::fd::BorrowedFd;

use rustix::io::{FdFlags, fcntl_setfd};

/// Marks every descriptor above stderr close-on-exec, so that a program started from here sees
/// only 0, 1 and 2, whatever a shell or a library left open in our parents.
pub(super) fn keep_from_children() {
    let Ok(entries) = fs::read_dir("/proc/self/fd") else { return };
    let numbers = entries
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok())
        .filter(|number| *number > 2);
    for number in numbers {
        // SAFETY: the number is not -1, and the borrow lives for this one call, which changes a
        // flag and neither reads, writes nor closes. The listing's own descriptor is among them
        // and already has the flag; on a number closed meanwhile the call fails with EBADF.
        let fd = unsafe { BorrowedFd::borrow_raw(number) };
        let _ = fcntl_setfd(fd, FdFlags::CLOEXEC);
    }
}
