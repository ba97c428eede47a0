//! What handlers share beside the hart: why they stopped, the jump cache, the
//! attention flag, how long they may run.

use crate::baseline::Sites;
use crate::fuel::Fuel;
use crate::ops::control;
use crate::returns::Returns;
use crate::slot::{Link, Slot};
use rvrun_hart::{Enter, Hart, Trap, float};
use rvrun_isa::Extensions;
use rvrun_memory::access::Refused;
use rvrun_memory::{AccessKind, GuestAddr};
use std::ptr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

/// Why the handlers returned.
#[derive(Clone, Copy, Debug)]
pub enum Exit {
    /// A link that leads nowhere yet was taken.
    Unlinked(*mut Link),
    /// A call or return to `hart.pc` missed the jump cache.
    Indirect,
    /// An indirect jump that is neither did.
    IndirectJump,
    /// An environment call; `hart.pc` is behind it.
    Syscall,
    /// The op at that slot trapped.
    Trap(*const Slot, Trap),
    /// The op at that slot is not an instruction that this hart has.
    Illegal(*const Slot),
    /// The instruction of the op at that slot could not be fetched.
    FetchFault(*const Slot),
    /// A fence.i was executed; `hart.pc` is behind it.
    FenceI,
    /// The rounding mode went to or from one that the host's unit lacks; the
    /// op at that slot is done.
    RoundingMode(*const Slot),
    /// An event was the last one before a pause; `hart.pc` is where it goes.
    Pause,
    /// There is a gate at `hart.pc`.
    Gate,
    /// The other engine was entered at a gate, and wants something.
    Passed,
    /// The block at that slot, of that address, is executed often.
    Warm(*const Slot, GuestAddr),
}

/// Entries of a jump cache: at first few, because a short program touches all
/// pages of any cache, and more each time that they have come to replace one another.
const FEWEST_ENTRIES: usize = 256;
const MOST_ENTRIES: usize = 1 << 17;
const GROWTH: usize = 4;

/// A target of indirect jumps and the block there.
#[derive(Clone, Copy)]
pub struct JumpCacheEntry {
    /// A target with bit 0 set, or 0 if the entry is empty; that of the first one is then
    /// [`NOBODYS`].
    pub key: u64,
    pub block: *const Slot,
    /// Where host code goes that finds this entry: the address of the block's host code, behind
    /// the entrance, or [`Context::no_code`].
    pub code: usize,
    /// Makes the size a power of two.
    _spare: usize,
}

/// A key that nobody looks for in the first entry. Host code looks there for 0, too: it adds 1 to
/// a target to get its key, which may be -1 of a hostile program.
const NOBODYS: u64 = 2;
const EMPTY: JumpCacheEntry = JumpCacheEntry { key: 0, block: ptr::null(), code: 0, _spare: 0 };

/// See the module's documentation. What host code uses is first, where its instructions reach
/// it by short displacements.
#[repr(C)]
pub struct Context {
    /// Events that are left.
    pub fuel: Fuel,
    /// At how many blocks without host code that of this or another engine arrives until one is to
    /// get some: the next one, but after there was nothing to do.
    pub cold: u32,
    /// Where calls want to be returned to.
    pub returns: Returns,
    /// The first entry of the jump cache.
    pub jump_cache_start: *const JumpCacheEntry,
    /// What is left of an offset in it, in bytes: their number is a power of two.
    pub jump_cache_mask: usize,
    /// What goes on at the block of the entry whose address is in `rax`, and that is not known to
    /// have host code; 0 before there is any.
    pub no_code: usize,
    /// What host code knows of accesses that may fault.
    pub sites: Sites,
    /// Where host code puts MXCSR to look at it, and what its sticky flags are in `fflags`.
    pub mxcsr: u32,
    pub fflags_of: [u8; 64],
    /// Set by the handler that stops.
    pub exit: Exit,
    /// What the hart implements.
    pub extensions: Extensions,
    /// Whether blocks were pre-decoded for a dynamic rounding mode that the
    /// host's floating-point unit lacks.
    pub soft_float: bool,
    /// What gates call instead of stopping, and with what in front of the hart.
    pub passage: Option<(Enter, *mut ())>,
    /// How often gates did that.
    pub passages: u64,
    attention: Arc<AtomicU32>,
    jump_cache: Box<[JumpCacheEntry]>,
    /// Entries that replaced another since the cache was made.
    replaced: usize,
    jump_cache_used: bool,
}

impl Context {
    /// An empty context.
    pub fn new(extensions: Extensions) -> Self {
        let mut context = Self {
            returns: Returns::default(),
            exit: Exit::Indirect,
            extensions,
            soft_float: false,
            fuel: Fuel::default(),
            passage: None,
            passages: 0,
            cold: 1,
            sites: Sites::default(),
            mxcsr: 0,
            fflags_of: float::host::FFLAGS,
            attention: Arc::default(),
            jump_cache: Box::default(),
            jump_cache_start: ptr::null(),
            jump_cache_mask: 0,
            no_code: 0,
            replaced: 0,
            jump_cache_used: false,
        };
        context.set_jump_cache(FEWEST_ENTRIES);
        context
    }

    /// Makes it one of so many entries, all empty.
    fn set_jump_cache(&mut self, entries: usize) {
        // Not a copy of `EMPTY` in each place: most are never touched.
        let zeroed = Box::new_zeroed_slice(entries);
        // SAFETY: an entry of zeros is `EMPTY`, a null pointer among its numbers.
        self.jump_cache = unsafe { zeroed.assume_init() };
        self.empty(0);
        self.replaced = 0;
        self.jump_cache_start = self.jump_cache.as_ptr();
        self.jump_cache_mask = (entries - 1) * size_of::<JumpCacheEntry>();
    }

    /// Forgets what is of one hart: where it is to be returned to, and who wants its attention.
    pub fn renew(&mut self) {
        self.returns.clear();
        self.attention = Arc::default();
        self.fuel = Fuel::default();
        self.cold = 1;
        self.passages = 0;
    }

    /// Non-zero makes the interpreter stop at its next pause.
    pub fn attention(&self) -> &Arc<AtomicU32> {
        &self.attention
    }

    /// Whether the interpreter is to stop.
    pub fn wants_attention(&self) -> bool {
        self.attention.load(Ordering::Relaxed) != 0
    }

    /// The block at `pc`, if an indirect jump went there before.
    #[inline(always)]
    pub fn cached(&self, pc: u64) -> Option<*const Slot> {
        self.known(pc).map(|entry| entry.block)
    }

    #[inline(always)]
    fn known(&self, pc: u64) -> Option<&JumpCacheEntry> {
        self.jump_cache.get(self.index(pc)).filter(|entry| entry.key == pc | 1)
    }

    /// The block at `pc`, to which another engine has led; or null to stop, to make it, or to
    /// make host code for it where there is none.
    #[inline(always)]
    pub fn cached_or_wanted(&mut self, pc: u64) -> *const Slot {
        let Some(&JumpCacheEntry { block, code, .. }) = self.known(pc) else {
            return self.stop(Exit::Indirect);
        };
        // SAFETY: entries have an op of a live block, or a gate.
        let handler = unsafe { (*block).op.handler } as usize;
        if code != self.no_code || handler == control::gate as *const () as usize {
            return block;
        }
        self.cold -= 1;
        if self.cold == 0 { self.wanted(block, pc) } else { block }
    }

    /// Remembers the block at `pc`, and its host code.
    pub fn cache(&mut self, pc: u64, block: *const Slot, code: Option<usize>) {
        let index = self.index(pc);
        self.replaced += usize::from(self.jump_cache[index].key & 1 != 0);
        let code = code.unwrap_or(self.no_code);
        self.jump_cache[index] = JumpCacheEntry { key: pc | 1, block, code, _spare: 0 };
        self.jump_cache_used = true;
        let entries = self.jump_cache.len();
        if self.replaced > entries && entries < MOST_ENTRIES {
            self.set_jump_cache(entries * GROWTH);
        }
    }

    /// Says what leads to blocks without host code, now that there is host code.
    pub fn begin_code(&mut self, no_code: usize) {
        self.no_code = no_code;
        self.clear_cache();
    }

    /// Says where the host code of the block at `pc` is.
    pub fn cache_code(&mut self, pc: u64, code: usize) {
        if self.cached(pc).is_some() {
            let index = self.index(pc);
            self.jump_cache[index].code = code;
        }
    }

    /// Forgets the block at `pc`.
    pub fn evict(&mut self, pc: u64) {
        if self.cached(pc).is_some() {
            self.empty(self.index(pc));
        }
    }

    /// Forgets what an entry has.
    fn empty(&mut self, index: usize) {
        let key = if index == 0 { NOBODYS } else { EMPTY.key };
        self.jump_cache[index] = JumpCacheEntry { key, ..EMPTY };
    }

    /// Forgets all blocks.
    pub fn clear_cache(&mut self) {
        if std::mem::take(&mut self.jump_cache_used) {
            self.jump_cache.fill(EMPTY);
            self.empty(0);
        }
    }

    /// Stops the handlers: returns what the caller must return.
    #[cold]
    pub fn stop(&mut self, exit: Exit) -> *const Slot {
        self.exit = exit;
        ptr::null()
    }

    /// Stops before the block at `slot`, that of `pc`, which is to get host code.
    #[cold]
    pub fn wanted(&mut self, slot: *const Slot, pc: GuestAddr) -> *const Slot {
        self.cold = 1;
        self.stop(Exit::Warm(slot, pc))
    }

    /// Stops with a trap of the op at `slot`.
    #[cold]
    pub fn trap(&mut self, slot: *const Slot, trap: impl Into<Trap>) -> *const Slot {
        self.stop(Exit::Trap(slot, trap.into()))
    }

    /// Stops because an access to `addr` was refused, just now.
    #[cold]
    #[inline(never)]
    pub fn refused(&mut self, slot: *const Slot, addr: GuestAddr, kind: AccessKind) -> *const Slot {
        self.trap(slot, Refused.fault(addr, kind))
    }

    /// Pauses before the instruction at `pc`.
    #[cold]
    pub fn pause_at(&mut self, hart: &mut Hart, pc: u64) -> *const Slot {
        hart.pc = pc;
        self.stop(Exit::Pause)
    }

    #[inline(always)]
    fn index(&self, pc: u64) -> usize {
        (pc >> 1) as usize & self.jump_cache.len().wrapping_sub(1)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn blocks_that_another_engine_leads_to_are_wanted() {
        let mut context = Context::new(Extensions::ALL);
        assert!(context.cached_or_wanted(8).is_null());
        assert!(matches!(context.exit, Exit::Indirect));
        let slot = Slot { value: 0 };
        let block: *const Slot = &raw const slot;
        context.cache(8, block, None);
        assert!(context.cached_or_wanted(8).is_null());
        assert!(matches!(context.exit, Exit::Warm(wanted, 8) if wanted == block));
        context.cold = 3;
        let mut twice = || (0..2).all(|_| context.cached_or_wanted(8) == block);
        assert!(twice(), "there was nothing to do");
        assert!(!twice());
        assert!(context.cached_or_wanted(8).is_null());
        context.cache_code(8, 1);
        assert!((0..100).all(|_| context.cached_or_wanted(8) == block), "it has host code");
    }
}
