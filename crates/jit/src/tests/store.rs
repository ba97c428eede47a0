//! Slots, segments of the arena, and which code a translation was made from.

use crate::lower::Origin;
use crate::store::{Host, Inserted, Made, Origins, Relocs, Store};
use rvrun_memory::access;
use std::ops::Range;

const ARENA: usize = 64 << 10;
/// Eight of them make the arena.
const SEGMENT: usize = ARENA / 8;

const RETURN: u8 = 0xc3;

/// A store into which translations of a page of code each can be put.
struct Filled(Store);

impl Filled {
    fn new() -> Self {
        Self(Store::new(ARENA).unwrap())
    }

    fn put(&mut self, entry: u64, bytes: usize) -> Option<Vec<u64>> {
        self.put_if(entry, bytes, true).0
    }

    fn put_if(&mut self, entry: u64, bytes: usize, quiet: bool) -> (Option<Vec<u64>>, Inserted) {
        let code = vec![RETURN; bytes];
        let made = made(one(entry..entry + 4));
        let (inserted, gone) = self.0.insert(entry, host(&code, Vec::new()), made, |_| quiet);
        ((inserted != Inserted::Never).then_some(gone), inserted)
    }

    /// The address of the code that the slot of `pc` leads to; none if it returns `pc`.
    fn slot_leads_to(&mut self, pc: u64) -> Option<usize> {
        let slot = self.0.slot(pc).unwrap();
        let read = |at: usize, bytes: &mut [u8]| access::copy_in(at as u64, bytes).unwrap();
        let (mut jump, mut there) = ([0; 5], [0; 11]);
        read(slot, &mut jump);
        assert_eq!(jump[0], 0xe9);
        let distance = i32::from_le_bytes(jump[1..].try_into().unwrap());
        let to = slot.wrapping_add_signed(distance as isize + 5);
        read(to, &mut there);
        let mut returns = vec![0x48, 0xb8];
        returns.extend(pc.to_le_bytes());
        returns.push(RETURN);
        (there != returns[..]).then_some(to)
    }
}

fn host(bytes: &[u8], origins: Vec<(u32, Origin)>) -> Host<'_> {
    Host { bytes, relocs: Relocs::Known(&[]), base: 0, origins: Origins::Known(origins) }
}

fn made(guest: Vec<Range<u64>>) -> Made {
    Made {
        guest,
        blocks: Vec::new(),
        divisors: Vec::new(),
        hash: 0,
        jumps: Vec::new(),
        instructions: 1,
        precise: false,
    }
}

fn one(range: Range<u64>) -> Vec<Range<u64>> {
    vec![range]
}

#[test]
fn a_slot_leads_to_the_translation_or_back() {
    let mut store = Filled::new();
    assert_eq!(store.slot_leads_to(0x1000), None);
    store.put(0x1000, 16);
    let code = store.0.address(0x1000).unwrap();
    assert_eq!(store.slot_leads_to(0x1000), Some(code));
    assert_eq!(store.0.address(0x1000), Some(code));
    assert!(store.0.remove(0x1000));
    assert!(!store.0.remove(0x1000));
    assert_eq!(store.slot_leads_to(0x1000), None);
    assert_eq!(store.0.address(0x1000), None);
}

#[test]
fn a_slot_that_is_asked_for_later_leads_to_the_translation_too() {
    let mut store = Filled::new();
    store.put(0x1000, 16);
    assert_eq!(store.slot_leads_to(0x1000), store.0.address(0x1000));
    assert_eq!(store.0.slot(0x1000), store.0.slot(0x1000));
    assert_ne!(store.0.slot(0x1000), store.0.slot(0x1002));
}

#[test]
fn a_new_translation_takes_the_place_of_the_old_one() {
    let mut store = Filled::new();
    store.put(0x1000, 16);
    let old = store.0.address(0x1000).unwrap();
    assert_eq!(store.0.address(0x1000), Some(old));
    assert_eq!(store.put(0x1000, 16), Some(Vec::new()));
    let new = store.0.address(0x1000).unwrap();
    assert_ne!(old, new);
    assert_eq!(store.0.address(0x1000), Some(new));
    assert_eq!(store.slot_leads_to(0x1000), Some(new));
}

#[test]
fn what_the_oldest_segment_holds_makes_room() {
    let mut store = Filled::new();
    // Two translations fill a segment.
    let entry = |n: u64| 0x1000 * (n + 1);
    for n in 0..16 {
        assert_eq!(store.put(entry(n), SEGMENT / 2 - 64), Some(Vec::new()), "{n}");
    }
    let mut gone = store.put(entry(16), SEGMENT / 2 - 64).unwrap();
    gone.sort_unstable();
    assert_eq!(gone, [entry(0), entry(1)]);
    assert!(!store.0.contains(entry(0)) && store.0.contains(entry(2)));
    assert_eq!(store.put(entry(17), SEGMENT / 2 - 64), Some(Vec::new()));
    assert_eq!(store.put(entry(18), SEGMENT / 2 - 64).unwrap().len(), 2);
}

#[test]
fn what_may_be_running_keeps_its_place_and_its_origins() {
    let mut store = Filled::new();
    let origin = Origin { pc: 0x1000, access_pc: 0x1000, is_load: true, run_pc: 0x1000 };
    let first = [RETURN; SEGMENT / 2];
    let made_from = made(one(0x1000..0x1004));
    store.0.insert(0x1000, host(&first, vec![(4, origin)]), made_from, |_| true);
    let running = store.0.address(0x1000).unwrap();
    for n in 1..8 {
        store.put(0x1000 * (n + 1), SEGMENT / 2 + 64);
    }
    let large = SEGMENT - 64;
    assert_eq!(store.put_if(0x9000, large, false), (Some(vec![0x1000]), Inserted::NotYet));
    assert_eq!(store.put_if(0x9000, large, false), (Some(Vec::new()), Inserted::NotYet));
    assert_eq!(store.0.origin(running), Some((origin, false)));
    assert_eq!(store.put_if(0x9000, large, true), (Some(Vec::new()), Inserted::Yes));
    assert_eq!(store.0.origin(running), None);
}

#[test]
fn code_that_fits_no_segment_is_refused() {
    let mut store = Filled::new();
    assert_eq!(store.put(0x1000, SEGMENT), None);
    assert!(!store.0.contains(0x1000));
    assert!(store.put(0x1000, SEGMENT - 64).is_some());
}

#[test]
fn translations_are_found_by_the_code_that_they_were_made_from() {
    let mut store = Store::new(ARENA).unwrap();
    let mut put = |entry, guest| {
        store.insert(entry, host(&[RETURN; 8], Vec::new()), made(guest), |_| true);
    };
    put(0x1000, one(0x1000..0x1010));
    put(0x1ff0, vec![0x1ff0..0x2008, 0x9000..0x9004]);
    put(0x3000, one(0x3000..0x3004));
    assert_eq!(store.made_from(&(0x1008..0x1009)), [0x1000]);
    assert_eq!(store.made_from(&(0x1010..0x1ff0)), []);
    assert_eq!(store.made_from(&(0x1000..0x2000)), [0x1000, 0x1ff0]);
    assert_eq!(store.made_from(&(0x2004..0x2010)), [0x1ff0]);
    assert_eq!(store.made_from(&(0x9000..0xa000)), [0x1ff0]);
    assert_eq!(store.made_from(&(0..1 << 40)), [0x1000, 0x1ff0, 0x3000]);
    store.remove(0x1ff0);
    assert_eq!(store.made_from(&(0x1000..0xa000)), [0x1000, 0x3000]);
}

#[test]
fn a_host_address_is_known_by_its_origin() {
    let mut store = Store::new(ARENA).unwrap();
    let origin = |pc| Origin { pc, access_pc: pc, is_load: true, run_pc: pc };
    for entry in [0x1000, 0x2000] {
        let code = host(&[RETURN; 16], vec![(4, origin(entry)), (16, origin(entry + 4))]);
        store.insert(entry, code, made(one(entry..entry + 8)), |_| true);
    }
    for entry in [0x1000, 0x2000] {
        let address = store.address(entry).unwrap();
        assert_eq!(store.origin(address), Some((origin(entry), false)));
        assert_eq!(store.origin(address + 3), Some((origin(entry), false)));
        assert_eq!(store.origin(address + 4), Some((origin(entry + 4), false)));
        assert_eq!(store.origin(address + 16), None);
    }
    assert_eq!(store.origin(store.stub() - 1), None);
}

#[test]
fn clearing_forgets_slots_as_well() {
    let mut store = Filled::new();
    store.put(0x1000, 16);
    let first = store.0.slot(0x1000);
    assert!(store.0.remove(0x1000));
    store.0.clear_slots();
    assert_eq!(store.0.slot(0x5000), first);
    assert_eq!(store.slot_leads_to(0x5000), None);
}

#[test]
fn the_jump_that_knows_most_targets_is_found_from_nearby() {
    let mut store = Store::new(ARENA).unwrap();
    let mut put = |entry, jumps| {
        let made = Made { jumps, ..made(one(entry..entry + 4)) };
        store.insert(entry, host(&[RETURN; 8], Vec::new()), made, |_| true);
    };
    put(0x10_0000, vec![(0x10_0010, 3)]);
    put(0x10_1000, vec![(0x10_1010, 5), (0x10_1020, 1)]);
    assert_eq!(store.jumper(0x10_0100), Some((0x10_1000, 5)));
    assert_eq!(store.jumper(0x90_0000), None);
}
