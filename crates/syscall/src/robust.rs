//! Robust futexes of a thread that ends (kernel: `Documentation/locking/robust-futexes.rst`).
//!
//! When a thread is killed, the host's kernel walks its list. When it ends by itself,
//! the guest may take back the memory of the list as soon as it hears of that, which is
//! before the host's thread is gone: so the list is walked here.

use crate::{guest, raw};
use rvrun_memory::access;

/// Bytes of `struct robust_list_head`.
const HEAD_BYTES: u64 = 24;
/// Entries that are looked at (`ROBUST_LIST_LIMIT`).
const LIMIT: usize = 2048;
const FUTEX_WAITERS: u32 = 0x8000_0000;
const FUTEX_OWNER_DIED: u32 = 0x4000_0000;
const FUTEX_TID_MASK: u32 = 0x3fff_ffff;
/// Set in a pointer to an entry with priority inheritance.
const PI: u64 = 1;

/// Forgets the list that the host's C library has for its thread.
pub(crate) fn reset() {
    raw::syscall(libc::SYS_set_robust_list, [0, HEAD_BYTES, 0, 0, 0, 0]);
}

/// Marks the futexes that the calling thread holds as left by their owner, and wakes
/// one that waits for each.
pub(crate) fn give_up() {
    let (mut head, mut len) = (0u64, 0u64);
    let places = [0, (&raw mut head) as u64, (&raw mut len) as u64, 0, 0, 0];
    if raw::check(raw::syscall(libc::SYS_get_robust_list, places)).is_err() || head == 0 {
        return;
    }
    reset();
    // What cannot be read ends the walk, as in the kernel.
    let _ = walk(head);
}

fn walk(head: u64) -> Result<(), crate::Errno> {
    let [first, offset, pending] = [0, 8, 16].map(|at| guest::read_u64(head.wrapping_add(at)));
    let (mut entry, offset, pending) = (first?, offset?, pending?);
    for _ in 0..LIMIT {
        if entry & !PI == head {
            break;
        }
        let next = guest::read_u64(entry & !PI);
        if entry & !PI != pending & !PI {
            leave(entry, offset, false)?;
        }
        entry = next?;
    }
    if pending != 0 { leave(pending, offset, true) } else { Ok(()) }
}

/// `handle_futex_death`. An operation that is pending may have set the word already,
/// or not yet.
fn leave(entry: u64, offset: u64, pending: bool) -> Result<(), crate::Errno> {
    let word = (entry & !PI).wrapping_add(offset);
    if !word.is_multiple_of(4) {
        return Ok(());
    }
    let own = raw::syscall(libc::SYS_gettid, [0; 6]) as u32;
    loop {
        let mut bytes = [0; 4];
        guest::read(word, &mut bytes)?;
        let value = u32::from_le_bytes(bytes);
        if pending && entry & PI == 0 && value == 0 {
            wake(word);
            return Ok(());
        }
        if value & FUTEX_TID_MASK != own {
            return Ok(());
        }
        let new = value & FUTEX_WAITERS | FUTEX_OWNER_DIED;
        let mut old = 0;
        access::compare_exchange_u32(word, value.into(), new.into(), &mut old)
            .map_err(|_| crate::Errno(libc::EFAULT))?;
        if old as u32 == value {
            if entry & PI == 0 && value & FUTEX_WAITERS != 0 {
                wake(word);
            }
            return Ok(());
        }
    }
}

fn wake(word: u64) {
    raw::syscall(libc::SYS_futex, [word, libc::FUTEX_WAKE as u64, 1, 0, 0, 0]);
}
