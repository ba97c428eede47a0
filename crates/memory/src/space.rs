//! The guest's mappings and the calls that change them.
//!
//! Methods named after system calls behave as those do on riscv64, errors
//! included, except that they act on the guest's own mappings only. Each holds
//! the lock over its host call, so that map and host never disagree.

use crate::code_log::CodeLog;
use crate::fault::{AccessKind, Fault, FaultCause};
use crate::host_maps::{self, Mapping};
use crate::regions::{Attributes, Regions};
use crate::usage::{self, Usage};
use crate::{Errno, GuestAddr, PAGE, TASK_SIZE, access, raw};
use rvrun_host::lock::RwLock;
use rvrun_host::watch::{Area, Watch};
use std::ops::Range;
use std::os::fd::BorrowedFd;
use std::path::PathBuf;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, OnceLock};

use libc::{EFAULT, EINVAL, ENOMEM};
use libc::{MAP_ANONYMOUS, MAP_FIXED, MAP_FIXED_NOREPLACE, MAP_NORESERVE, MAP_PRIVATE};
use libc::{
    MAP_SHARED, MREMAP_DONTUNMAP, MREMAP_FIXED, PROT_EXEC, PROT_NONE, PROT_READ, PROT_WRITE,
};

/// An x86 flag; riscv64 ignores the bit.
const MAP_32BIT: i32 = 0x40;

/// The guest's address space.
pub struct AddressSpace {
    state: RwLock<State>,
    code_epoch: AtomicU64,
    /// Gives files that code is mapped from a number.
    namer: OnceLock<Namer>,
}

/// Gives an open file a number by which others know it; the same one for the
/// same contents. None if they do not want to know of it.
pub type Namer = Box<dyn Fn(BorrowedFd) -> Option<u32> + Send + Sync>;

/// Code that is mapped from a file.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CodeObject {
    /// The file's number, from the [`Namer`].
    pub number: u32,
    /// Where its first byte is, or would be if that was mapped.
    pub base: GuestAddr,
    /// Where the code is.
    pub range: Range<GuestAddr>,
}

/// A run of executable pages.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct CodeRegion {
    /// Its addresses.
    pub range: Range<GuestAddr>,
    /// Whether code there may change without the guest changing its mappings: the
    /// guest, or somebody who shares the memory, can write there.
    pub writable: bool,
    /// The number of the file that it is mapped from, and where that file's first byte is or would
    /// be, as of a [`CodeObject`].
    pub object: Option<(u32, GuestAddr)>,
}

#[derive(Default)]
struct State {
    regions: Regions,
    code: CodeLog,
    /// First address of the heap, and its current end.
    heap: Range<GuestAddr>,
    /// What is sealed, for good.
    sealed: Vec<Range<GuestAddr>>,
}

fn page_up(addr: u64) -> Option<u64> {
    addr.checked_next_multiple_of(PAGE)
}

fn aligned(addr: u64) -> Result<(), Errno> {
    if addr.is_multiple_of(PAGE) { Ok(()) } else { Err(Errno(EINVAL)) }
}

/// The pages from `addr` on that `len` bytes take; `error` if they are no user addresses.
fn pages(addr: GuestAddr, len: u64, error: i32) -> Result<Range<GuestAddr>, Errno> {
    let end = page_up(len).and_then(|len| addr.checked_add(len)).filter(|end| *end <= TASK_SIZE);
    end.map(|end| addr..end).ok_or(Errno(error))
}

/// What the host gets in place of the guest's protection: never executable, and
/// readable by the decoder where the guest may execute.
fn host_prot(prot: i32) -> i32 {
    if prot & PROT_EXEC == 0 { prot } else { prot & !PROT_EXEC | PROT_READ }
}

impl State {
    /// Runs `place`, which puts something over `range`, with all of `range` the
    /// guest's: what is not yet is reserved first, and given back if `place` fails.
    fn with_owned<T>(
        &mut self,
        range: Range<GuestAddr>,
        place: impl FnOnce(&mut Self) -> Result<T, Errno>,
    ) -> Result<T, Errno> {
        let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED_NOREPLACE;
        let mut reserved: Vec<Range<GuestAddr>> = Vec::new();
        let mut result = Ok(());
        for gap in self.regions.gaps(range) {
            match raw::mmap(gap.start, gap.end - gap.start, PROT_NONE, flags, -1, 0) {
                Ok(_) => reserved.push(gap),
                Err(Errno(libc::EEXIST)) => result = Err(Errno(ENOMEM)),
                Err(errno) => result = Err(errno),
            }
            if result.is_err() {
                break;
            }
        }
        let result = result.and_then(|()| place(self));
        if result.is_err() {
            for gap in reserved {
                // The reservation is ours and holds nothing; if the host keeps it, only addresses are lost.
                let _ = raw::munmap(gap.start, gap.end - gap.start);
            }
        }
        result
    }

    fn has_code(&self, range: Range<GuestAddr>) -> bool {
        self.regions.within(range).any(|(_, a)| a.prot & PROT_EXEC != 0)
    }
}

impl AddressSpace {
    /// An address space without any mappings.
    pub fn new() -> Self {
        Self { state: RwLock::default(), code_epoch: AtomicU64::new(0), namer: OnceLock::new() }
    }

    /// mmap(2). `label` names the mapping in [`mappings`](Self::mappings) where the host's kernel has no name.
    ///
    /// # Errors
    /// As mmap(2); `ENOMEM` also for a fixed place that holds memory of the VM.
    #[expect(clippy::too_many_arguments, reason = "it is mmap")]
    pub fn mmap(
        &self,
        addr: GuestAddr,
        len: u64,
        prot: i32,
        flags: i32,
        fd: i32,
        offset: u64,
        label: Option<Arc<str>>,
    ) -> Result<GuestAddr, Errno> {
        let flags = flags & !MAP_32BIT;
        if len == 0 || !offset.is_multiple_of(PAGE) {
            return Err(Errno(EINVAL));
        }
        let fixed = flags & (MAP_FIXED | MAP_FIXED_NOREPLACE) != 0;
        if fixed {
            aligned(addr)?;
        }
        let range = pages(if fixed { addr } else { 0 }, len, ENOMEM)?;
        let len = range.end - range.start;
        let map = |flags| raw::mmap(addr, len, host_prot(prot), flags, fd, offset);
        let mut state = self.state.write();
        let replaces_code = fixed && state.has_code(range.clone());
        let placed = if flags & MAP_FIXED_NOREPLACE != 0 {
            map(flags & !MAP_FIXED)?
        } else if fixed {
            state.with_owned(range, |_| map(flags))?
        } else {
            map(flags)?
        };
        let shared = flags & MAP_SHARED != 0;
        let is_code = prot & PROT_EXEC != 0 && flags & MAP_ANONYMOUS == 0;
        let namer = self.namer.get().filter(|_| is_code);
        let number = namer.and_then(|namer| raw::with_file(fd, namer));
        let object = number.map(|number| (number, placed.wrapping_sub(offset)));
        let attributes =
            Attributes { prot: prot & PROT_BITS, shared, label, segment: None, object };
        let placed_range = placed..placed + len;
        state.regions.insert(placed_range.clone(), attributes);
        if replaces_code || prot & PROT_EXEC != 0 {
            self.note_code(&mut state, placed_range);
        }
        Ok(placed)
    }

    /// munmap(2).
    ///
    /// # Errors
    /// As munmap(2).
    pub fn munmap(&self, addr: GuestAddr, len: u64) -> Result<(), Errno> {
        aligned(addr)?;
        let range = pages(addr, len, EINVAL)?;
        if range.is_empty() {
            return Err(Errno(EINVAL));
        }
        let mut state = self.state.write();
        self.unmap_owned(&mut state, range)
    }

    fn unmap_owned(&self, state: &mut State, range: Range<GuestAddr>) -> Result<(), Errno> {
        // All or nothing.
        if state.sealed.iter().any(|seal| seal.start < range.end && range.start < seal.end) {
            return Err(Errno(libc::EPERM));
        }
        let had_code = state.has_code(range.clone());
        let parts: Vec<_> = state.regions.within(range.clone()).map(|(part, _)| part).collect();
        for part in parts {
            raw::munmap(part.start, part.end - part.start)?;
            state.regions.remove(part);
        }
        if had_code {
            self.note_code(state, range);
        }
        Ok(())
    }

    /// mprotect(2).
    ///
    /// # Errors
    /// As mprotect(2); what lies before a hole is changed even if there is one.
    pub fn mprotect(&self, addr: GuestAddr, len: u64, prot: i32) -> Result<(), Errno> {
        aligned(addr)?;
        if prot & (libc::PROT_GROWSDOWN | libc::PROT_GROWSUP) != 0 {
            return Err(Errno(EINVAL));
        }
        let range = pages(addr, len, ENOMEM)?;
        let mut state = self.state.write();
        let end = state.regions.gaps(range.clone()).first().map_or(range.end, |gap| gap.start);
        let owned = range.start..end;
        let parts: Vec<_> = state.regions.within(owned.clone()).map(|(part, _)| part).collect();
        let code = prot & PROT_EXEC != 0 || state.has_code(owned.clone());
        for part in parts {
            raw::mprotect(part.start, part.end - part.start, host_prot(prot))?;
            state.regions.protect(part, prot & PROT_BITS);
        }
        if code && !owned.is_empty() {
            self.note_code(&mut state, owned);
        }
        if end == range.end { Ok(()) } else { Err(Errno(ENOMEM)) }
    }

    /// mremap(2).
    ///
    /// # Errors
    /// As mremap(2); `ENOMEM` also for a fixed place that holds memory of the VM.
    pub fn mremap(
        &self,
        old: GuestAddr,
        old_len: u64,
        new_len: u64,
        flags: i32,
        new: GuestAddr,
    ) -> Result<GuestAddr, Errno> {
        aligned(old)?;
        if new_len == 0 {
            return Err(Errno(EINVAL));
        }
        let moves = flags & libc::MREMAP_MAYMOVE != 0;
        if flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) != 0 && !moves {
            return Err(Errno(EINVAL));
        }
        let old_range = pages(old, old_len, EINVAL)?;
        let new_len = pages(0, new_len, EINVAL)?.end;
        let mut state = self.state.write();
        let Some((region, attributes)) = state.regions.at(old) else {
            return Err(Errno(EFAULT));
        };
        let mut attributes = attributes.clone();
        // What is to go may reach over the region's end.
        let kept = if flags & MREMAP_DONTUNMAP == 0 {
            (old + new_len).min(old_range.end)
        } else {
            old_range.end
        };
        if kept > region.end {
            return Err(Errno(EFAULT));
        }
        let in_place = flags & (MREMAP_FIXED | MREMAP_DONTUNMAP) == 0;
        if kept < old_range.end && in_place {
            self.unmap_owned(&mut state, kept..old_range.end)?;
            return Ok(old);
        }
        let move_it = || raw::mremap(old, kept - old, new_len, flags, new);
        let placed = if flags & MREMAP_FIXED != 0 {
            aligned(new)?;
            let target = pages(new, new_len, EINVAL)?;
            if target.start < old_range.end && old_range.start < target.end {
                return Err(Errno(EINVAL));
            }
            if kept < old_range.end {
                self.unmap_owned(&mut state, kept..old_range.end)?;
            }
            state.with_owned(target, |_| move_it())?
        } else {
            move_it()?
        };
        // A length of 0 duplicates a shared mapping.
        if flags & MREMAP_DONTUNMAP == 0 {
            state.regions.remove(old_range.clone());
        }
        let moved = |addr: GuestAddr| addr.wrapping_add(placed.wrapping_sub(old));
        attributes.segment = attributes.segment.map(moved);
        attributes.object = attributes.object.map(|(number, base)| (number, moved(base)));
        let code = attributes.prot & PROT_EXEC != 0 || state.has_code(placed..placed + new_len);
        state.regions.insert(placed..placed + new_len, attributes);
        if code {
            self.note_code(&mut state, old_range);
            self.note_code(&mut state, placed..placed + new_len);
        }
        Ok(placed)
    }

    /// madvise(2), on what `addr` and `len` have of the guest's mappings.
    ///
    /// # Errors
    /// As madvise(2).
    pub fn madvise(&self, addr: GuestAddr, len: u64, advice: i32) -> Result<(), Errno> {
        aligned(addr)?;
        let range = pages(addr, len, EINVAL)?;
        let mut state = self.state.write();
        if range.is_empty() {
            return raw::madvise(addr, 0, advice);
        }
        let parts: Vec<_> = state.regions.within(range.clone()).map(|(part, _)| part).collect();
        for part in parts {
            raw::madvise(part.start, part.end - part.start, advice)?;
        }
        if state.has_code(range.clone()) {
            self.note_code(&mut state, range.clone());
        }
        if state.regions.cover(range) { Ok(()) } else { Err(Errno(ENOMEM)) }
    }

    /// Notes that the mapping at `addr` is a System V segment.
    pub fn attached(&self, addr: GuestAddr, len: u64) {
        if let Ok(range) = pages(addr, len, EINVAL) {
            self.state.write().regions.set_segment(range, Some(addr));
        }
    }

    /// shmdt(2): unmaps what is left of a segment, which the guest may have cut.
    ///
    /// # Errors
    /// As shmdt(2).
    pub fn detach(&self, addr: GuestAddr) -> Result<(), Errno> {
        let mut state = self.state.write();
        let parts: Vec<_> = (state.regions.within(addr..TASK_SIZE))
            .filter(|(_, attributes)| attributes.segment == Some(addr))
            .map(|(part, _)| part)
            .collect();
        if parts.is_empty() {
            return Err(Errno(EINVAL));
        }
        parts.into_iter().try_for_each(|part| self.unmap_owned(&mut state, part))
    }

    /// mseal(2).
    ///
    /// # Errors
    /// As mseal(2), `ENOSYS` included if the host has none.
    pub fn seal(&self, addr: GuestAddr, len: u64, flags: u64) -> Result<(), Errno> {
        let range = pages(addr, len, EINVAL)?;
        let mut state = self.state.write();
        if flags == 0 && addr.is_multiple_of(PAGE) && !state.regions.cover(range.clone()) {
            return Err(Errno(ENOMEM));
        }
        raw::mseal(addr, len, flags)?;
        if !range.is_empty() {
            state.sealed.push(range);
        }
        Ok(())
    }

    /// remap_file_pages(2).
    ///
    /// # Errors
    /// As remap_file_pages(2).
    pub fn remap_file_pages(
        &self,
        addr: GuestAddr,
        len: u64,
        prot: u64,
        page: u64,
        flags: u64,
    ) -> Result<(), Errno> {
        // The kernel takes whole pages, too, but rounds down.
        let start = addr & !(PAGE - 1);
        let range = pages(start, len & !(PAGE - 1), EINVAL)?;
        let mut state = self.state.write();
        if !state.regions.cover(range.clone()) {
            return Err(Errno(EINVAL));
        }
        raw::remap_file_pages(addr, len, prot, page, flags)?;
        if state.has_code(range.clone()) {
            self.note_code(&mut state, range);
        }
        Ok(())
    }

    /// Sets where the heap begins. To be called once, by the loader.
    pub fn set_brk_start(&self, start: GuestAddr) {
        self.state.write().heap = start..start;
    }

    /// brk(2) as the kernel has it: returns the new end of the heap, or the current
    /// one if `end` is not possible.
    pub fn brk(&self, end: GuestAddr) -> GuestAddr {
        let mut state = self.state.write();
        let Range { start, end: current } = state.heap.clone();
        if end < start || end > TASK_SIZE {
            return current;
        }
        let (Some(old_top), Some(new_top)) = (page_up(current), page_up(end)) else {
            return current;
        };
        if new_top > old_top {
            let prot = PROT_READ | PROT_WRITE;
            let flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE;
            if raw::mmap(old_top, new_top - old_top, prot, flags, -1, 0).is_err() {
                return current;
            }
            let label = Some("[heap]".into());
            let attributes = Attributes { prot, shared: false, label, segment: None, object: None };
            state.regions.insert(old_top..new_top, attributes);
        } else if new_top < old_top && self.unmap_owned(&mut state, new_top..old_top).is_err() {
            return current;
        }
        state.heap = start..end;
        end
    }

    /// The guest's mappings as `/proc/self/maps` shows them, in ascending order.
    pub fn mappings(&self) -> Vec<Mapping> {
        host_maps::mappings(&self.state.read().regions)
    }

    /// The same with what is in memory of each, as `/proc/self/smaps` shows it.
    pub fn usage(&self) -> Vec<Usage> {
        usage::usage(&self.state.read().regions)
    }

    /// The guest's protection (`PROT_*`) of the page at `addr`, if it is mapped.
    pub fn protection(&self, addr: GuestAddr) -> Option<i32> {
        self.state.read().regions.at(addr).map(|(_, attributes)| attributes.prot)
    }

    /// Watches what is written to the guest's memory, up to `most` pages; none if the host
    /// refuses. For a program of one thread: see [`Watch`].
    pub fn watch(&self, most: usize) -> Option<Watch> {
        let state = self.state.read();
        let writable = state.regions.within(0..TASK_SIZE).filter(|(_, a)| a.prot & PROT_WRITE != 0);
        let area = |(range, attributes): (Range<GuestAddr>, &Attributes)| Area {
            range: range.start as usize..range.end as usize,
            prot: host_prot(attributes.prot),
            shared: attributes.shared,
        };
        Watch::new(writable.map(area).collect(), most)
    }

    /// Bytes of address space that the guest's mappings take.
    pub fn size(&self) -> u64 {
        let state = self.state.read();
        state.regions.within(0..TASK_SIZE).map(|(part, _)| part.end - part.start).sum()
    }

    /// The file that `addr` is mapped from, and the offset of that byte in it.
    pub fn file_at(&self, addr: GuestAddr) -> Option<(PathBuf, u64)> {
        let mapping = self.mappings().into_iter().find(|m| (m.start..m.end).contains(&addr))?;
        (mapping.inode != 0).then(|| (mapping.name.into(), mapping.offset + (addr - mapping.start)))
    }

    /// The files with a number that code is mapped from, by that.
    pub fn code_files(&self) -> impl Iterator<Item = (u32, PathBuf)> {
        let code = self.mappings().into_iter().filter(|m| m.prot & PROT_EXEC != 0 && m.inode != 0);
        code.filter_map(|m| Some((self.code_object(m.start)?.number, m.name.into())))
    }

    /// Copies code at `addr` into `buffer` and returns how many bytes that were: at
    /// least one, and fewer than asked for where executable memory ends.
    ///
    /// # Errors
    /// When the byte at `addr` cannot be executed.
    pub fn fetch(&self, addr: GuestAddr, buffer: &mut [u8]) -> Result<usize, Fault> {
        let state = self.state.read();
        let executable = |at| match state.regions.at(at) {
            None => Err(FaultCause::NotMapped),
            Some((_, attributes)) if attributes.prot & PROT_EXEC == 0 => {
                Err(FaultCause::Protection)
            }
            Some((range, _)) => Ok(range.end),
        };
        let fault = |cause| Fault { addr, kind: AccessKind::Fetch, cause };
        let mut end = executable(addr).map_err(fault)?;
        while end - addr < buffer.len() as u64
            && let Ok(further) = executable(end)
        {
            end = further;
        }
        let len = (end - addr).min(buffer.len() as u64) as usize;
        match access::copy_in(addr, &mut buffer[..len]) {
            Ok(()) => Ok(len),
            Err(refused) if refused.addr > addr => Ok((refused.addr - addr) as usize),
            Err(refused) => Err(fault(refused.cause)),
        }
    }

    /// The executable mapping around `addr`. It stays as it is until
    /// [`code_epoch`](Self::code_epoch) changes.
    pub fn code_region(&self, addr: GuestAddr) -> Option<CodeRegion> {
        let state = self.state.read();
        let (range, attributes) = state.regions.at(addr)?;
        let writable = attributes.shared || attributes.prot & PROT_WRITE != 0;
        let object = attributes.object;
        (attributes.prot & PROT_EXEC != 0).then_some(CodeRegion { range, writable, object })
    }

    /// Has files numbered that code is mapped from, from now on.
    pub fn number_code_files(&self, namer: Namer) {
        // Nobody has a reason to do so twice.
        let _ = self.namer.set(namer);
    }

    /// The code around `addr` that is mapped from a file with a number.
    pub fn code_object(&self, addr: GuestAddr) -> Option<CodeObject> {
        let state = self.state.read();
        let (range, attributes) = state.regions.at(addr)?;
        let (number, base) = attributes.object?;
        (attributes.prot & PROT_EXEC != 0).then_some(CodeObject { number, base, range })
    }

    /// A number that changes whenever executable mappings do. To be compared
    /// before code that was read earlier is executed.
    #[inline]
    pub fn code_epoch(&self) -> u64 {
        self.code_epoch.load(Ordering::Acquire)
    }

    /// Says that code between the two addresses may have changed.
    pub fn invalidate_code(&self, start: GuestAddr, end: GuestAddr) {
        self.note_code(&mut self.state.write(), start..end);
    }

    /// Where code may have changed since `epoch`; `None` if that is no longer
    /// known: then it may have changed anywhere.
    pub fn code_changes_since(&self, epoch: u64) -> Option<Vec<Range<GuestAddr>>> {
        self.state.read().code.since(epoch)
    }

    /// In the child of a fork: forgets the mappings that the host has not copied, by the
    /// guest's advice (`MADV_DONTFORK`) or because they are a device's. Whatever the
    /// host puts there from now on may be the VM's.
    pub fn forked(&self) {
        let mut state = self.state.write();
        let lost: Vec<_> =
            state.regions.runs().into_iter().filter(|run| !raw::is_mapped(run.clone())).collect();
        for hole in host_maps::holes(&lost) {
            let had_code = state.has_code(hole.clone());
            state.regions.remove(hole.clone());
            if had_code {
                self.note_code(&mut state, hole);
            }
        }
    }

    /// Keeps the address space as it is until the value is dropped.
    pub fn hold(&self) -> impl Sized + '_ {
        self.state.write()
    }

    fn note_code(&self, state: &mut State, range: Range<GuestAddr>) {
        let epoch = state.code.push(range);
        self.code_epoch.store(epoch, Ordering::Release);
    }
}

impl Default for AddressSpace {
    fn default() -> Self {
        Self::new()
    }
}

const PROT_BITS: i32 = PROT_READ | PROT_WRITE | PROT_EXEC;
