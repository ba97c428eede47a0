//! io_uring, whose rings the guest and the host's kernel share.
//!
//! Requests go to the host as they are, but for `IORING_OP_EPOLL_CTL`: its event is
//! packed on the host ([`epoll`]). So this end maps each ring a second time, and for the
//! time of `io_uring_enter` such requests point to converted events; the kernel copies
//! them before the call returns. A ring that a thread of the kernel polls
//! (`IORING_SETUP_SQPOLL`) gives no such time.

use crate::abi::epoll;
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::{Errno, guest, raw};
use std::collections::BTreeMap;

/// `IORING_OP_EPOLL_CTL` (`linux/io_uring.h`).
const EPOLL_CTL: u8 = 29;
const SETUP_SQPOLL: u32 = 1 << 1;
const SETUP_SQE128: u32 = 1 << 10;
const SETUP_NO_MMAP: u32 = 1 << 14;
const SETUP_NO_SQARRAY: u32 = 1 << 16;
const OFF_SQ_RING: u64 = 0;
const OFF_SQES: u64 = 0x1000_0000;
/// `IORING_ENTER_REGISTERED_RING`: the descriptor is an index of another table.
const REGISTERED_RING: u64 = 1 << 4;

/// Words of 32 bits in `struct io_uring_params`.
const PARAMS: usize = 30;

/// Offsets in a request, in bytes.
mod request {
    pub const OPCODE: u64 = 0;
    pub const ADDR: u64 = 16;
    pub const LEN: u64 = 24;
}

/// Rings by descriptor.
pub(crate) type Rings = BTreeMap<i32, Ring>;

/// A ring as this end has it mapped.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Ring {
    /// Addresses of the indices and of the array of requests' numbers, if there is one.
    head: u64,
    tail: u64,
    array: Option<u64>,
    /// Address of the requests, and bytes of each.
    requests: u64,
    request_bytes: u64,
    mask: u32,
    /// What is to be unmapped when the ring is gone: address and length.
    mapped: [(u64, u64); 2],
}

/// `io_uring_setup(entries, params)`.
pub(crate) fn io_uring_setup(task: &mut Task, args: Args) -> SysResult {
    let fd = raw::check(raw::guarded(libc::SYS_io_uring_setup, args))?;
    let mut words = [0u32; PARAMS];
    for (index, word) in words.iter_mut().enumerate() {
        let bytes = guest::read_array::<4>(args[1].wrapping_add(4 * index as u64))?;
        *word = u32::from_le_bytes(bytes);
    }
    let ring = Ring::new(fd, &words);
    let mut rings = task.process.rings.lock();
    // A descriptor that is given out again was closed.
    let old = match ring {
        Some(ring) => rings.insert(fd as i32, ring),
        None => rings.remove(&(fd as i32)),
    };
    if let Some(old) = old {
        old.unmap();
    }
    Ok(fd)
}

impl Ring {
    /// The ring that the kernel has described; none if it cannot be looked at in time.
    fn new(fd: u64, words: &[u32; PARAMS]) -> Option<Self> {
        let [entries, flags] = [words[0], words[2]];
        let [head, tail, mask, array] = [10, 11, 12, 16].map(|index| u64::from(words[index]));
        let wide = |index: usize| u64::from(words[index]) | u64::from(words[index + 1]) << 32;
        if flags & SETUP_SQPOLL != 0 {
            return None;
        }
        let request_bytes = if flags & SETUP_SQE128 != 0 { 128 } else { 64 };
        let has_array = flags & SETUP_NO_SQARRAY == 0;
        let (ring, requests, mapped) = if flags & SETUP_NO_MMAP != 0 {
            (wide(28), wide(18), [(0, 0); 2])
        } else {
            let ends =
                [head, tail, mask, if has_array { array + 4 * u64::from(entries) } else { 0 }];
            let ring_len = ends.into_iter().max()? + 4;
            let requests_len = u64::from(entries) * request_bytes;
            let ring = map(fd, OFF_SQ_RING, ring_len)?;
            let Some(requests) = map(fd, OFF_SQES, requests_len) else {
                unmap((ring, ring_len));
                return None;
            };
            (ring, requests, [(ring, ring_len), (requests, requests_len)])
        };
        Some(Self {
            head: ring + head,
            tail: ring + tail,
            array: has_array.then_some(ring + array),
            requests,
            request_bytes,
            mask: word(ring + mask).ok()?,
            mapped,
        })
    }

    fn unmap(self) {
        self.mapped.into_iter().filter(|(_, len)| *len > 0).for_each(unmap);
    }

    /// The address of the request at a position in the queue.
    fn request(&self, position: u32) -> Result<Option<u64>, Errno> {
        let index = position & self.mask;
        let number = match self.array {
            Some(array) => word(array + 4 * u64::from(index))?,
            None => index,
        };
        let known = number <= self.mask;
        Ok(known.then(|| self.requests + u64::from(number) * self.request_bytes))
    }
}

fn word(at: u64) -> Result<u32, Errno> {
    guest::read_array(at).map(u32::from_le_bytes)
}

fn map(fd: u64, offset: u64, len: u64) -> Option<u64> {
    let protection = (libc::PROT_READ | libc::PROT_WRITE) as u64;
    raw::call(libc::SYS_mmap, &[0, len, protection, libc::MAP_SHARED as u64, fd, offset]).ok()
}

fn unmap((address, len): (u64, u64)) {
    // The mapping is the VM's own; if the host keeps it, only addresses are lost.
    let _ = raw::call(libc::SYS_munmap, &[address, len]);
}

/// A request whose event was replaced: where the event's address stands, what was there.
struct Replaced {
    position: u32,
    at: u64,
    address: u64,
}

/// `io_uring_enter(fd, to_submit, min_complete, flags, arg, size)`.
pub(crate) fn io_uring_enter(task: &mut Task, args: Args) -> SysResult {
    let enter = || raw::check(raw::guarded(libc::SYS_io_uring_enter, args));
    let [fd, submit, _, flags, ..] = args;
    if submit as u32 == 0 || flags & REGISTERED_RING != 0 {
        return enter();
    }
    let Some(ring) = task.process.rings.lock().get(&(fd as i32)).copied() else {
        return enter();
    };
    let mut events: Vec<[u8; epoll::HOST_SIZE]> = Vec::new();
    let mut replaced = Vec::new();
    // A ring that cannot be read has been unmapped with its descriptor: the host knows.
    let _ = replace_events(&ring, submit as u32, &mut events, &mut replaced);
    let result = enter();
    if !replaced.is_empty() {
        let head = word(ring.head)?;
        // What was taken is the guest's to use again.
        for Replaced { position, at, address } in replaced {
            if position.wrapping_sub(head) as i32 >= 0 {
                guest::write(at, &address.to_le_bytes())?;
            }
        }
    }
    result
}

fn replace_events(
    ring: &Ring,
    submit: u32,
    events: &mut Vec<[u8; epoll::HOST_SIZE]>,
    replaced: &mut Vec<Replaced>,
) -> Result<(), Errno> {
    let (head, tail) = (word(ring.head)?, word(ring.tail)?);
    let count = submit.min(tail.wrapping_sub(head)).min(ring.mask + 1);
    for position in (0..count).map(|index| head.wrapping_add(index)) {
        let Some(request) = ring.request(position)? else { continue };
        let [opcode] = guest::read_array(request + request::OPCODE)?;
        let operation = word(request + request::LEN)? as i32;
        if opcode != EPOLL_CTL || operation == libc::EPOLL_CTL_DEL {
            continue;
        }
        let at = request + request::ADDR;
        let address = guest::read_u64(at)?;
        // One that cannot be read is refused by the host, too.
        let Ok(event) = guest::read_array::<{ epoll::GUEST_SIZE }>(address) else { continue };
        if events.is_empty() {
            // They must not move: requests point to them.
            events.reserve_exact(count as usize);
        }
        events.push(epoll::to_host(&event));
        let converted = events.as_ptr_range().end as u64 - epoll::HOST_SIZE as u64;
        guest::write(at, &converted.to_le_bytes())?;
        replaced.push(Replaced { position, at, address });
    }
    Ok(())
}
