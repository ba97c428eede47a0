//! Control and status registers.
//!
//! While handlers run, the host's MXCSR holds the guest's rounding mode and
//! collects new exception flags; [`Hart::fflags`] holds the older ones.

use crate::context::{Context, Exit};
use crate::slot::{Op, Slot};
use rvrun_hart::{Hart, float};
use rvrun_host::time;
use rvrun_isa::{Extensions, csr};

/// What to do with a CSR.
enum Change {
    /// Read it only.
    Nothing,
    /// Write this.
    Write(u64),
    /// Set these bits.
    Set(u64),
    /// Clear these bits.
    Clear(u64),
}

/// Handlers for the CSR instructions.
macro_rules! csr_instructions {
    ($($name:ident |$op:ident, $hart:ident| $change:expr;)*) => {
        handlers_apart! {$(
            #[doc = concat!("`", stringify!($name), "`")]
            $name |slot, $op, $hart, context| {
                let change = $change;
                match access(slot, &$op, $hart, context, change) {
                    None => slot,
                    Some(exit) => context.stop(exit),
                }
            }
        )*}
    };
}

csr_instructions! {
    csrrw |op, hart| Change::Write(x!(hart, op.rs1));
    csrrs |op, hart| if op.rs1 == 0 { Change::Nothing } else { Change::Set(x!(hart, op.rs1)) };
    csrrc |op, hart| if op.rs1 == 0 { Change::Nothing } else { Change::Clear(x!(hart, op.rs1)) };
    csrrwi |op, hart| Change::Write(op.rs1.into());
    csrrsi |op, hart| if op.rs1 == 0 { Change::Nothing } else { Change::Set(op.rs1.into()) };
    csrrci |op, hart| if op.rs1 == 0 { Change::Nothing } else { Change::Clear(op.rs1.into()) };
}

// Compilers put these two before and behind each comparison that must be quiet. Harts without F
// have neither.
handlers_apart! {
    /// `csrrs rd, fflags, x0`
    read_flags |slot, op, hart, _context| {
        *x_mut!(hart, op.rd) = all_flags(hart).into();
        slot
    }
    /// `csrrw x0, fflags, rs1`
    write_flags |slot, op, hart, _context| {
        let flags = (x!(hart, op.rs1) & 0x1f) as u8;
        set_flags(hart, flags);
        slot
    }
}

/// The exceptions that have been raised, which the hart has from now on.
fn all_flags(hart: &mut Hart) -> u8 {
    hart.fflags |= float::host::flags();
    hart.fflags
}

/// Makes those the ones that have been raised. Mostly they are: the host takes long to load MXCSR.
fn set_flags(hart: &mut Hart, flags: u8) {
    if all_flags(hart) != flags {
        hart.fflags = flags;
        float::host::enter(hart.frm);
    }
}

/// Reads the CSR into `rd` and changes it. Returns why the interpreter must stop, if it must.
fn access(
    slot: *const Slot,
    op: &Op,
    hart: &mut Hart,
    context: &Context,
    change: Change,
) -> Option<Exit> {
    let number = op.imm as u16;
    let Some(old) = read(number, hart, context.extensions) else {
        return Some(Exit::Illegal(slot));
    };
    let new = match change {
        Change::Nothing => None,
        Change::Write(value) => Some(value),
        Change::Set(bits) => Some(old | bits),
        Change::Clear(bits) => Some(old & !bits),
    };
    let soft_before = context.soft_float;
    if new.is_some_and(|new| !write(number, hart, new)) {
        return Some(Exit::Illegal(slot));
    }
    *x_mut!(hart, op.rd) = old;
    (float::needs_soft_float(hart.frm) != soft_before).then_some(Exit::RoundingMode(slot))
}

fn read(number: u16, hart: &mut Hart, extensions: Extensions) -> Option<u64> {
    if let csr::CLOCK..=csr::LAST_CLOCK = number {
        return time::clock_ns(i32::from(number - csr::CLOCK));
    }
    let needed = match number {
        csr::FFLAGS..=csr::FCSR => Extensions::F,
        csr::CYCLE..=csr::INSTRET => Extensions::ZICNTR,
        csr::HPMCOUNTER3..=csr::HPMCOUNTER31 => Extensions::ZIHPM,
        _ => return None,
    };
    if !extensions.contains(needed) {
        return None;
    }
    all_flags(hart);
    Some(match number {
        csr::FFLAGS => hart.fflags.into(),
        csr::FRM => hart.frm.into(),
        csr::FCSR => u64::from(hart.frm) << 5 | u64::from(hart.fflags),
        csr::CYCLE => time::timestamp_counter(),
        csr::TIME => time::monotonic_ns(),
        // Exact at the block's beginning: counting further would cost every block.
        csr::INSTRET => hart.instret,
        // Counters of events that nobody has configured stay at zero.
        _ => 0,
    })
}

/// Returns false if the CSR cannot be written.
fn write(number: u16, hart: &mut Hart, value: u64) -> bool {
    match number {
        csr::FFLAGS => {
            set_flags(hart, (value & 0x1f) as u8);
            return true;
        }
        csr::FRM => hart.frm = (value & 7) as u8,
        csr::FCSR => {
            hart.fflags = (value & 0x1f) as u8;
            hart.frm = (value >> 5 & 7) as u8;
        }
        _ => return false,
    }
    float::host::enter(hart.frm);
    true
}
