//! What is written while memory is watched is known, with what was there before.

use rvrun_memory::{AddressSpace, GuestAddr, PAGE, access};
use std::sync::Mutex;

const READ_WRITE: i32 = libc::PROT_READ | libc::PROT_WRITE;

/// There is one watch in a process.
static ONE: Mutex<()> = Mutex::new(());

fn map(space: &AddressSpace, kind: i32) -> GuestAddr {
    rvrun_host::fault::install().unwrap();
    space.mmap(0, 4 * PAGE, READ_WRITE, kind | libc::MAP_ANONYMOUS, -1, 0, None).unwrap()
}

fn load(addr: GuestAddr) -> u64 {
    let mut value = 0;
    assert!(access::load_u8(addr, &mut value).is_ok());
    value
}

#[test]
fn pages_are_kept_as_they_were() {
    let _one = ONE.lock().unwrap();
    let space = AddressSpace::new();
    let start = map(&space, libc::MAP_PRIVATE);
    let store = |at, value| assert!(access::store_u8(start + at, value).is_ok());
    store(PAGE, 1);
    let watch = space.watch(4).unwrap();
    assert!(space.watch(4).is_none());
    store(PAGE, 2);
    store(PAGE + 1, 3);
    store(3 * PAGE, 4);
    let kept: Vec<_> = watch.pages().map(|p| (p.address as u64 - start, p.before[0])).collect();
    assert_eq!(kept, [(PAGE, 1), (3 * PAGE, 0)]);
    assert!(!watch.has_failed());
    drop(watch);
    store(0, 5);
    assert_eq!([load(start), load(start + PAGE), load(start + PAGE + 1)], [5, 2, 3]);
}

#[test]
fn too_many_pages_and_shared_ones_end_the_watch() {
    let _one = ONE.lock().unwrap();
    for (most, kind) in [(1, libc::MAP_PRIVATE), (4, libc::MAP_SHARED)] {
        let space = AddressSpace::new();
        let start = map(&space, kind);
        let watch = space.watch(most).unwrap();
        assert!(access::store_u8(start, 1).is_ok());
        assert!(access::store_u8(start + PAGE, 2).is_ok());
        assert!(watch.has_failed());
        assert_eq!(watch.written(), usize::from(kind == libc::MAP_PRIVATE));
        drop(watch);
        assert_eq!([load(start), load(start + PAGE)], [1, 2]);
    }
}

#[test]
fn what_may_not_be_written_still_faults() {
    let _one = ONE.lock().unwrap();
    let space = AddressSpace::new();
    let start = map(&space, libc::MAP_PRIVATE);
    space.mprotect(start + PAGE, PAGE, libc::PROT_READ).unwrap();
    let watch = space.watch(4).unwrap();
    assert!(access::store_u8(start + PAGE, 1).is_err());
    // Eight bytes across the edge: nothing of them is written.
    assert!(access::store_u64(start + PAGE - 4, u64::MAX).is_err());
    drop(watch);
    assert_eq!(load(start + PAGE), 0);
}
