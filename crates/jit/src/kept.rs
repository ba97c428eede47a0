//! Translations that outlive the process: what is written of one, and how it is taken in.
//!
//! What is written has everything that the translation was made from, the guest's code above
//! all: where that is not the same, byte for byte, it is not taken. So whoever keeps
//! translations may mistake one object for another, and nothing comes of it.

use crate::compile::{Code, Reloc, Target};
use crate::lower::{Mode, Origin, places::MOVABLE};
use crate::store::Made;
use rvrun_decoder::region::Region;
use rvrun_memory::{AddressSpace, CodeObject, access};
use serde::{Deserialize, Serialize};
use std::ops::Range;

/// Which translation of an object's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Variant {
    /// The distance of its entry from the object's first byte.
    pub distance: u64,
    /// Whether registers are exact for faults.
    pub precise: bool,
}

/// Who keeps translations of objects, which are files by their
/// [numbers](rvrun_memory::CodeObject).
pub trait Keeper: Send + Sync {
    /// The translation, if there is one, in `room`, of which it may leave an end as it was.
    fn get<'a>(&self, object: u32, which: Variant, room: &'a mut Vec<u8>) -> Option<&'a [u8]>;

    /// A new one, in place of another one that there may be.
    fn put(&self, object: u32, which: Variant, translation: Vec<u8>);
}

/// A translation as it is kept. Guest addresses are distances from the object's base. What there
/// is many of are records of a fixed size, which are read where they are: a short program that
/// comes by a hundred translations executes each of them a few times.
#[derive(Serialize, Deserialize)]
struct Kept<'a> {
    /// Where the object has to be, if code knows that.
    fixed: Option<u64>,
    entry: u64,
    precise: bool,
    instructions: usize,
    hash: u64,
    /// What it was made from: [`Record`]s of where, and how many bytes.
    parts: &'a [u8],
    /// All of these bytes.
    guest: &'a [u8],
    /// [`Record`]s of where, and how many targets are known.
    jumps: &'a [u8],
    code: &'a [u8],
    /// [`Record`]s of the distance, and where: in the highest bit is whether it is of a slot.
    relocs: &'a [u8],
    /// Of [`Origin`], written by themselves: only faults ask for them.
    origins: &'a [u8],
}

/// A distance from the object's base and a number, little-endian.
type Record = [u8; 12];

/// In a reloc's record: it is of a slot.
const SLOT: u32 = 1 << 31;

fn record(distance: u64, number: u32) -> Record {
    let mut record = Record::default();
    record[..8].copy_from_slice(&distance.to_le_bytes());
    record[8..].copy_from_slice(&number.to_le_bytes());
    record
}

fn records(bytes: &[u8]) -> impl Iterator<Item = (u64, u32)> + Clone {
    bytes.as_chunks().0.iter().map(|&[a, b, c, d, e, f, g, h, number @ ..]: &Record| {
        (u64::from_le_bytes([a, b, c, d, e, f, g, h]), u32::from_le_bytes(number))
    })
}

/// The same of an origin: how far the end of its code and its pc are from those of the one
/// before, whether it is a load, and how far the other addresses are from the pc.
type KeptOrigin = (u32, i64, bool, i64, i64);

/// A translation that was taken in again.
pub struct Again<'a> {
    /// The code, with nothing filled in.
    pub code: &'a [u8],
    /// For [`relocs`]: what is to be filled in.
    pub relocs: &'a [u8],
    /// For [`origins`].
    pub origins: &'a [u8],
    /// What it was made from.
    pub made: Made,
}

/// What to keep of a translation; nothing if it is made from code that is not all of it there.
pub fn write(
    space: &AddressSpace,
    object: &CodeObject,
    region: &Region,
    code: &Code,
    made: &Made,
) -> Option<Vec<u8>> {
    let base = object.base;
    let far = |pc: u64| pc.wrapping_sub(base);
    let guest = fetch(space, object, &made.guest)?;
    let parts = made.guest.iter().map(|p| record(far(p.start), (p.end - p.start) as u32));
    let jumps = made.jumps.iter().map(|(pc, known)| record(far(*pc), *known as u32));
    let relocs = code.relocs.iter().map(|reloc| {
        let kind = if reloc.target == Target::Slot { SLOT } else { 0 };
        record(reloc.distance, reloc.at | kind)
    });
    let [parts, jumps, relocs] = [parts.collect(), jumps.collect(), relocs.collect::<Vec<_>>()];
    let kept = Kept {
        fixed: (base < MOVABLE).then_some(base),
        entry: far(region.entry),
        precise: made.precise,
        instructions: made.instructions,
        hash: made.hash,
        parts: parts.as_flattened(),
        guest: &guest,
        jumps: jumps.as_flattened(),
        code: &code.bytes,
        relocs: relocs.as_flattened(),
        origins: &write_origins(&code.origins, base)?,
    };
    postcard::to_allocvec(&kept).ok()
}

/// The translation that was kept in `bytes`, if it is one for `entry` and of the code that is
/// there now.
pub fn read<'a>(object: &CodeObject, entry: u64, mode: Mode, bytes: &'a [u8]) -> Option<Again<'a>> {
    let kept: Kept<'a> = postcard::from_bytes(bytes).ok()?;
    let base = object.base;
    let near = |distance: u64| base.wrapping_add(distance);
    let is_inside = |reloc: Reloc| {
        let bytes = if reloc.target == Target::Slot { 4 } else { 8 };
        reloc.at as usize + bytes <= kept.code.len()
    };
    let right = near(kept.entry) == entry
        && kept.precise == mode.precise
        && kept.fixed == (base < MOVABLE).then_some(base)
        && relocs(kept.relocs).all(is_inside);
    if !right {
        return None;
    }
    let part = |(start, len): (u64, u32)| {
        let start = near(start);
        Some(start..start.checked_add(len.into())?)
    };
    let guest: Vec<_> = records(kept.parts).map(part).collect::<Option<_>>()?;
    if !is_there(object, &guest, kept.guest) {
        return None;
    }
    Some(Again {
        code: kept.code,
        relocs: kept.relocs,
        origins: kept.origins,
        made: Made {
            hash: kept.hash,
            guest,
            blocks: Vec::new(),
            divisors: Vec::new(),
            jumps: records(kept.jumps).map(|(pc, known)| (near(pc), known as usize)).collect(),
            instructions: kept.instructions,
            precise: kept.precise,
        },
    })
}

/// The relocs that were kept in `bytes`.
pub fn relocs(bytes: &[u8]) -> impl Iterator<Item = Reloc> + Clone {
    records(bytes).map(|(distance, at)| {
        let target = if at & SLOT != 0 { Target::Slot } else { Target::Address };
        Reloc { at: at & !SLOT, target, distance }
    })
}

fn write_origins(origins: &[(u32, Origin)], base: u64) -> Option<Vec<u8>> {
    let (mut end, mut pc) = (0, base);
    let kept = origins.iter().map(|(next, origin)| -> KeptOrigin {
        let ahead = |from: u64, to: u64| to.wrapping_sub(from) as i64;
        let further = next.wrapping_sub(std::mem::replace(&mut end, *next));
        let on = ahead(std::mem::replace(&mut pc, origin.pc), origin.pc);
        let [access, run] = [origin.access_pc, origin.run_pc].map(|other| ahead(pc, other));
        (further, on, origin.is_load, access, run)
    });
    postcard::to_allocvec(&kept.collect::<Vec<_>>()).ok()
}

/// The origins that were kept in `bytes`, of an object at `base`.
pub fn origins(bytes: &[u8], base: u64) -> Vec<(u32, Origin)> {
    let (mut end, mut pc) = (0u32, base);
    let origin = |(further, on, is_load, access, run): KeptOrigin| {
        end = end.wrapping_add(further);
        pc = pc.wrapping_add_signed(on);
        let [access_pc, run_pc] = [access, run].map(|distance| pc.wrapping_add_signed(distance));
        (end, Origin { pc, access_pc, is_load, run_pc })
    };
    let kept: Vec<KeptOrigin> = postcard::from_bytes(bytes).unwrap_or_default();
    kept.into_iter().map(origin).collect()
}

/// Whether `parts` are all in the object's code.
fn are_inside(object: &CodeObject, parts: &[Range<u64>]) -> bool {
    let is_inside = |part: &Range<u64>| {
        object.range.start <= part.start && part.start <= part.end && part.end <= object.range.end
    };
    parts.iter().all(is_inside)
}

/// The object's code in `parts`, if all of it is there.
fn fetch(space: &AddressSpace, object: &CodeObject, parts: &[Range<u64>]) -> Option<Vec<u8>> {
    if !are_inside(object, parts) {
        return None;
    }
    let mut bytes = Vec::new();
    for part in parts {
        let start = bytes.len();
        bytes.resize(start + (part.end - part.start) as usize, 0);
        let here = &mut bytes[start..];
        if space.fetch(part.start, here) != Ok(here.len()) {
            return None;
        }
    }
    Some(bytes)
}

/// Whether the object's code in `parts` is `expected`.
fn is_there(object: &CodeObject, parts: &[Range<u64>], mut expected: &[u8]) -> bool {
    if !are_inside(object, parts) {
        return false;
    }
    let mut buffer = [0; 512];
    for part in parts {
        let mut at = part.start;
        while at < part.end {
            let len = (part.end - at).min(buffer.len() as u64) as usize;
            let Some((wanted, rest)) = expected.split_at_checked(len) else { return false };
            let found = &mut buffer[..len];
            // What another thread unmaps just now is not there.
            if access::copy_in(at, found).is_err() || found != wanted {
                return false;
            }
            (at, expected) = (at + len as u64, rest);
        }
    }
    expected.is_empty()
}
