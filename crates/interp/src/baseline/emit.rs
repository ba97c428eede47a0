//! Host code in the making: how it is entered and left, and what it is about.
//!
//! While host code runs, `rsi` holds the hart's address and [`BIAS`], `rdx` the context's,
//! and `rdi` counts retired instructions, which the hart does not do meanwhile: it is below 0 up to
//! the next pause. `rax` is
//! scratch, and `rcx` where it is taken; others hold guest registers: see
//! [`registers`](super::registers).
//!
//! What is executed often and what is not are apart, so that little of the first fills
//! the host's caches. A block is entered where the latter is, by an [*entrance*](FETCH_BYTES)
//! that has what is pinned fetched; who comes from other host code skips that. Who
//! leaves host code goes through [`Thunks`], which write it back. Wherever an access may
//! fault or an op may be left to its handler, the rest of the hart in memory is
//! exact: what was computed is written back before.

use super::registers::{FloatRegisters, PINNED, Registers, Transfer};
use super::{INSTRUCTIONS, NOP, OUTSIDE, POINTER};
use crate::context::{Context, JumpCacheEntry};
use crate::ops::control;
use crate::slot::{Handler, Link, Slot, Way};
use dynasmrt::x64::X64Relocation;
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, VecAssembler, dynasm};
use rvrun_hart::Hart;
use std::mem::offset_of;
use std::ptr;

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

/// The first byte of a call of five bytes, before the distance.
const CALL: u8 = 0xe8;

/// Bytes of an entrance up to its jump to the code that is executed often.
pub const FETCH_BYTES: usize = 5 + stack_move_bytes(POINTER) + stack_move_bytes(OUTSIDE);

/// Bytes of a move between the stack pointer and a place in the context.
const fn stack_move_bytes(offset: i32) -> usize {
    if offset <= i8::MAX as i32 { 4 } else { 7 }
}

/// Ways out of host code, by their addresses. `rax` has a slot.
#[derive(Clone, Copy, Debug, Default)]
pub struct Thunks {
    /// To the op at the slot.
    pub go: usize,
    /// To the handler in `rcx`, for the op at the slot.
    pub call: usize,
    /// The same, to a block that has no host code, which gets some, or to a gate.
    pub cold: usize,
    /// Along the link at the slot.
    pub link: usize,
    /// To the block at the slot, which may have host code.
    pub follow: usize,
    /// The same, to the block of an entry of the jump cache, whose address `rax` has.
    pub found: usize,
    /// To the address on the stack, which a handler put there; whatever `rax` has.
    pub returned: usize,
    /// The same, where there was no call: the address is the stack's last word.
    pub bottom: usize,
    /// What an entrance calls: fetches what is pinned.
    fetch: usize,
}

impl Thunks {
    /// The code of all, and their offsets in it.
    pub fn code() -> Option<(Vec<u8>, Self)> {
        let mut code = VecAssembler::<X64Relocation>::new(0);
        let offset = |code: &VecAssembler<_>| code.offset().0;
        let go = offset(&code);
        settle(&mut code);
        if cfg!(threaded) {
            dynasm!(code; .arch x64; jmp QWORD [rdi]);
        } else {
            dynasm!(code; .arch x64; mov rax, rdi; ret);
        }
        let call = offset(&code);
        settle(&mut code);
        dynasm!(code; .arch x64; jmp rcx);
        let cold = offset(&code);
        dynasm!(code; .arch x64; cold:);
        settle(&mut code);
        dynasm!(code; .arch x64
            ; mov rax, QWORD control::gate as *const () as i64
            ; cmp rcx, rax
            ; je >on
            ; dec DWORD [rdx + offset_of!(Context, cold) as i32]
            ; jz >wanted
            ; on:
            ; jmp rcx
            ; wanted:
            ; mov rax, QWORD super::wanted as *const () as i64
            ; jmp rax
        );
        let link = offset(&code);
        dynasm!(code; .arch x64
            ; mov rcx, [rax + offset_of!(Link, next) as i32]
            ; test rcx, rcx
            ; jz >unlinked
            ; mov rax, rcx
            ; jmp >follow
            ; unlinked:
        );
        settle(&mut code);
        dynasm!(code; .arch x64; mov rax, QWORD control::unlinked as *const () as i64; jmp rax);
        let found = offset(&code);
        dynasm!(code; .arch x64; mov rax, [rax + offset_of!(JumpCacheEntry, block) as i32]);
        let follow = offset(&code);
        dynasm!(code; .arch x64
            ; follow:
            ; mov rcx, [rax]
            ; mov r8, rcx
            ; sub r8, [rdx + super::ARENA]
            ; cmp r8, super::ARENA_BYTES as i32
            ; jae <cold
            ; add rcx, BYTE FETCH_BYTES as i8
            ; jmp rcx
        );
        let bottom = offset(&code);
        dynasm!(code; .arch x64; pop rcx; sub rsp, BYTE 16; and rcx, BYTE -2; jmp >arrive);
        let returned = offset(&code);
        dynasm!(code; .arch x64; pop rcx; arrive:; mov [rsi + PC], rcx);
        settle(&mut code);
        dynasm!(code; .arch x64; mov rax, QWORD control::arrived as *const () as i64; jmp rax);
        let fetch = offset(&code);
        dynasm!(code; .arch x64; sub rsi, BYTE -BIAS as i8);
        for (guest, host) in PINNED {
            transfer(&mut code, Transfer::Load { host, guest });
        }
        at!(code, { mov rdi, } [rdx] INSTRUCTIONS, {});
        dynasm!(code; .arch x64; ret);
        let thunks = Self { go, call, cold, link, follow, found, returned, bottom, fetch };
        Some((code.finalize().ok()?, thunks))
    }

    /// Makes addresses of offsets: the code is at `start`.
    pub fn place(&mut self, start: usize) {
        let Self { go, call, cold, link, follow, found, returned, bottom, fetch } = self;
        for thunk in [go, call, cold, link, follow, found, returned, bottom, fetch] {
            *thunk += start;
        }
    }
}

/// Brings the hart up to date, leaves the stack, and moves the slot to where handlers want it.
fn settle(code: &mut VecAssembler<X64Relocation>) {
    for (guest, host) in PINNED {
        transfer(code, Transfer::Store { host, guest });
    }
    dynasm!(code; .arch x64; mov r8, rdi);
    at!(code, { sub r8, } [rdx] INSTRUCTIONS, {});
    at!(code, { mov } [rdx] INSTRUCTIONS, { , rdi });
    dynasm!(code; .arch x64
        ; add rsi, BYTE -BIAS as i8
        ; add [rsi + super::ends::INSTRET], r8
        ; mov rdi, rax
    );
    at!(code, { mov } [rdx] POINTER, { , rsp });
    at!(code, { mov rsp, } [rdx] OUTSIDE, {});
}

/// A host instruction that accesses guest memory.
pub struct Access {
    /// Its offset in the code.
    pub at: usize,
    /// The op that it is part of, and its handler.
    pub slot: *const Slot,
    pub handler: Handler,
    /// Instructions that the run has counted, and the block's last handler will.
    pub counted: i32,
}

/// Code that leaves an op to its handler.
struct Slow {
    /// Where to go for that.
    label: DynamicLabel,
    /// Where to go for a pause, which the handler makes.
    after_event: Option<DynamicLabel>,
    /// The same, if where to return to was pushed as well.
    after_push: Option<DynamicLabel>,
    slot: *const Slot,
    /// The op's own handler if the slot has the run's in its place.
    handler: Option<Handler>,
    /// Instructions that the run has counted, and the block's last handler will.
    counted: i32,
}

/// A way out of the block along a link: a jump, at first to code that does what the link
/// says. It may go straight to the code of the block at a known place instead; see
/// [`Baseline::chain`](super::Baseline::chain). Offsets are from the beginning of the block's code.
pub struct Exit {
    pub link: *const Slot,
    pub way: Way,
}

impl Exit {
    /// Offset of the first byte that changes when it is made to lead elsewhere.
    pub fn changes(&self) -> usize {
        self.way.end as usize - if self.way.last { NOP.len() } else { size_of::<i32>() }
    }
}

/// A return that does not go where the last call wants it to.
pub(super) struct Unexpected {
    pub label: DynamicLabel,
    /// The host register with the guest's address, and what is to be added to it.
    pub target: u8,
    pub offset: i32,
    /// Leaves the op to the handler, before and after the event was counted.
    pub slow: DynamicLabel,
    pub pause: DynamicLabel,
}

/// A jump of which only the end is known before the code has its place.
struct Jump {
    /// Offset of its distance.
    at: usize,
    to: To,
}

enum To {
    /// An address.
    Elsewhere(usize),
    /// An offset in what is executed often.
    Often(usize),
    /// An offset in what is executed rarely, known to the assembler.
    Rarely,
}

/// What is to be known of a block's code.
#[derive(Default)]
pub struct Parts {
    pub accesses: Vec<Access>,
    pub exits: Vec<Exit>,
    pub runs: Vec<Run>,
}

impl Parts {
    /// The link of the way out that is the last of so many bytes of code.
    pub fn last_way(&self, length: usize) -> Option<*const Slot> {
        let exit = self.exits.last().filter(|exit| exit.way.last)?;
        (exit.way.end as usize == length).then_some(exit.link)
    }
}

/// Where a run begins.
pub struct Run {
    /// Index of its first slot.
    pub index: usize,
    /// Offset of its code.
    pub code: usize,
    /// Offset of its entrance.
    pub entrance: usize,
}

/// Host code of a block in the making. It serves for one block after another, so that its
/// memory is there when it is wanted.
pub struct Emitter {
    pub(super) code: VecAssembler<X64Relocation>,
    pub(super) thunks: Thunks,
    pub(super) registers: Registers,
    pub(super) floats: FloatRegisters,
    pub parts: Parts,
    /// Where ways along links lead at first, in the order of [`Parts::exits`].
    pub(super) general: Vec<DynamicLabel>,
    pub(super) unexpected: Vec<Unexpected>,
    slow: Vec<Slow>,
    /// The code, once all of it is there.
    pub done: Code,
    /// The op that code is emitted for.
    pub(super) slot: *const Slot,
    handler: Handler,
    /// Whether it is the first one of its run.
    is_first: bool,
    /// Instructions that its run has counted.
    counted: i32,
    /// The guest register that the host's zero flag is about, and the length of the code when
    /// that was set.
    pub(super) zero_flag: Option<(u8, usize)>,
}

/// Host code that has no place yet.
#[derive(Default)]
pub struct Code {
    bytes: Vec<u8>,
    often: usize,
    jumps: Vec<Jump>,
}

impl Code {
    /// Bytes of what is executed often, and of what is not.
    pub fn sizes(&self) -> (usize, usize) {
        (self.often, self.bytes.len() - self.often)
    }

    /// The two parts, to be executed at these addresses.
    pub fn at(&mut self, often: usize, rarely: usize) -> (&[u8], &[u8]) {
        let split = self.often;
        let address = |offset: usize| {
            if offset < split { often + offset } else { rarely + (offset - split) }
        };
        for jump in &self.jumps {
            let place = &mut self.bytes[jump.at..jump.at + 4];
            let known = i32::from_le_bytes(place.try_into().unwrap_or_default());
            let to = match jump.to {
                To::Elsewhere(address) => address,
                To::Often(offset) => address(offset),
                To::Rarely => address((jump.at + 4).wrapping_add_signed(known as isize)),
            };
            let distance = to.wrapping_sub(address(jump.at) + 4) as i32;
            place.copy_from_slice(&distance.to_le_bytes());
        }
        self.bytes.split_at(split)
    }
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
const PC: i32 = offset_of!(Hart, pc) as i32 - BIAS;

pub(super) fn transfer(code: &mut VecAssembler<X64Relocation>, transfer: Transfer) {
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
            code: VecAssembler::new(0),
            thunks,
            registers: Registers::new(),
            floats: FloatRegisters::new(),
            parts: Parts::default(),
            general: Vec::new(),
            unexpected: Vec::new(),
            slow: Vec::new(),
            done: Code::default(),
            slot: ptr::null(),
            handler: control::illegal,
            is_first: true,
            counted: 0,
            zero_flag: None,
        }
    }

    /// Forgets the last block.
    pub fn clear(&mut self) {
        let Parts { accesses, exits, runs } = &mut self.parts;
        accesses.clear();
        exits.clear();
        runs.clear();
        self.done.bytes.clear();
        self.done.jumps.clear();
    }

    /// Bytes so far.
    pub fn len(&self) -> usize {
        self.code.offset().0
    }

    /// Begins a run with the slot of that index, which counts so many instructions: those of
    /// its block if it is the last one, else none.
    pub fn begin_run(&mut self, index: usize, counted: i32) {
        self.registers = Registers::new();
        self.floats = FloatRegisters::new();
        self.zero_flag = None;
        let code = self.len();
        self.parts.runs.push(Run { index, code, entrance: 0 });
        self.counted = counted;
        if counted != 0 {
            short!(self, add Rq(RDI), counted);
        }
    }

    /// Goes on with the op at `slot`, which has that handler.
    pub fn begin(&mut self, slot: *const Slot, handler: Handler, is_first: bool) {
        (self.slot, self.handler, self.is_first) = (slot, handler, is_first);
        self.registers.begin();
    }

    /// Jumps to code that is elsewhere in the arena.
    pub(super) fn leave(&mut self, to: usize) {
        self.code.push(super::JMP);
        self.distance(To::Elsewhere(to));
    }

    fn distance(&mut self, to: To) {
        let at = self.len();
        self.done.jumps.push(Jump { at, to });
        self.code.push_i32(0);
    }

    /// Says that the last instruction jumps from what is executed often to what is not.
    pub(super) fn goes_apart(&mut self) {
        let at = self.len() - size_of::<i32>();
        self.done.jumps.push(Jump { at, to: To::Rarely });
    }

    pub(super) fn read(&mut self, guest: u8) -> u8 {
        self.registers.read(guest, |t| transfer(&mut self.code, t))
    }

    pub(super) fn define(&mut self, guest: u8) -> u8 {
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
            let label = self.code.new_dynamic_label();
            let handler = self.is_first.then_some(self.handler);
            let counted = self.counted;
            let (after_event, after_push) = (None, None);
            self.slow.push(Slow { label, after_event, after_push, slot, handler, counted });
        }
        let last = self.slow.len() - 1;
        &mut self.slow[last]
    }

    /// Where to go to leave the op to its handler; the hart in memory must be exact there.
    pub(super) fn slow(&mut self) -> DynamicLabel {
        self.slow_of_op().label
    }

    /// The same where it is time for a pause.
    pub(super) fn slow_after_event(&mut self) -> DynamicLabel {
        let label = self.code.new_dynamic_label();
        *self.slow_of_op().after_event.get_or_insert(label)
    }

    /// The same where also the address to return to was pushed. No other event of the op is
    /// left to its handler then.
    pub(super) fn slow_after_push(&mut self) -> DynamicLabel {
        let label = self.code.new_dynamic_label();
        *self.slow_of_op().after_push.get_or_insert(label)
    }

    /// Ends the block: what is executed rarely. `first` is put before the entrance of the first run,
    /// and what follows it before those of others. None if the assembler was asked for
    /// what there is not. [`done`](Self::done) and [`parts`](Self::parts) have the code then.
    pub fn finish(&mut self, first: u32) -> Option<()> {
        self.done.often = self.len();
        for index in 0..self.parts.runs.len() {
            self.code.push_u32(first + index as u32);
            let entrance = self.len();
            self.parts.runs[index].entrance = entrance;
            self.code.push(CALL);
            self.distance(To::Elsewhere(self.thunks.fetch));
            at!(self.code, { mov } [rdx] OUTSIDE, { , rsp });
            at!(self.code, { mov rsp, } [rdx] POINTER, {});
            debug_assert_eq!(self.len() - entrance, FETCH_BYTES);
            self.code.push(super::JMP);
            self.distance(To::Often(self.parts.runs[index].code));
        }
        self.general_ways();
        self.unexpected_returns();
        let mut slow = std::mem::take(&mut self.slow);
        for Slow { label, after_event, after_push, slot, handler, counted } in slow.drain(..) {
            if let Some(label) = after_push {
                asm!(self; =>label; add rsp, BYTE 8);
            }
            if let Some(label) = after_event {
                asm!(self; =>label);
            }
            if after_event.or(after_push).is_some() {
                // It is the last event before a pause for the handler, too.
                at!(self.code, { mov DWORD } [rdx] super::ends::FUEL, { , 1 });
            }
            asm!(self; =>label);
            if counted != 0 {
                short!(self, sub Rq(RDI), counted);
            }
            self.leave_to(slot, handler);
        }
        self.slow = slow;
        self.done.bytes.extend(self.code.drain().ok()?);
        Some(())
    }

    /// Says that the next instruction accesses guest memory.
    pub(super) fn access(&mut self) {
        let at = self.len();
        let (slot, handler, counted) = (self.slot, self.handler, self.counted);
        self.parts.accesses.push(Access { at, slot, handler, counted });
    }
}
