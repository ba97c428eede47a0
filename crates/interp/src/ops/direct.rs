//! Instructions executed where they stand: decoded, dispatched, and forgotten.
//!
//! To pre-decode an instruction takes several times as long as to execute it, so code to which control
//! comes for the first time is executed like this. That is for what most code consists of:
//! computation and accesses by integer registers, and jumps. Where it comes to something else, or to
//! what a handler stops with, nothing of that instruction is done, and handlers go on there.

use super::alu::{immediate, register, registers};
use super::control::taken;
use super::load_store::{load, store};
use crate::context::{Context, Exit};
use crate::predecode::{LIKELY, expanded, sink};
use rvrun_decoder::{Terminator, is_link_register, terminator};
use rvrun_hart::Hart;
use rvrun_host::prefetch;
use rvrun_isa::{Extensions, Instruction, Opcode, ROWS, bucket, for_each_instruction, length};
use rvrun_memory::access;
use std::ops::Range;

/// What came of code.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum End {
    /// Control has gone to that address by a direct jump or a branch, taken or not.
    Jump(u64),
    /// The same by a call of what a register has the address of, or a return.
    Indirect(u64),
    /// The same by an indirect jump that is neither.
    IndirectJump(u64),
    /// Handlers are to go on there.
    Left(u64),
    /// It has stopped, for [`Context::exit`].
    Stopped,
}

/// What came of an instruction.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Done {
    /// Nothing: it is another row's, or none. The operands may be reserved.
    Nothing,
    /// It is done, and the next one comes next.
    Executed,
    /// It is done, and [`Direct::end`] says where control goes.
    Ended,
    /// Nothing: handlers are to execute it.
    Left,
}

struct Direct<'a> {
    hart: &'a mut Hart,
    context: &'a mut Context,
    extensions: Extensions,
    end: End,
}

/// Executes code from `start` on up to a jump, and on from where that goes if `goes_on` says so. All of
/// what it reads of the guest's code is in `code`.
pub fn execute(
    start: u64,
    code: &Range<u64>,
    hart: &mut Hart,
    context: &mut Context,
    mut goes_on: impl FnMut(u64) -> bool,
) -> End {
    // Where no four bytes lie in the mapping, handlers find out what there is.
    let whole = (code.end - code.start).saturating_sub(3);
    let is_near = |pc: u64| pc.wrapping_sub(code.start) < whole;
    let look = |pc| {
        let bits = if is_near(pc) { access::fetch(pc) } else { 0 };
        let [first, second] = LIKELY[bucket(bits)];
        (bits, EXECUTORS[first as usize], second)
    };
    let extensions = context.extensions;
    let mut direct = Direct { hart, context, extensions, end: End::Stopped };
    let (mut pc, mut executed) = (start, 0);
    let (mut bits, mut execute, mut second) = look(pc);
    let end = loop {
        // What comes next is looked up before this one is executed: which row it is of the host's
        // processor mostly does not foresee, so the sooner it is known, the less has to be taken back.
        let behind = pc.wrapping_add(length(bits as u16).into());
        let next = look(behind);
        let mut done = execute(&mut direct, bits, pc);
        if done == Done::Nothing {
            done = EXECUTORS[second as usize](&mut direct, bits, pc);
        }
        if done == Done::Executed {
            executed += 1;
            (pc, (bits, execute, second)) = (behind, next);
            continue;
        }
        if done != Done::Ended {
            break End::Left(pc);
        }
        executed += 1;
        match direct.end {
            End::Jump(target) | End::Indirect(target) if is_near(target) && goes_on(target) => {
                (pc, (bits, execute, second)) = (target, look(target));
            }
            end => break end,
        }
    };
    direct.hart.instret += executed;
    end
}

/// Has the host's processor bring near what is looked at here for each instruction.
pub fn prefetch() {
    prefetch::table(&LIKELY);
    prefetch::table(&EXECUTORS);
}

/// Executes an instruction of one row.
type Execute = fn(&mut Direct<'_>, u32, u64) -> Done;

macro_rules! executors {
    (
        base { $($op:ident $name:ident $($ext:ident)|+ $kind:ident [$($field:ident)*] $pattern:literal;)* }
        alias { $($alias:ident $aname:ident $($aext:ident)|+ [$($afield:ident)*] $apattern:literal => $target:ident;)* }
    ) => {
        /// By opcode, and behind them that for what is no row's, as in [`LIKELY`].
        static EXECUTORS: [Execute; ROWS.len() + 1] = [
            $(execute_row::<{ Opcode::$op as usize }, Of<{ Opcode::$op as usize }>>,)*
            $(execute_row::<{ Opcode::$alias as usize }, Of<{ Opcode::$target as usize }>>,)*
            |_, _, _| Done::Nothing,
        ];

        $(
            impl Meaning for Of<{ Opcode::$op as usize }> {
                #[inline(always)]
                fn execute(_instruction: &Instruction, _hart: &mut Hart, _pc: u64) -> Done {
                    straight!($kind $name [$($field)*] _instruction, _hart, _pc)
                }

                #[inline(always)]
                fn is_taken(_branch: &Instruction, _hart: &Hart) -> bool {
                    condition!($kind $name _branch, _hart)
                }
            }
        )*
    };
}

/// The opcode with this number.
struct Of<const OPCODE: usize>;

/// What an opcode means. Not a function that tells opcodes apart: each row would have all of them
/// compiled, which took a minute.
trait Meaning {
    /// Executes what is in line.
    fn execute(instruction: &Instruction, hart: &mut Hart, pc: u64) -> Done;

    /// Whether a branch is taken.
    fn is_taken(branch: &Instruction, hart: &Hart) -> bool;
}

/// Executes an instruction by the kind and the operands of its row.
macro_rules! straight {
    (Alu auipc [$($field:ident)*] $i:ident, $hart:ident, $pc:ident) => {{
        *x_mut!($hart, sink($i.rd)) = $pc.wrapping_add_signed($i.imm.into());
        Done::Executed
    }};
    (Alu lui [$($field:ident)*] $i:ident, $hart:ident, $pc:ident) => {{
        *x_mut!($hart, sink($i.rd)) = i64::from($i.imm) as u64;
        Done::Executed
    }};
    (Alu $name:ident [RD RS1 RS2] $i:ident, $hart:ident, $pc:ident) => {{
        let value = registers::$name(x!($hart, $i.rs1), x!($hart, $i.rs2));
        *x_mut!($hart, sink($i.rd)) = value;
        Done::Executed
    }};
    (Alu $name:ident [RD RS1] $i:ident, $hart:ident, $pc:ident) => {{
        let value = register::$name(x!($hart, $i.rs1));
        *x_mut!($hart, sink($i.rd)) = value;
        Done::Executed
    }};
    (Alu $name:ident [RD RS1 $immediate:ident] $i:ident, $hart:ident, $pc:ident) => {{
        let value = immediate::$name(x!($hart, $i.rs1), i64::from($i.imm) as u64);
        *x_mut!($hart, sink($i.rd)) = value;
        Done::Executed
    }};
    (Load $name:ident [RD DISP_I BASE] $i:ident, $hart:ident, $pc:ident) => {{
        let address = x!($hart, $i.rs1).wrapping_add_signed($i.imm.into());
        match load::$name(address, x_mut!($hart, sink($i.rd))) {
            Ok(()) => Done::Executed,
            Err(_) => Done::Left,
        }
    }};
    (Store $name:ident [RS2 DISP_S BASE] $i:ident, $hart:ident, $pc:ident) => {{
        let address = x!($hart, $i.rs1).wrapping_add_signed($i.imm.into());
        match store::$name(address, x!($hart, $i.rs2)) {
            Ok(()) => Done::Executed,
            Err(_) => Done::Left,
        }
    }};
    ($($other:tt)*) => {
        Done::Left
    };
}

macro_rules! condition {
    (Branch $name:ident $i:ident, $hart:ident) => {
        taken::$name(x!($hart, $i.rs1), x!($hart, $i.rs2))
    };
    ($($other:tt)*) => {
        false
    };
}

for_each_instruction!(executors);

fn execute_row<const ROW: usize, M: Meaning>(direct: &mut Direct<'_>, bits: u32, pc: u64) -> Done {
    let Some(instruction) = expanded::<ROW>(bits, direct.extensions) else {
        return Done::Nothing;
    };
    match terminator(&instruction, pc) {
        None => M::execute(&instruction, direct.hart, pc),
        Some(terminator) => direct.terminate::<M>(terminator, pc, instruction.len),
    }
}

impl Direct<'_> {
    /// Inlined, so that the row decides here. The handlers of [`super::control`] do the same.
    #[inline(always)]
    fn terminate<M: Meaning>(&mut self, terminator: Terminator, pc: u64, len: u8) -> Done {
        let behind = pc.wrapping_add(len.into());
        let event = |target| Way { target, is_event: true, end: End::Jump };
        let jump = |target| Way { target, is_event: target <= pc, end: End::Jump };
        let way = match terminator {
            Terminator::Jump { target } => jump(target),
            Terminator::Branch { instruction, taken } if M::is_taken(&instruction, self.hart) => {
                jump(taken)
            }
            Terminator::Branch { .. } => Way { target: behind, is_event: false, end: End::Jump },
            Terminator::Call { link, target } => {
                self.set_link(link, behind);
                event(target)
            }
            Terminator::IndirectJump { base, offset } => {
                Way { end: End::IndirectJump, ..event(self.target(base, offset)) }
            }
            Terminator::IndirectCall { link, base, offset } => {
                let target = self.target(base, offset);
                self.set_link(link, behind);
                Way { end: End::Indirect, ..event(target) }
            }
            Terminator::Return { base, offset } => {
                let target = self.target(base, offset);
                self.context.returns.returned(target);
                Way { end: End::Indirect, ..event(target) }
            }
            Terminator::Syscall => {
                self.hart.pc = behind;
                self.context.stop(Exit::Syscall);
                self.end = End::Stopped;
                return Done::Ended;
            }
            Terminator::FallThrough
            | Terminator::Breakpoint
            | Terminator::FenceI
            | Terminator::Illegal { .. }
            | Terminator::FetchFault => return Done::Left,
        };
        self.end = if way.is_event && self.context.fuel.burn() {
            self.context.pause_at(self.hart, way.target);
            End::Stopped
        } else {
            (way.end)(way.target)
        };
        Done::Ended
    }

    fn target(&self, base: u8, offset: i32) -> u64 {
        let hart = &*self.hart;
        x!(hart, base).wrapping_add_signed(offset.into()) & !1
    }

    fn set_link(&mut self, link: u8, pc: u64) {
        let hart = &mut *self.hart;
        *x_mut!(hart, link) = pc;
        if is_link_register(link) {
            self.context.returns.called(pc);
        }
    }
}

/// Where a jump goes.
struct Way {
    target: u64,
    /// Whether it is one of those that [`crate::fuel`] counts.
    is_event: bool,
    end: fn(u64) -> End,
}
