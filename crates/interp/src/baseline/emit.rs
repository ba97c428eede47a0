//! Host code in the making: how it is entered and left, and what it is about.
//!
//! While host code runs, `rsi` holds the hart's address and [`BIAS`], `rdx` the context's,
//! and `rdi` counts retired instructions, which the hart does not do meanwhile: it is below 0 up to
//! the next pause. `rax` is
//! scratch, and `rcx` where it is taken; others hold guest registers: see
//! [`registers`](super::registers).
//!
//! What is executed often and what is not are apart, so that little of the first fills
//! the host's caches. A block is entered where the latter is, by an [*entrance*](thunks::FETCH_BYTES)
//! that has what is pinned fetched; who comes from other host code skips that. Who
//! leaves host code goes through [`Thunks`], which write it back. Wherever an access may
//! fault or an op may be left to its handler, the rest of the hart in memory is
//! exact: what was computed is written back before.

use super::JMP;
use super::buffer::Buffer;
use super::code::{Access, Code, Exit, Jump, Lists, Run};
use super::registers::{FloatRegisters, Registers, Transfer};
use super::thunks::{self, EXIT_BYTES, NUMBER_BYTES, Thunks};
use dynasmrt::{DynasmApi, dynasm};
use rvrun_hart::Hart;
use std::mem::offset_of;
use zerocopy::little_endian::U16;

/// Emits instructions.
macro_rules! asm {
    ($emitter:ident; $($t:tt)*) => { dynasm!($emitter.code; .arch x64; $($t)*) };
}
pub(super) use asm;

/// Emits an instruction whose memory operand has the shorter form where its displacement
/// fits: what is before the operand, its registers, the displacement, what is behind it.
macro_rules! at {
    ($code:expr, {$($before:tt)*} [$($base:tt)*] $displacement:expr, {$($behind:tt)*}) => {
        match i8::try_from($displacement) {
            Ok(near) => dynasm!($code; .arch x64; $($before)* [BYTE $($base)* + near] $($behind)*),
            Err(_) => {
                dynasm!($code; .arch x64; $($before)* [$($base)* + $displacement] $($behind)*);
            }
        }
    };
}
pub(super) use at;

/// Emits an instruction whose immediate has the shorter form where it fits.
macro_rules! short {
    ($emitter:ident, $name:ident $place:ident ($register:expr), $immediate:expr) => {
        match i8::try_from($immediate) {
            Ok(near) => asm!($emitter; $name $place($register), BYTE near),
            Err(_) => asm!($emitter; $name $place($register), $immediate),
        }
    };
}
pub(super) use short;

/// The number that the encoding has for the register that counts retired instructions.
const RDI: u8 = 7;

/// What is added to the hart's address, so that short displacements reach all of its integer
/// registers.
pub const BIAS: i32 = 128;

/// Code that leaves an op to its handler.
struct Slow {
    /// Where to go for that.
    label: Label,
    /// Where to go for a pause, which the handler makes.
    after_event: Option<Label>,
    /// The same, if where to return to was pushed as well.
    after_push: Option<Label>,
    /// Index of the op.
    slot: usize,
    /// Whether the slot has the run's code in place of the op's handler.
    is_first: bool,
    /// Instructions that the run has counted, and the block's last handler will.
    counted: i32,
}

/// A return that does not go where the last call wants it to.
pub(super) struct Unexpected {
    pub label: Label,
    /// The host register with the guest's address, and what is to be added to it.
    pub target: u8,
    pub offset: i32,
    /// Leaves the op to the handler, before and after the event was counted.
    pub slow: Label,
    pub pause: Label,
}

/// A place in what is executed rarely that is not known yet.
#[derive(Clone, Copy)]
pub struct Label(u16);

/// When a jump is taken, by its number in the encoding.
#[derive(Clone, Copy)]
#[repr(u8)]
pub enum Flag {
    Overflow = 0x0,
    Below = 0x2,
    NotBelow = 0x3,
    Equal = 0x4,
    NotEqual = 0x5,
    NotAbove = 0x6,
    Above = 0x7,
    NotSign = 0x9,
    Parity = 0xa,
    Less = 0xc,
    NotLess = 0xd,
}

/// Host code of a block in the making. It serves for one block after another, so that its
/// memory is there when it is wanted.
pub struct Emitter {
    pub(super) code: Buffer,
    pub(super) thunks: Thunks,
    /// What all entrances consist of.
    entrance: Vec<u8>,
    pub(super) registers: Registers,
    pub(super) floats: FloatRegisters,
    /// Offsets of labels.
    labels: Vec<U16>,
    pub(super) unexpected: Vec<Unexpected>,
    slow: Vec<Slow>,
    /// Bytes of what is executed often, once all of it is there.
    often: usize,
    /// [`Code::is_fixed`].
    pub(super) is_fixed: bool,
    /// [`Lists`] in the making: until the end, jumps are to labels.
    jumps: Vec<Jump>,
    leaves: Vec<Jump>,
    slots: Vec<U16>,
    handlers: Vec<U16>,
    addresses: Vec<U16>,
    accesses: Vec<Access>,
    pub(super) exits: Vec<Exit>,
    runs: Vec<Run>,
    /// Index of the op that code is emitted for.
    pub(super) slot: usize,
    /// Whether it is the first one of its run.
    is_first: bool,
    /// Instructions that its run has counted.
    counted: i32,
    /// The guest register that the host's zero flag is about, and the length of the code when
    /// that was set.
    pub(super) zero_flag: Option<(u8, usize)>,
    /// The guest register that has the exceptions that have been raised: it was read from `fflags`,
    /// and nothing has raised any since.
    pub(super) accrued: Option<u8>,
}

/// A number that fits if all of the code fits the buffer.
pub(super) fn number(number: usize) -> U16 {
    U16::new(number as u16)
}

/// Where an integer register is, from `rsi`.
pub(super) fn x(register: u8) -> i32 {
    (offset_of!(Hart, x) + 8 * usize::from(register)) as i32 - BIAS
}

/// Where a floating-point register is, from `rsi`.
pub(super) fn f(register: u8) -> i32 {
    (offset_of!(Hart, f) + 8 * usize::from(register)) as i32 - BIAS
}

/// Where the pc is, from `rsi`.
pub(super) const PC: i32 = offset_of!(Hart, pc) as i32 - BIAS;

/// Where the exceptions are that had been raised when MXCSR was loaded, from `rsi`.
pub(super) const FFLAGS: i32 = offset_of!(Hart, fflags) as i32 - BIAS;

pub(super) fn transfer(code: &mut impl DynasmApi, transfer: Transfer) {
    match transfer {
        Transfer::Load { host, guest: 0 } => dynasm!(code; .arch x64; xor Rd(host), Rd(host)),
        Transfer::Load { host, guest } => at!(code, { mov Rq(host), } [rsi] x(guest), {}),
        Transfer::Store { host, guest } => at!(code, { mov } [rsi] x(guest), { , Rq(host) }),
    }
}

impl Emitter {
    /// Nothing is emitted yet.
    pub fn new(thunks: Thunks) -> Self {
        Self {
            code: Buffer::new(),
            thunks,
            entrance: thunks::entrance(),
            registers: Registers::new(),
            floats: FloatRegisters::new(),
            labels: Vec::new(),
            unexpected: Vec::new(),
            slow: Vec::new(),
            often: 0,
            is_fixed: false,
            jumps: Vec::new(),
            leaves: Vec::new(),
            slots: Vec::new(),
            handlers: Vec::new(),
            addresses: Vec::new(),
            accesses: Vec::new(),
            exits: Vec::new(),
            runs: Vec::new(),
            slot: 0,
            is_first: true,
            counted: 0,
            zero_flag: None,
            accrued: None,
        }
    }

    /// Forgets the last block.
    pub fn clear(&mut self) {
        self.code.clear();
        self.is_fixed = false;
        self.labels.clear();
        self.jumps.clear();
        self.leaves.clear();
        self.slots.clear();
        self.handlers.clear();
        self.addresses.clear();
        self.accesses.clear();
        self.exits.clear();
        self.runs.clear();
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.code.len()
    }

    /// Begins a run with the slot of that index, which counts so many instructions: those of
    /// its block if it is the last one, else none.
    pub fn begin_run(&mut self, index: usize, counted: i32) {
        self.registers = Registers::new();
        self.floats = FloatRegisters::new();
        self.zero_flag = None;
        self.accrued = None;
        let (index, code, none) = (number(index), number(self.len()), number(0));
        self.runs.push(Run { index, code, entrance: none, before: none });
        self.counted = counted;
        if counted != 0 {
            short!(self, add Rq(RDI), counted);
        }
    }

    /// Goes on with the op of that index.
    pub fn begin(&mut self, slot: usize, is_first: bool) {
        (self.slot, self.is_first) = (slot, is_first);
        self.registers.begin();
    }

    /// Jumps to a thunk.
    pub(super) fn leave(&mut self, to: usize) {
        self.code.put([JMP, 0, 0, 0, 0]);
        let at = self.last(size_of::<i32>());
        self.leaves.push(Jump { at, to: number(to) });
    }

    /// A new label, to be [put somewhere](Self::put_label).
    pub(super) fn label(&mut self) -> Label {
        self.labels.push(number(0));
        Label(self.labels.len() as u16 - 1)
    }

    /// Says that the label is here.
    pub(super) fn put_label(&mut self, label: Label) {
        self.labels[usize::from(label.0)] = number(self.len());
    }

    /// Jumps to `label` if `flag` says so.
    pub(super) fn jump_if(&mut self, flag: Flag, label: Label) {
        self.branch(flag);
        self.note_jump(label);
    }

    /// Emits a jump to nowhere yet.
    pub(super) fn branch(&mut self, flag: Flag) {
        self.code.put([0x0f, 0x80 | flag as u8, 0, 0, 0, 0]);
    }

    fn note_jump(&mut self, label: Label) {
        let at = self.last(size_of::<i32>());
        self.jumps.push(Jump { at, to: U16::new(label.0) });
    }

    /// Offset of the last so many bytes.
    fn last(&self, bytes: usize) -> U16 {
        number(self.len() - bytes)
    }

    /// Loads the address of the slot of that index into `rax`.
    pub(super) fn load_slot(&mut self, slot: usize) {
        asm!(self; mov rax, QWORD slot as i64);
        self.slots.push(self.last(size_of::<u64>()));
    }

    /// Loads the handler of the op of that index into `rcx`.
    pub(super) fn load_handler(&mut self, slot: usize) {
        asm!(self; mov rcx, QWORD slot as i64);
        self.handlers.push(self.last(size_of::<u64>()));
    }

    /// Loads one of the guest's addresses.
    pub(super) fn load_far_address(&mut self, register: u8, address: u64) {
        asm!(self; mov Rq(register), QWORD address as i64);
        self.addresses.push(self.last(size_of::<u64>()));
    }

    /// Says that the instruction before follows the link of that index, and whether it is the code's
    /// last one.
    pub(super) fn exit(&mut self, link: usize, last: bool) {
        let (link, end, last) = (number(link), number(self.len()), U16::new(last.into()));
        let none = number(0);
        self.exits.push(Exit { link, end, general: none, settled: none, last });
    }

    pub(super) fn read(&mut self, guest: u8) -> u8 {
        self.registers.read(guest, |t| transfer(&mut self.code, t))
    }

    pub(super) fn define(&mut self, guest: u8) -> u8 {
        self.accrued = self.accrued.filter(|accrued| *accrued != guest);
        self.registers.define(guest, |t| transfer(&mut self.code, t))
    }

    /// Makes `rcx` scratch until the next op.
    pub(super) fn take_rcx(&mut self) {
        self.registers.take_rcx(|t| transfer(&mut self.code, t));
    }

    /// Brings the hart in memory up to date.
    pub fn flush(&mut self) {
        self.registers.flush(|t| transfer(&mut self.code, t));
    }

    /// The code that leaves the op to its handler.
    fn slow_of_op(&mut self) -> &mut Slow {
        let slot = self.slot;
        if self.slow.last().is_none_or(|slow| slow.slot != slot) {
            let label = self.label();
            let (is_first, counted) = (self.is_first, self.counted);
            let (after_event, after_push) = (None, None);
            self.slow.push(Slow { label, after_event, after_push, slot, is_first, counted });
        }
        let last = self.slow.len() - 1;
        &mut self.slow[last]
    }

    /// Where to go to leave the op to its handler; the hart in memory must be exact there.
    pub(super) fn slow(&mut self) -> Label {
        self.slow_of_op().label
    }

    /// The same where it is time for a pause.
    pub(super) fn slow_after_event(&mut self) -> Label {
        let label = self.label();
        *self.slow_of_op().after_event.get_or_insert(label)
    }

    /// The same where also the address to return to was pushed. No other event of the op is
    /// left to its handler then.
    pub(super) fn slow_after_push(&mut self) -> Label {
        let label = self.label();
        *self.slow_of_op().after_push.get_or_insert(label)
    }

    /// Ends the block: what is executed rarely. Gives all of it, unless it is too much.
    pub fn finish(&mut self) -> Option<Code<'_>> {
        self.often = self.len();
        for run in &mut self.runs {
            run.entrance = number(self.code.len() + NUMBER_BYTES);
            self.code.put_all(&self.entrance);
        }
        for exit in &mut self.exits {
            exit.general = number(self.code.len());
            self.code.put_all(&[0; EXIT_BYTES]);
        }
        self.unexpected_returns();
        let mut slow = std::mem::take(&mut self.slow);
        for Slow { label, after_event, after_push, slot, is_first, counted } in slow.drain(..) {
            if let Some(label) = after_push {
                self.put_label(label);
                asm!(self; add rsp, BYTE 8);
            }
            if let Some(label) = after_event {
                self.put_label(label);
            }
            if after_event.or(after_push).is_some() {
                // It is the last event before a pause for the handler, too.
                at!(self.code, { mov DWORD } [rdx] super::ends::FUEL, { , 1 });
            }
            self.put_label(label);
            if counted != 0 {
                short!(self, sub Rq(RDI), counted);
            }
            self.leave_to(slot, is_first);
        }
        self.slow = slow;
        for jump in &mut self.jumps {
            jump.to = self.labels[usize::from(jump.to)];
        }
        let lists = Lists {
            jumps: &self.jumps,
            leaves: &self.leaves,
            slots: &self.slots,
            handlers: &self.handlers,
            addresses: &self.addresses,
            accesses: &self.accesses,
            exits: &self.exits,
            runs: &self.runs,
        };
        let bytes = self.code.bytes()?;
        Some(Code { bytes, often: self.often, is_fixed: self.is_fixed, lists })
    }

    /// Says that the next instruction accesses guest memory.
    pub(super) fn access(&mut self) {
        let counted = number(self.counted as usize);
        let (at, slot) = (number(self.len()), number(self.slot));
        self.accesses.push(Access { at, slot, counted });
    }
}
