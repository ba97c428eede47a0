//! Single steps.

use super::{Interpreter, Stop, target};
use crate::context::Exit;
use crate::fuel::Fuel;
use crate::slot::Slot;
use rustc_hash::FxHashMap;
use rvrun_hart::{Hart, Trap};

/// Bytes of a block that has no room for a second instruction.
const ONE: u64 = 4;
/// Enough for all that an engine leaves to another.
const MAX_SINGLES: usize = 4096;

/// Blocks of one instruction by pc. Nothing links to them.
#[derive(Default)]
pub(super) struct Singles(FxHashMap<u64, Vec<Slot>>);

impl Singles {
    pub(super) fn clear(&mut self) {
        self.0.clear();
    }
}

impl Interpreter {
    /// Executes the instruction at the hart's pc, gate or not, and counts it.
    ///
    /// Gives nothing if the program just goes on at the hart's pc, also after a
    /// jump; otherwise why it does not. Neither attention nor samples stop it.
    /// The caller is between [`float::host::enter`](rvrun_hart::float::host::enter)
    /// and `leave`, as for [`resume`](Self::resume).
    pub fn step(&mut self, hart: &mut Hart) -> Option<Stop> {
        self.follow_code_changes();
        self.follow_rounding_mode(hart);
        let slot = self.single(hart.pc);
        // The first event pauses, so jumps stop before they look into the jump cache.
        let fuel = std::mem::replace(&mut self.context.fuel, Fuel::new(1));
        self.execute(slot, hart);
        self.context.fuel = fuel;
        match self.context.exit {
            Exit::Unlinked(link) => hart.pc = target(link),
            Exit::Pause | Exit::Indirect | Exit::IndirectJump => {}
            Exit::Warm(_, pc) => hart.pc = pc,
            Exit::FenceI => self.fence_i(),
            Exit::RoundingMode(_) => self.finish_rounding_mode(hart),
            Exit::Syscall => return Some(Stop::Syscall),
            Exit::Gate | Exit::Passed => return Some(Stop::Gate),
            Exit::Trap(_, trap) => return Some(Stop::Trap(trap)),
            Exit::Illegal(_) => return Some(Stop::Trap(self.illegal_instruction(hart.pc))),
            Exit::FetchFault(_) => {
                return Some(Stop::Trap(Trap::Memory(self.fetch_fault(hart.pc))));
            }
        }
        None
    }

    /// The block that consists of the instruction at `pc`.
    fn single(&mut self, pc: u64) -> *const Slot {
        if let Some(slots) = self.singles.0.get(&pc) {
            return slots.as_ptr();
        }
        self.predecode(pc, ONE);
        let slots = self.scratch.to_vec();
        if self.singles.0.len() >= MAX_SINGLES {
            self.singles.clear();
        }
        self.singles.0.entry(pc).or_insert(slots).as_ptr()
    }
}
