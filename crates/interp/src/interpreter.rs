//! The loop around the handlers: finds, lifts and links blocks, and turns exits
//! into stops.

use crate::blocks::{Blocks, content_hash};
use crate::context::{Context, Exit};
use crate::ops::csr::needs_soft_float;
use crate::slot::Slot;
use rvrun_decoder::{MAX_BLOCK_BYTES, lift};
use rvrun_hart::{Hart, Trap, float};
use rvrun_isa::{Extensions, Instruction};
use rvrun_memory::{AccessKind, AddressSpace, CodeRegion, Fault, FaultCause, access};
use std::num::NonZeroU64;
use std::sync::Arc;
use std::sync::atomic::AtomicU32;

/// Why the interpreter returned.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stop {
    /// An environment call; the hart's pc is behind it.
    Syscall,
    /// An exception; the hart's pc is at the instruction that caused it, none
    /// of whose effects are visible.
    Trap(Trap),
    /// The attention flag was raised; the hart's pc is the next instruction.
    Attention,
}

/// One hart's interpreter.
pub struct Interpreter {
    space: Arc<AddressSpace>,
    blocks: Blocks,
    context: Context,
    /// The address space's code epoch that the blocks correspond to.
    epoch: u64,
    /// The executable mapping that was last lifted from.
    code: CodeRegion,
    /// Memory for the next block's body.
    body: Vec<Instruction>,
}

impl Interpreter {
    /// An interpreter for a hart with these extensions, without any blocks yet.
    pub fn new(space: Arc<AddressSpace>, extensions: Extensions) -> Self {
        let epoch = space.code_epoch();
        Self {
            space,
            blocks: Blocks::new(),
            context: Context::new(extensions),
            epoch,
            code: CodeRegion { range: 0..0, writable: false },
            body: Vec::new(),
        }
    }

    /// A flag that makes [`run`](Self::run) stop soon, in a loop included, while
    /// it is not zero. May be raised by other threads and signal handlers.
    pub fn attention(&self) -> Arc<AtomicU32> {
        self.context.attention().clone()
    }

    /// Runs the hart from its pc until it stops.
    ///
    /// While it runs, the host's floating-point control register holds the
    /// guest's rounding mode and flags; it is the host's own again on return.
    pub fn run(&mut self, hart: &mut Hart) -> Stop {
        self.follow_code_changes();
        float::host::enter(hart.frm);
        let stop = self.dispatch(hart);
        hart.fflags |= float::host::leave();
        stop
    }

    fn dispatch(&mut self, hart: &mut Hart) -> Stop {
        self.follow_rounding_mode(hart);
        let mut slot = self.block_at(hart.pc);
        loop {
            self.execute(slot, hart);
            slot = match self.context.exit {
                Exit::Unlinked(link) => {
                    // SAFETY: handlers stop with a link of a live block.
                    let pc = unsafe { (*link).pc };
                    if let Some(slot) = self.blocks.get(pc) {
                        self.blocks.link(link);
                        slot
                    } else if self.blocks.is_full() {
                        // Lifting would free the link's own block.
                        self.block_at(pc)
                    } else {
                        let slot = self.block_at(pc);
                        self.blocks.link(link);
                        slot
                    }
                }
                Exit::Indirect => {
                    let slot = self.block_at(hart.pc);
                    self.context.cache(hart.pc, slot);
                    slot
                }
                Exit::FenceI => {
                    self.revalidate();
                    self.block_at(hart.pc)
                }
                Exit::RoundingMode(slot) => {
                    self.set_position(hart, slot);
                    let next = self.instruction_bits(hart.pc).map_or(4, length);
                    hart.pc += next;
                    hart.instret += 1;
                    self.follow_rounding_mode(hart);
                    self.block_at(hart.pc)
                }
                Exit::Syscall => return Stop::Syscall,
                Exit::Attention => return Stop::Attention,
                Exit::Trap(slot, trap) => {
                    self.set_position(hart, slot);
                    return Stop::Trap(trap);
                }
                Exit::Illegal(slot) => {
                    self.set_position(hart, slot);
                    let bits = self.instruction_bits(hart.pc).unwrap_or(0);
                    return Stop::Trap(Trap::IllegalInstruction { bits });
                }
                Exit::FetchFault(slot) => {
                    self.set_position(hart, slot);
                    return Stop::Trap(Trap::Memory(self.fetch_fault(hart.pc)));
                }
            };
        }
    }

    /// Runs handlers from `slot` until one stops.
    fn execute(&mut self, slot: *const Slot, hart: &mut Hart) {
        let mut next = slot;
        // Threaded handlers return once, with null; the others after each op.
        while !next.is_null() {
            // SAFETY: `block_at` and the handlers give ops of live blocks.
            next = unsafe { ((*next).op.handler)(next, hart, &mut self.context) };
        }
    }

    /// The block at `pc`, lifted if it is not there yet.
    fn block_at(&mut self, pc: u64) -> *const Slot {
        if let Some(slot) = self.blocks.get(pc) {
            return slot;
        }
        if self.blocks.is_full() {
            self.clear();
        }
        let body = std::mem::take(&mut self.body);
        let code = self.code_region(pc);
        let block = lift(pc, self.context.extensions, body, |at| {
            let mut bits = 0;
            let inside = code.range.contains(&at) && code.range.end - at >= 4;
            if inside && access::load_u32(at, &mut bits).is_ok() {
                return Some(bits as u32);
            }
            self.instruction_bits(at)
        });
        let content = if code.writable { hash_of(&self.space, block.pc, block.end) } else { None };
        let slot = self.blocks.insert(&block, self.context.soft_float, content);
        self.body = block.body;
        slot
    }

    /// The executable mapping around `pc`; an empty one if there is none.
    fn code_region(&mut self, pc: u64) -> CodeRegion {
        if !self.code.range.contains(&pc) {
            let none = CodeRegion { range: pc..pc, writable: false };
            self.code = self.space.code_region(pc).unwrap_or(none);
        }
        self.code.clone()
    }

    fn clear(&mut self) {
        self.blocks.clear();
        self.context.clear_cache();
    }

    /// Brings the blocks up to date with what the guest did to its mappings of code.
    fn follow_code_changes(&mut self) {
        let epoch = self.space.code_epoch();
        if epoch == self.epoch {
            return;
        }
        let changes = self.space.code_changes_since(self.epoch);
        self.epoch = epoch;
        self.code.range = 0..0;
        self.context.clear_cache();
        match changes {
            None => self.blocks.clear(),
            Some(ranges) => {
                for range in ranges {
                    let space = &self.space;
                    self.blocks.invalidate(range, |pc, end, hash| {
                        let writable = space.code_region(pc).is_some_and(|code| code.writable);
                        writable && hash_of(space, pc, end) == Some(hash)
                    });
                }
            }
        }
    }

    /// After a fence.i: drops the blocks whose bytes have changed.
    fn revalidate(&mut self) {
        self.context.clear_cache();
        let space = &self.space;
        let unchanged = |pc, end, hash| hash_of(space, pc, end) == Some(hash);
        // Code that nobody can write in place has not changed.
        self.blocks.invalidate_writable(unchanged);
    }

    /// Blocks are pre-decoded for the host's floating-point unit or for the
    /// software one: changes over if the hart's rounding mode asks for it.
    fn follow_rounding_mode(&mut self, hart: &Hart) {
        let soft_float = needs_soft_float(hart.frm);
        if soft_float != self.context.soft_float {
            self.context.soft_float = soft_float;
            self.clear();
        }
    }

    /// Sets the hart's pc to the op at `slot`, and counts the instructions that
    /// its block has retired before it.
    fn set_position(&mut self, hart: &mut Hart, slot: *const Slot) {
        let Some((pc, start)) = self.blocks.position(slot) else { return };
        hart.pc = pc;
        let mut at = start;
        while at < pc {
            at += self.instruction_bits(at).map_or(2, length);
            hart.instret += 1;
        }
    }

    /// The instruction at `pc`, a compressed one in the low half, if it can be fetched as a whole.
    fn instruction_bits(&self, pc: u64) -> Option<u32> {
        let mut bytes = [0; 4];
        let n = self.space.fetch(pc, &mut bytes).unwrap_or(0);
        let bits = u32::from_le_bytes(bytes);
        match n {
            4 if length(bits) == 4 => Some(bits),
            2..=4 if length(bits) == 2 => Some(bits & 0xffff),
            _ => None,
        }
    }

    /// Why the instruction at `pc` cannot be fetched: for one that crosses into
    /// another page, the fault is that page's.
    fn fetch_fault(&self, pc: u64) -> Fault {
        let mut parcel = [0; 2];
        for at in [pc, pc.wrapping_add(2)] {
            match self.space.fetch(at, &mut parcel) {
                Ok(2..) => {}
                Ok(_) => break,
                Err(fault) => return fault,
            }
        }
        Fault { addr: pc, kind: AccessKind::Fetch, cause: FaultCause::NotMapped }
    }
}

/// Bytes of the instruction with these bits.
fn length(bits: u32) -> u64 {
    rvrun_isa::length(bits as u16).into()
}

fn hash_of(space: &AddressSpace, pc: u64, end: u64) -> Option<NonZeroU64> {
    let mut buffer = [0; MAX_BLOCK_BYTES as usize];
    let bytes = buffer.get_mut(..end.checked_sub(pc)? as usize)?;
    let n = space.fetch(pc, bytes).ok()?;
    (n == bytes.len()).then(|| content_hash(bytes))
}
