//! Host code that has no place yet, of a block or of a [sheet](super::sheet): its bytes, what of
//! them is to be filled in, and what is to be known of it. Lists are as they are kept on disk.

use super::NOP;
use super::thunks::{EXIT_BYTES, FETCH_BYTES, NUMBER_BYTES, Thunks, exit};
use crate::slot::Slot;
use zerocopy::little_endian::U16;
use zerocopy::{FromBytes, Immutable, IntoBytes, KnownLayout, Unaligned};

/// Declares a record of numbers in a list.
macro_rules! record {
    ($(#[$about:meta])* $name:ident { $($(#[$doc:meta])* $field:ident,)* }) => {
        $(#[$about])*
        #[derive(Clone, Copy, FromBytes, IntoBytes, Immutable, KnownLayout, Unaligned)]
        #[repr(C)]
        pub struct $name { $($(#[$doc])* pub $field: U16,)* }
    };
}

record! {
    /// A jump or a call of which only the end is known before the code has its place.
    Jump {
        /// Offset of its distance.
        at,
        /// Offset of where it leads: in the code, or in the arena.
        to,
    }
}

record! {
    /// A host instruction that accesses guest memory.
    Access {
        /// Its offset.
        at,
        /// Index of the op that it is part of.
        slot,
        /// Instructions that the run has counted, and the block's last handler will.
        counted,
    }
}

record! {
    /// A way out of a block along a link: a jump or a call, to code that does what the link says or
    /// straight to the code of the block at a known place; see
    /// [`Baseline::chain`](super::Baseline::chain).
    Exit {
        /// Index of the link.
        link,
        /// Offset behind the jump.
        end,
        /// Offset of what does what the link says.
        general,
        /// Not 0 if the bytes of the jump are what they are to be: it leads to the code of a block of the
        /// same sheet, or that is behind it.
        settled,
        /// Not 0 if it is a jump without a condition, and the last instruction of the block's code.
        last,
    }
}

record! {
    /// Where a run begins.
    Run {
        /// Index of its first op.
        index,
        /// Offset of its code.
        code,
        /// Offset of its entrance.
        entrance,
        /// If the code before goes on with this one in a sheet: offset of where that goes otherwise,
        /// which is never 0.
        before,
    }
}

impl Exit {
    /// Offset of the first byte that changes when it is made to lead elsewhere.
    pub fn changes(&self) -> usize {
        let bytes = if self.last == 0 { size_of::<i32>() } else { NOP.len() };
        usize::from(self.end).saturating_sub(bytes)
    }
}

/// Host code without its bytes.
#[derive(Clone, Copy, Default)]
pub struct Lists<'a> {
    /// Within the code.
    pub jumps: &'a [Jump],
    /// To [`Thunks`].
    pub leaves: &'a [Jump],
    /// Offsets of addresses of slots: at first there is the index.
    pub slots: &'a [U16],
    /// The same of handlers of ops.
    pub handlers: &'a [U16],
    /// Offsets of the guest's addresses.
    pub addresses: &'a [U16],
    pub accesses: &'a [Access],
    pub exits: &'a [Exit],
    pub runs: &'a [Run],
}

/// See the module's documentation.
#[derive(Clone, Copy)]
pub struct Code<'a> {
    /// What is executed often, and what is not.
    pub bytes: &'a [u8],
    /// Bytes of the former.
    pub often: usize,
    /// Whether there are guest addresses that are not among [`Lists::addresses`].
    pub is_fixed: bool,
    pub lists: Lists<'a>,
}

/// Where code is to be executed.
pub struct Place<'a> {
    /// The arena.
    pub arena: usize,
    pub thunks: Thunks,
    /// What is executed often, and what is not.
    pub often: usize,
    pub rarely: usize,
    /// The slots, with the handlers that pre-decoding chose.
    pub slots: &'a [Slot],
    /// How far the guest's code has been moved since the code was made.
    pub moved: u64,
    /// What is put before the entrance of the first run; the next numbers are others'.
    pub number: u32,
}

/// Puts `value` at offset `at`, if that is there.
fn put<const N: usize>(bytes: &mut [u8], at: usize, value: [u8; N]) -> Option<()> {
    *bytes.get_mut(at..)?.first_chunk_mut()? = value;
    Some(())
}

/// Makes what is known of eight bytes what they are to be.
fn replace(bytes: &mut [u8], at: U16, value: impl FnOnce(u64) -> Option<u64>) -> Option<()> {
    let place = bytes.get_mut(usize::from(at)..)?.first_chunk_mut()?;
    *place = value(u64::from_le_bytes(*place))?.to_le_bytes();
    Some(())
}

impl Code<'_> {
    /// Bytes of what is executed often, and of what is not.
    pub fn sizes(&self) -> (usize, usize) {
        (self.often, self.bytes.len() - self.often)
    }

    /// Index of the link that the last instruction of a block's code follows, if it does that.
    pub fn last_way(&self) -> Option<usize> {
        let exit = self.lists.exits.last().filter(|exit| exit.last != 0)?;
        (usize::from(exit.end) == self.often).then_some(exit.link.into())
    }

    /// Whether the code before it may go on with it: it begins with the block's first op, and its first
    /// bytes never change, since a jump stands there while the block is not to be executed.
    pub fn goes_on_from_before(&self) -> bool {
        self.lists.runs.first().is_some_and(|run| run.index == 0)
            && self.lists.exits.iter().all(|exit| exit.changes() >= NOP.len())
    }

    /// Whether what lists say is within the code and so many slots. That of emitters is.
    pub fn is_sound(&self, slots: usize) -> bool {
        let size = self.bytes.len();
        let is_often = |offset: U16| usize::from(offset) < self.often;
        let is_rare = |offset: U16| (self.often..size).contains(&offset.into());
        let is_slot = |index: U16| usize::from(index) < slots;
        let Lists { accesses, exits, runs, .. } = self.lists;
        self.often <= size
            && accesses.iter().all(|access| is_often(access.at) && is_slot(access.slot))
            && exits.iter().all(|exit| {
                // Behind a link is the way along it.
                usize::from(exit.link) + 1 < slots
                    && (NOP.len()..=self.often).contains(&exit.end.into())
                    && is_rare(exit.general)
            })
            && runs.iter().all(|run| {
                let has_head = usize::from(run.code) + NOP.len() <= self.often;
                is_slot(run.index)
                    && is_often(run.code)
                    && is_rare(run.entrance)
                    && (run.before == 0 || is_rare(run.before) && has_head)
            })
    }

    /// Appends all of it to `bytes`, to be executed there. None if it is not what an emitter
    /// has made.
    pub fn fill(&self, place: &Place, bytes: &mut Vec<u8>) -> Option<()> {
        let Lists { jumps, leaves, slots, handlers, addresses, exits, runs, .. } = self.lists;
        let split = self.often;
        let address = |offset: usize| {
            if offset < split { place.often + offset } else { place.rarely + (offset - split) }
        };
        let distance = |at: usize, to: usize| {
            (to.wrapping_sub(address(at) + size_of::<i32>()) as i32).to_le_bytes()
        };
        let slot = |index: usize| place.slots.get(index).map(|slot| &raw const *slot as u64);
        bytes.extend_from_slice(self.bytes);
        for Jump { at, to } in jumps {
            let at = usize::from(*at);
            put(bytes, at, distance(at, address((*to).into())))?;
        }
        for Jump { at, to } in leaves {
            let at = usize::from(*at);
            put(bytes, at, distance(at, place.arena + usize::from(*to)))?;
        }
        for at in slots {
            replace(bytes, *at, |index| slot(usize::try_from(index).ok()?))?;
        }
        for at in handlers {
            // SAFETY: emitters put the index of an op there.
            let handler = |slot: &Slot| unsafe { slot.op.handler } as usize as u64;
            replace(bytes, *at, |index| place.slots.get(index as usize).map(handler))?;
        }
        for at in addresses {
            replace(bytes, *at, |address| Some(address.wrapping_add(place.moved)))?;
        }
        for Exit { link, end, general, settled, .. } in exits {
            let (general, at) = (usize::from(*general), usize::from(*end).checked_sub(4)?);
            if *settled == 0 {
                put(bytes, at, distance(at, address(general)))?;
            }
            let out = distance(general + EXIT_BYTES - 4, place.arena + place.thunks.link);
            put(bytes, general, exit(slot((*link).into())?, out))?;
        }
        for (number, Run { code, entrance, .. }) in (place.number..).zip(runs) {
            let entrance = usize::from(*entrance);
            put(bytes, entrance.checked_sub(NUMBER_BYTES)?, number.to_le_bytes())?;
            let (call, jump) = (entrance + 1, entrance + FETCH_BYTES + 1);
            put(bytes, call, distance(call, place.arena + place.thunks.fetch))?;
            put(bytes, jump, distance(jump, address((*code).into())))?;
        }
        Some(())
    }
}
