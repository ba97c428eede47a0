//! Host code for the ends of blocks.
//!
//! It does what the handlers of [`control`](crate::ops::control) do, with jumps of its
//! own, which the host predicts by where they are; along a link, once both blocks have
//! code, with a direct one. What these handlers do rarely is left
//! to them: a link that leads nowhere yet, a pause, an address that the jump cache lacks.

use super::emit::{Emitter, Exit, General, Indirect, Retires, asm, at, x};
use super::registers::pinned;
use super::templates::{Condition, End};
use crate::context::{Context, JumpCacheEntry};
use crate::fuel::Fuel;
use crate::slot::{Link, Op, Slot};
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use rvrun_hart::Hart;
use std::mem::offset_of;

/// Offset in the context of the events that are left.
pub(super) const FUEL: i32 = (offset_of!(Context, fuel) + Fuel::LEFT) as i32;
/// Offset in the hart of the instructions retired.
pub(super) const INSTRET: i32 = offset_of!(Hart, instret) as i32;
/// Offset in the context of the address of the last return that is remembered, and how far
/// it is to the next one.
const LAST_RETURN: i32 = offset_of!(Context, last_return) as i32;
const RETURN: i8 = 16;
const ENTRY: i8 = size_of::<JumpCacheEntry>().trailing_zeros() as i8;

impl Emitter {
    /// Goes on with the op at `slot`, which is behind the run and has no host code.
    pub fn go_on(&mut self, slot: *const Slot) {
        self.flush();
        asm!(self; mov rax, QWORD slot as i64);
        self.leave(self.thunks.go);
    }

    /// Ends the block; `data` are the slots behind the op.
    pub fn end(&mut self, op: Op, end: End, data: &[Slot]) {
        // SAFETY: pre-decoding puts values there where these ends say so.
        let value = |n: usize| data.get(n - 1).map_or(0, |slot| unsafe { slot.value });
        let retires = |event, returns| Retires { event, returns };
        match end {
            End::Jump { event } => {
                self.flush();
                self.follow(1, retires(event, None));
            }
            End::Branch { condition, event } => {
                let a = self.read(op.rs1);
                let b = (op.rs2 != 0).then(|| self.read(op.rs2));
                self.flush();
                match b {
                    None => asm!(self; test Rq(a), Rq(a)),
                    Some(b) => asm!(self; cmp Rq(a), Rq(b)),
                }
                let (last, other) = if end.last_way(data) == Some(1) { (1, 2) } else { (2, 1) };
                let condition = if other == 1 { condition } else { condition.opposite() };
                self.leave_if(condition, other);
                self.follow(last, retires(event, None));
            }
            End::Call => {
                self.flush();
                self.follow(2, retires(true, Some((op.rd, value(1)))));
            }
            End::Indirect { call } => {
                let target = self.read(op.rs1);
                self.flush();
                let returns = call.then(|| (op.rd, value(2)));
                asm!(self; lea rcx, [Rq(target) + value(1) as i32]);
                let (slow, pause) = (self.slow(), self.slow_after_event());
                self.jump_to(retires(true, returns), slow, pause);
            }
            End::Return => {
                let target = self.read(op.rs1);
                self.flush();
                asm!(self; lea rcx, [Rq(target) + value(1) as i32]);
                self.return_to(retires(true, None));
            }
            End::Stop => {}
        }
    }

    /// Follows the link in the slot that is `n` behind the op's if `condition` holds. That is
    /// no event.
    fn leave_if(&mut self, condition: Condition, n: usize) {
        let to = self.code.new_dynamic_label();
        match condition {
            Condition::Equal => asm!(self; je =>to),
            Condition::NotEqual => asm!(self; jne =>to),
            Condition::Less => asm!(self; jl =>to),
            Condition::NotLess => asm!(self; jge =>to),
            Condition::Below => asm!(self; jb =>to),
            Condition::NotBelow => asm!(self; jae =>to),
        }
        self.exit(to, n, Retires { event: false, returns: None }, false);
    }

    /// Follows the link in the slot that is `n` behind the op's, and ends the code.
    fn follow(&mut self, n: usize, retires: Retires) {
        self.retire(retires);
        let label = self.code.new_dynamic_label();
        asm!(self; jmp =>label);
        self.exit(label, n, retires, true);
    }

    /// Says that the last instruction jumps to `label`, which is to follow a link.
    fn exit(&mut self, label: DynamicLabel, n: usize, retires: Retires, last: bool) {
        self.goes_apart();
        let slow = self.slow();
        self.general.push(General { label, exit: self.parts.exits.len(), retires, slow });
        let (link, end) = (self.slot.wrapping_add(n), self.len());
        self.parts.exits.push(Exit { link, end, general: 0, last });
    }

    /// The ways along links to whatever is there.
    pub(super) fn general_ways(&mut self) {
        let mut ways = std::mem::take(&mut self.general);
        for General { label, exit, retires, slow } in ways.drain(..) {
            self.parts.exits[exit].general = self.len();
            let next = self.parts.exits[exit].link as usize + offset_of!(Link, next);
            asm!(self; =>label; mov rax, QWORD next as i64; mov rax, [rax]; test rax, rax; jz >none);
            self.leave(self.thunks.follow);
            asm!(self; none:);
            if retires.returns.is_some() {
                // The handler remembers it once more.
                asm!(self; sub BYTE [rdx + LAST_RETURN], RETURN);
            }
            if retires.event {
                at!(self.code, { inc DWORD } [rdx] FUEL, {});
            }
            asm!(self; jmp =>slow);
        }
        self.general = ways;
    }

    /// Does what may still be left to the handler until then.
    fn retire(&mut self, retires: Retires) {
        let pause = retires.event.then(|| self.slow_after_event());
        self.retire_or(retires, pause);
    }

    /// The same, with where to go to pause.
    fn retire_or(&mut self, retires: Retires, pause: Option<DynamicLabel>) {
        if let Some(pause) = pause {
            at!(self.code, { dec DWORD } [rdx] FUEL, {});
            asm!(self; jz =>pause);
            self.goes_apart();
        }
        if let Some((register, address)) = retires.returns {
            self.call_returns(register, address);
        }
    }

    /// Sets the register of a call, and remembers where it returns to. No host register that
    /// is not pinned holds one of the guest's any more.
    fn call_returns(&mut self, register: u8, address: u64) {
        match i32::try_from(address as i64) {
            Ok(address) => asm!(self; mov r8, DWORD address),
            Err(_) => asm!(self; mov r8, QWORD address as i64),
        }
        match pinned(register) {
            Some(host) => asm!(self; mov Rq(host), r8),
            None => at!(self.code, { mov } [rsi] x(register), { , r8 }),
        }
        at!(self.code, { mov r9, } [rdx] LAST_RETURN, {});
        asm!(self; add r9b, RETURN);
        at!(self.code, { mov } [rdx] LAST_RETURN, { , r9 });
        asm!(self; mov [r9], r8; mov r8, QWORD 0);
        self.parts.returns.push((address, self.len() - size_of::<u64>()));
        asm!(self; mov [r9 + 8], r8);
    }

    /// Returns to the guest's address in `rcx`.
    fn return_to(&mut self, retires: Retires) {
        let label = self.code.new_dynamic_label();
        let (slow, pause) = (self.slow(), self.slow_after_event());
        at!(self.code, { mov r9, } [rdx] LAST_RETURN, {});
        asm!(self; cmp rcx, [r9]; jne =>label);
        self.goes_apart();
        asm!(self; mov rax, [r9 + 8]; sub r9b, RETURN);
        at!(self.code, { mov } [rdx] LAST_RETURN, { , r9 });
        asm!(self; test rax, rax; jz =>label);
        self.goes_apart();
        self.retire_or(retires, Some(pause));
        asm!(self; jmp rax);
        self.indirect.push(Indirect { label, retires, slow, pause });
    }

    /// Returns that do not go where the last call wants them to, or to where there is no
    /// host code.
    pub(super) fn unexpected_returns(&mut self) {
        let mut indirect = std::mem::take(&mut self.indirect);
        for Indirect { label, retires, slow, pause } in indirect.drain(..) {
            asm!(self; =>label);
            self.jump_to(retires, slow, pause);
        }
        self.indirect = indirect;
    }

    /// Jumps to the guest's address in `rcx`. No host register that is not pinned holds one of
    /// the guest's any more.
    fn jump_to(&mut self, retires: Retires, slow: DynamicLabel, pause: DynamicLabel) {
        asm!(self
            ; mov rax, rcx
            ; or rcx, 1
            ; shr rax, 1
            ; and rax, [rdx + offset_of!(Context, jump_cache_mask) as i32]
            ; shl rax, ENTRY
            ; add rax, [rdx + offset_of!(Context, jump_cache_start) as i32]
            ; cmp rcx, [rax + offset_of!(JumpCacheEntry, key) as i32]
            ; jne =>slow
        );
        self.goes_apart();
        asm!(self
            ; mov rcx, [rax + offset_of!(JumpCacheEntry, code) as i32]
            ; mov rax, [rax + offset_of!(JumpCacheEntry, block) as i32]
        );
        self.retire_or(retires, Some(pause));
        if cfg!(threaded) {
            asm!(self; test rcx, rcx);
            self.leave_if_zero(self.thunks.follow);
            asm!(self; jmp rcx);
        } else {
            self.leave(self.thunks.go);
        }
    }
}
