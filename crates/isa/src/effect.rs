//! Which registers an instruction reads and writes.

use crate::field::{Class, Slot};
use crate::{Instruction, Opcode};

/// A set of registers: bit `n` is `xn`, bit `32 + n` is `fn`. Never contains `x0`.
pub type Registers = u64;

/// The set that consists of an integer register.
pub const fn integer(register: u8) -> Registers {
    (1 << register) & !1
}

/// The set that consists of a floating-point register.
pub const fn float(register: u8) -> Registers {
    1 << (32 + register)
}

impl Instruction {
    /// The registers that the instruction reads.
    pub fn reads(&self) -> Registers {
        use Opcode::*;
        let mut set = 0;
        for field in self.row().fields {
            let register = match field.slot {
                Slot::Rs1 | Slot::RdRs1 => self.rs1,
                Slot::Rs2 => self.rs2,
                Slot::Rs3 => self.rs3,
                Slot::Rd | Slot::Rm | Slot::Imm => continue,
            };
            set |= match field.class {
                Class::X | Class::Base => integer(register),
                Class::F => float(register),
                _ => 0,
            };
        }
        match self.opcode {
            AmocasB | AmocasH | AmocasW | AmocasD => set | integer(self.rd),
            // An even register, but for x0, stands for itself and the next one.
            AmocasQ => {
                let pair = |register| match register {
                    0 => 0,
                    _ => integer(register) | integer(register + 1),
                };
                set | pair(self.rd) | pair(self.rs2)
            }
            _ => set,
        }
    }

    /// The registers that the instruction writes.
    pub fn writes(&self) -> Registers {
        let mut set = 0;
        for field in self.row().fields {
            if matches!(field.slot, Slot::Rd | Slot::RdRs1) {
                set |= match field.class {
                    Class::X => integer(self.rd),
                    Class::F => float(self.rd),
                    _ => 0,
                };
            }
        }
        match self.opcode {
            Opcode::AmocasQ if self.rd != 0 => set | integer(self.rd + 1),
            _ => set,
        }
    }
}

/// Whether a `fence` with these sets, as its immediate has them, keeps loads behind stores (RVWMO,
/// "FENCE"): all else, a host with TSO does by itself.
pub const fn is_full_fence(sets: i32) -> bool {
    const STORES_BEFORE: i32 = 0x50;
    const LOADS_AFTER: i32 = 0x0a;
    sets & STORES_BEFORE != 0 && sets & LOADS_AFTER != 0
}
