//! Which pages the calling thread writes for a while, and what was in them before.
//!
//! The watched memory is made read-only. At the first write to a page the handler of
//! [`fault`](crate::fault) keeps a copy of it and makes it writable again, and the write
//! is done. There is one watch at a time, for a process whose only guest thread is the
//! calling one: what others write meanwhile is taken for its doing.

use std::cell::UnsafeCell;
use std::mem::MaybeUninit;
use std::ops::Range;
use std::ptr;
use std::sync::atomic::{AtomicPtr, AtomicUsize, Ordering};

/// Bytes of a page.
pub const PAGE: usize = 4096;

/// Memory to be watched.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Area {
    /// Its addresses, of whole pages.
    pub range: Range<usize>,
    /// Its protection (mprotect(2)), which lets it be written.
    pub prot: i32,
    /// Whether others see what is written there: a write ends the watch.
    pub shared: bool,
}

/// A page as it was before it was written.
pub struct Page {
    /// Its first address.
    pub address: usize,
    /// What was in it.
    pub before: [u8; PAGE],
}

/// What the handler works on.
struct Inner {
    areas: Vec<Area>,
    /// Filled by the handler, which runs on the thread that reads them afterwards.
    pages: Box<[UnsafeCell<MaybeUninit<Page>>]>,
    used: AtomicUsize,
    /// 1 once there was no room, or shared memory was written.
    failed: AtomicUsize,
}

static ACTIVE: AtomicPtr<Inner> = AtomicPtr::new(ptr::null_mut());

/// A watch, until it is dropped.
pub struct Watch {
    inner: Box<Inner>,
}

impl Watch {
    /// Watches `areas`, which are disjoint and in ascending order, until `most` of their
    /// pages were written. None if there is a watch already, or the host refuses.
    pub fn new(areas: Vec<Area>, most: usize) -> Option<Self> {
        // SAFETY: elements that may be uninitialised are what they have to be.
        let pages = unsafe { Box::new_uninit_slice(most).assume_init() };
        let mut inner = Box::new(Inner {
            areas,
            pages,
            used: AtomicUsize::new(0),
            failed: AtomicUsize::new(0),
        });
        let active: *mut Inner = &raw mut *inner;
        let (order, failed) = (Ordering::AcqRel, Ordering::Acquire);
        ACTIVE.compare_exchange(ptr::null_mut(), active, order, failed).ok()?;
        let watch = Self { inner };
        let closed = watch.inner.areas.iter().all(|area| {
            let prot = area.prot & !libc::PROT_WRITE | libc::PROT_READ;
            protect(area.range.clone(), prot)
        });
        // Dropping it opens what was closed.
        closed.then_some(watch)
    }

    /// How many pages were written so far.
    pub fn written(&self) -> usize {
        self.inner.used.load(Ordering::Acquire)
    }

    /// Whether something was written that there is no copy of.
    pub fn has_failed(&self) -> bool {
        self.inner.failed.load(Ordering::Acquire) != 0
    }

    /// The pages that were written, in the order of their first writes.
    pub fn pages(&self) -> impl Iterator<Item = &Page> {
        let pages = self.inner.pages.iter().take(self.written());
        // SAFETY: the handler has written these, and changes only pages behind them.
        pages.map(|page| unsafe { (*page.get()).assume_init_ref() })
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.inner.open();
        ACTIVE.store(ptr::null_mut(), Ordering::Release);
    }
}

impl Inner {
    /// Makes all of it writable again.
    fn open(&self) {
        for area in &self.areas {
            protect(area.range.clone(), area.prot);
        }
    }

    /// Keeps the page at `address` and makes it writable; false if it is none of these.
    fn written(&self, address: usize) -> bool {
        let at = self.areas.partition_point(|area| area.range.end <= address);
        let Some(area) = self.areas.get(at).filter(|area| area.range.contains(&address)) else {
            return false;
        };
        let page = address & !(PAGE - 1);
        let used = self.used.load(Ordering::Acquire);
        let Some(place) = self.pages.get(used).filter(|_| !area.shared && !self.has_failed())
        else {
            self.failed.store(1, Ordering::Release);
            self.open();
            return true;
        };
        // SAFETY: nobody else refers to what is behind the used ones.
        let kept = unsafe { (*place.get()).as_mut_ptr() };
        // SAFETY: as above; both fields are bytes of the place.
        let copied = unsafe {
            (&raw mut (*kept).address).write(page);
            copy(page, (&raw mut (*kept).before).cast())
        };
        if !copied {
            // The page is not there, behind the end of a file: the access faults again.
            self.failed.store(1, Ordering::Release);
            self.open();
            return true;
        }
        self.used.store(used + 1, Ordering::Release);
        protect(page..page + PAGE, area.prot)
    }

    fn has_failed(&self) -> bool {
        self.failed.load(Ordering::Acquire) != 0
    }
}

/// For the handler: whether the thread goes on at the write to `address` that faulted.
/// Async-signal-safe.
pub(crate) fn written(address: usize) -> bool {
    // SAFETY: a watch outlives its being active, and is the business of one thread.
    match unsafe { ACTIVE.load(Ordering::Acquire).as_ref() } {
        Some(inner) => inner.written(address),
        None => false,
    }
}

fn protect(range: Range<usize>, prot: i32) -> bool {
    // SAFETY: the memory is the guest's, whose accesses may fault.
    unsafe { libc::mprotect(range.start as *mut _, range.len(), prot) == 0 }
}

/// Copies the page at `address`; false if it cannot be read. A plain copy could fault.
///
/// # Safety
/// A page can be written at `to`.
unsafe fn copy(address: usize, to: *mut u8) -> bool {
    let (local, remote) = (
        libc::iovec { iov_base: to.cast(), iov_len: PAGE },
        libc::iovec { iov_base: address as *mut _, iov_len: PAGE },
    );
    // SAFETY: writes where it may, by this function's contract; the kernel checks the other address.
    let copied = unsafe { libc::process_vm_readv(libc::getpid(), &local, 1, &remote, 1, 0) };
    copied == PAGE as isize
}
