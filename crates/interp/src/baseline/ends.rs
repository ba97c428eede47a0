//! Host code for the ends of blocks.
//!
//! It does what the handlers of [`control`](crate::ops::control) do, with jumps of its
//! own, which the host predicts by where they are; along a link, once both blocks have
//! code, with a direct one. What these handlers do rarely is left
//! to them: a link that leads nowhere yet, a pause, an address that the jump cache lacks.

use super::JMP;
use super::emit::{Emitter, Flag, Label, Unexpected, asm, at, x};
use super::registers::{R8, RCX, pinned};
use super::templates::{Condition, End, Sets};
use super::thunks::CALL;
use crate::context::{Context, JumpCacheEntry};
use crate::fuel::Fuel;
use crate::slot::{Op, Slot};
use dynasmrt::{DynasmApi, dynasm};
use rvrun_hart::Hart;
use std::mem::offset_of;

/// Offset in the context of the events that are left to handlers.
pub(super) const FUEL: i32 = (offset_of!(Context, fuel) + Fuel::LEFT) as i32;
/// Offset in the hart of the instructions retired.
pub(super) const INSTRET: i32 = offset_of!(Hart, instret) as i32;
/// How far an address is to be shifted to be an offset in the jump cache: one bit of it is no part
/// of an index.
const ENTRY: i8 = size_of::<JumpCacheEntry>().trailing_zeros() as i8 - 1;

/// Offset in an entry of the jump cache of where to go.
const CODE: i32 = offset_of!(JumpCacheEntry, code) as i32;

impl Emitter {
    /// Goes on with the op of that index, which is behind the run and has no host code.
    pub fn go_on(&mut self, slot: usize) {
        self.flush();
        self.leave_to(slot, false);
    }

    /// Leaves the op of that index to its handler, which is not in its slot any more if it
    /// `is_first` in a run.
    pub fn leave_to(&mut self, slot: usize, is_first: bool) {
        self.load_slot(slot);
        if is_first {
            self.load_handler(slot);
            self.leave(self.thunks.call);
        } else {
            self.leave(self.thunks.go);
        }
    }

    /// Ends the block; `data` are the slots behind the op.
    pub fn end(&mut self, op: Op, end: End, data: &[Slot]) {
        // SAFETY: pre-decoding puts values there where these ends say so.
        let value = |n: usize| data.get(n - 1).map_or(0, |slot| unsafe { slot.value });
        match end {
            End::Jump { event } => {
                self.flush();
                self.follow(1, event);
            }
            End::Branch { condition, event } => {
                self.compare_for_branch(op, condition);
                let (last, other) = if end.last_way(data) == Some(1) { (1, 3) } else { (3, 1) };
                let condition = if other == 1 { condition } else { condition.opposite() };
                self.leave_if(condition, other);
                self.follow(last, event);
            }
            End::Call => {
                self.flush();
                self.call_returns(op.rd, value(1));
                self.code.put([CALL, 0, 0, 0, 0]);
                self.exit(self.slot + 2, false);
                self.come_back(4);
            }
            End::Indirect { sets } => {
                let target = self.read(op.rs1);
                self.flush();
                let slow = self.slow();
                self.look_up(target, value(1) as i32, slow);
                if sets == Sets::Call {
                    self.call_returns(op.rd, value(2));
                    at!(self.code, { call QWORD } [rax] CODE, {});
                    self.come_back(3);
                } else {
                    let pause = self.slow_after_event();
                    self.event(pause);
                    if sets == Sets::Register {
                        self.load_address(value(2));
                        self.set_link(op.rd);
                    }
                    self.jump_to_found();
                }
            }
            End::Return => {
                let target = self.read(op.rs1);
                self.flush();
                self.return_to(target, value(1) as i32);
            }
            End::Stop => {}
        }
    }

    /// Sets the host's flags for a branch, and brings the hart in memory up to date.
    fn compare_for_branch(&mut self, op: Op, condition: Condition) {
        let equality = matches!(condition, Condition::Equal | Condition::NotEqual);
        if equality && op.rs2 == 0 && self.has_zero_flag(op.rs1) {
            return self.flush();
        }
        let [a, b] = [op.rs1, op.rs2].map(|register| self.registers.held(register));
        self.flush();
        match (a, b) {
            (Some(a), _) if op.rs2 == 0 => asm!(self; test Rq(a), Rq(a)),
            (None, _) if op.rs2 == 0 => {
                at!(self.code, { cmp QWORD } [rsi] x(op.rs1), { , BYTE 0 });
            }
            (Some(a), Some(b)) => asm!(self; cmp Rq(a), Rq(b)),
            (Some(a), None) => at!(self.code, { cmp Rq(a), } [rsi] x(op.rs2), {}),
            (None, Some(b)) => at!(self.code, { cmp } [rsi] x(op.rs1), { , Rq(b) }),
            (None, None) => {
                let a = self.read(op.rs1);
                at!(self.code, { cmp Rq(a), } [rsi] x(op.rs2), {});
            }
        }
    }

    /// Follows the link in the slot that is `n` behind the op's if `condition` holds. That is
    /// no event.
    fn leave_if(&mut self, condition: Condition, n: usize) {
        self.branch(match condition {
            Condition::Equal => Flag::Equal,
            Condition::NotEqual => Flag::NotEqual,
            Condition::Less => Flag::Less,
            Condition::NotLess => Flag::NotLess,
            Condition::Below => Flag::Below,
            Condition::NotBelow => Flag::NotBelow,
        });
        self.exit(self.slot + n, false);
    }

    /// Follows the link in the slot that is `n` behind the op's, and ends the code.
    fn follow(&mut self, n: usize, event: bool) {
        if event {
            let pause = self.slow_after_event();
            self.event(pause);
        }
        self.code.put([JMP, 0, 0, 0, 0]);
        self.exit(self.slot + n, true);
    }

    /// An event, which goes to `pause` if it is time for that.
    fn event(&mut self, pause: Label) {
        asm!(self; test rdi, rdi);
        self.jump_if(Flag::NotSign, pause);
    }

    /// Pushes where a call is to be returned to, counts it, and sets its register. No host
    /// register that is not pinned holds one of the guest's any more.
    fn call_returns(&mut self, register: u8, address: u64) {
        let short = i32::try_from(address as i64);
        if short.is_err() {
            self.load_address(address);
        }
        // The stack may be full.
        self.access();
        match short {
            Ok(address) => {
                asm!(self; push address);
                self.is_fixed = true;
            }
            Err(_) => asm!(self; push r8),
        }
        let pause = self.slow_after_push();
        self.event(pause);
        match (pinned(register), short) {
            (None, Ok(address)) => at!(self.code, { mov QWORD } [rsi] x(register), { , address }),
            (_, short) => {
                if short.is_ok() {
                    self.load_address(address);
                }
                self.set_link(register);
            }
        }
    }

    /// Loads a guest's address into `r8`.
    fn load_address(&mut self, address: u64) {
        match i32::try_from(address as i64) {
            Ok(address) => {
                asm!(self; mov r8, DWORD address);
                self.is_fixed = true;
            }
            Err(_) => self.load_far_address(R8, address),
        }
    }

    /// Sets a guest register to what `r8` has.
    fn set_link(&mut self, register: u8) {
        match pinned(register) {
            Some(host) => asm!(self; mov Rq(host), r8),
            None => at!(self.code, { mov } [rsi] x(register), { , r8 }),
        }
    }

    /// What is behind a call: goes on along the link in the slot that is `n` behind the op's.
    fn come_back(&mut self, n: usize) {
        asm!(self; add rsp, BYTE 8);
        self.code.put([JMP, 0, 0, 0, 0]);
        self.exit(self.slot + n, true);
    }

    /// Returns to the guest's address in the host register `target`, and `offset`. That is no event
    /// where the last call wants it: the call was one, and there are only so many on the stack.
    fn return_to(&mut self, target: u8, offset: i32) {
        let label = self.label();
        let (slow, pause) = (self.slow(), self.slow_after_event());
        if offset == 0 {
            asm!(self; cmp Rq(target), [rsp + 8]);
        } else {
            asm!(self; lea rax, [Rq(target) + offset]; cmp rax, [rsp + 8]);
        }
        self.jump_if(Flag::NotEqual, label);
        asm!(self; ret);
        self.unexpected.push(Unexpected { label, target, offset, slow, pause });
    }

    /// Returns that do not go where the last call wants them to.
    pub(super) fn unexpected_returns(&mut self) {
        let mut unexpected = std::mem::take(&mut self.unexpected);
        for Unexpected { label, target, offset, slow, pause } in unexpected.drain(..) {
            self.put_label(label);
            self.look_up(target, offset, slow);
            self.event(pause);
            self.jump_to_found();
        }
        self.unexpected = unexpected;
    }

    /// Looks the guest's address in the host register `target`, and `offset`, up: `rax` gets the
    /// address of its entry. Leaves the op to its handler if there is none.
    fn look_up(&mut self, target: u8, offset: i32, slow: Label) {
        // Keys have bit 0 set. An odd sum finds none: what its bit 0 says is the handler's.
        self.load_effective_address(RCX, target, offset.wrapping_add(1));
        asm!(self; mov rax, rcx; shl rax, ENTRY);
        at!(self.code, { and rax, } [rdx] offset_of!(Context, jump_cache_mask) as i32, {});
        at!(self.code, { add rax, } [rdx] offset_of!(Context, jump_cache_start) as i32, {});
        at!(self.code, { cmp rcx, } [rax] offset_of!(JumpCacheEntry, key) as i32, {});
        self.jump_if(Flag::NotEqual, slow);
    }

    /// Jumps to what was looked up.
    fn jump_to_found(&mut self) {
        at!(self.code, { jmp QWORD } [rax] CODE, {});
    }
}
