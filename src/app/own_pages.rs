//! Lets go of the program's own pages.
//!
//! Touching a function maps the sixteen pages around it, so a daemon that has read its pipelines and
//! opened its store is resident with most of the program's file, of which it needs little while it
//! waits. The pages are the file's: nothing is written and nothing is lost, and what is needed again is
//! mapped again, usually from memory.

use std::fs;
use std::io;
use std::ops::Range;

/// Lets go of them. To be called now and then by a program that waits most of the time.
///
/// # Errors
/// When the kernel does not tell what is mapped, or does not let go of it.
#[allow(unsafe_code)] // There is no safe way to ask for it.
pub fn let_go() -> io::Result<()> {
    let program = fs::read_link("/proc/self/exe")?;
    let maps = fs::read_to_string("/proc/self/maps")?;
    for range in unwritten(&maps, &program.to_string_lossy()) {
        let address = std::ptr::with_exposed_provenance_mut(range.start);
        // SAFETY: the mapping is the program's file, which cannot be written to through it, and never
        // was: the loader changes other parts only. So the kernel maps the same bytes again.
        if unsafe { libc::madvise(address, range.len(), libc::MADV_DONTNEED) } != 0 {
            return Err(io::Error::last_os_error());
        }
    }
    Ok(())
}

/// Where a program's file is mapped as it is: its code, and what stands before all that the loader
/// fills in. (Read-only data behind it was filled in before it became read-only.)
fn unwritten(maps: &str, program: &str) -> Vec<Range<usize>> {
    maps.lines().filter_map(|line| unwritten_range(line, program)).collect()
}

/// One line of proc_pid_maps(5).
fn unwritten_range(line: &str, program: &str) -> Option<Range<usize>> {
    let mut fields = line.splitn(6, ' ');
    let (start, end) = fields.next()?.split_once('-')?;
    let (mode, offset) = (fields.next()?, fields.next()?);
    let is_unwritten = match mode {
        "r-xp" => true,
        "r--p" => offset.bytes().all(|digit| digit == b'0'),
        _ => false,
    };
    let path = fields.nth(2)?.trim_start();
    let number = |text| usize::from_str_radix(text, 16).ok();
    (is_unwritten && path == program).then_some(number(start)?..number(end)?)
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    const MAPS: &str = "\
55d0c0000000-55d0c08f8000 r--p 00000000 fe:00 131 /opt/my andon/andon
55d0c08f8000-55d0c2099000 r-xp 008f7000 fe:00 131 /opt/my andon/andon
55d0c2099000-55d0c2171000 r--p 02097000 fe:00 131 /opt/my andon/andon
55d0c2172000-55d0c217e000 rw-p 0216f000 fe:00 131 /opt/my andon/andon
55d0c2200000-55d0c2221000 rw-p 00000000 00:00 0 [heap]
7f5a10000000-7f5a10026000 r--p 00000000 fe:00 77 /usr/lib/libc.so.6
7f5a10026000-7f5a1017d000 r-xp 00026000 fe:00 77 /usr/lib/libc.so.6
7ffd2a5f8000-7ffd2a5fa000 r-xp 00000000 00:00 0 [vdso]
";

    #[test]
    fn only_what_the_loader_never_fills_in_is_let_go() {
        let expected = [0x55d0_c000_0000..0x55d0_c08f_8000, 0x55d0_c08f_8000..0x55d0_c209_9000];
        assert_eq!(unwritten(MAPS, "/opt/my andon/andon"), expected);
        assert!(unwritten(MAPS, "/opt/other").is_empty());
        assert!(unwritten("", "/opt/my andon/andon").is_empty());
    }

    #[test]
    fn the_program_goes_on_without_them() {
        let before = fs::read_to_string("/proc/self/maps").unwrap();
        let program = fs::read_link("/proc/self/exe").unwrap();
        assert!(!unwritten(&before, &program.to_string_lossy()).is_empty());
        let_go().unwrap();
        assert_eq!("still here".len(), 10);
    }
}
