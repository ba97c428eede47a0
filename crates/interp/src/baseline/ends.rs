//! Host code for the ends of blocks.
//!
//! It does what the handlers of [`control`](crate::ops::control) do, with jumps of its
//! own, which the host predicts by where they are; along a link, once both blocks have
//! code, with a direct one. What these handlers do rarely is left
//! to them: a link that leads nowhere yet, a pause, an address that the jump cache lacks.

use super::emit::{Emitter, Exit, Unexpected, asm, at, x};
use super::registers::{RCX, pinned};
use super::templates::{Condition, End, Sets};
use crate::context::{Context, JumpCacheEntry};
use crate::fuel::Fuel;
use crate::slot::{Handler, Op, Slot, Way};
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
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
    /// Goes on with the op at `slot`, which is behind the run and has no host code.
    pub fn go_on(&mut self, slot: *const Slot) {
        self.flush();
        self.leave_to(slot, None);
    }

    /// Leaves the op at `slot` to its handler: that one if it is not in the slot any more.
    pub fn leave_to(&mut self, slot: *const Slot, handler: Option<Handler>) {
        asm!(self; mov rax, QWORD slot as i64);
        match handler {
            Some(handler) => {
                asm!(self; mov rcx, QWORD handler as usize as i64);
                self.leave(self.thunks.call);
            }
            None => self.leave(self.thunks.go),
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
                let label = self.code.new_dynamic_label();
                asm!(self; call =>label);
                self.exit(label, 2, false);
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
        let to = self.code.new_dynamic_label();
        match condition {
            Condition::Equal => asm!(self; je =>to),
            Condition::NotEqual => asm!(self; jne =>to),
            Condition::Less => asm!(self; jl =>to),
            Condition::NotLess => asm!(self; jge =>to),
            Condition::Below => asm!(self; jb =>to),
            Condition::NotBelow => asm!(self; jae =>to),
        }
        self.exit(to, n, false);
    }

    /// Follows the link in the slot that is `n` behind the op's, and ends the code.
    fn follow(&mut self, n: usize, event: bool) {
        if event {
            let pause = self.slow_after_event();
            self.event(pause);
        }
        let label = self.code.new_dynamic_label();
        asm!(self; jmp =>label);
        self.exit(label, n, true);
    }

    /// Says that the instruction before goes to `label`, which is to follow a link, and whether
    /// it is the code's last one.
    fn exit(&mut self, label: DynamicLabel, n: usize, last: bool) {
        self.goes_apart();
        self.general.push(label);
        let way = Way { end: self.len() as u32, general: 0, last };
        self.parts.exits.push(Exit { link: self.slot.wrapping_add(n), way });
    }

    /// The ways along links to whatever is there.
    pub(super) fn general_ways(&mut self) {
        let mut labels = std::mem::take(&mut self.general);
        for (index, label) in labels.drain(..).enumerate() {
            let general = self.len() as u32;
            let exit = &mut self.parts.exits[index];
            exit.way.general = general;
            asm!(self; =>label; mov rax, QWORD exit.link as i64);
            self.leave(self.thunks.link);
        }
        self.general = labels;
    }

    /// An event, which goes to `pause` if it is time for that.
    fn event(&mut self, pause: DynamicLabel) {
        asm!(self; test rdi, rdi; jns =>pause);
        self.goes_apart();
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
            Ok(address) => asm!(self; push address),
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
            Ok(address) => asm!(self; mov r8, DWORD address),
            Err(_) => asm!(self; mov r8, QWORD address as i64),
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
        let label = self.code.new_dynamic_label();
        asm!(self; add rsp, BYTE 8; jmp =>label);
        self.exit(label, n, true);
    }

    /// Returns to the guest's address in the host register `target`, and `offset`.
    fn return_to(&mut self, target: u8, offset: i32) {
        let label = self.code.new_dynamic_label();
        let (slow, pause) = (self.slow(), self.slow_after_event());
        if offset == 0 {
            asm!(self; cmp Rq(target), [rsp + 8]);
        } else {
            asm!(self; lea rax, [Rq(target) + offset]; cmp rax, [rsp + 8]);
        }
        asm!(self; jne =>label);
        self.goes_apart();
        self.event(pause);
        asm!(self; ret);
        self.unexpected.push(Unexpected { label, target, offset, slow, pause });
    }

    /// Returns that do not go where the last call wants them to.
    pub(super) fn unexpected_returns(&mut self) {
        let mut unexpected = std::mem::take(&mut self.unexpected);
        for Unexpected { label, target, offset, slow, pause } in unexpected.drain(..) {
            asm!(self; =>label);
            self.look_up(target, offset, slow);
            self.event(pause);
            self.jump_to_found();
        }
        self.unexpected = unexpected;
    }

    /// Looks the guest's address in the host register `target`, and `offset`, up: `rax` gets the
    /// address of its entry. Leaves the op to its handler if there is none.
    fn look_up(&mut self, target: u8, offset: i32, slow: DynamicLabel) {
        // Keys have bit 0 set. An odd sum finds none: what its bit 0 says is the handler's.
        self.load_effective_address(RCX, target, offset.wrapping_add(1));
        asm!(self; mov rax, rcx; shl rax, ENTRY);
        at!(self.code, { and rax, } [rdx] offset_of!(Context, jump_cache_mask) as i32, {});
        at!(self.code, { add rax, } [rdx] offset_of!(Context, jump_cache_start) as i32, {});
        at!(self.code, { cmp rcx, } [rax] offset_of!(JumpCacheEntry, key) as i32, {});
        asm!(self; jne =>slow);
        self.goes_apart();
    }

    /// Jumps to what was looked up.
    fn jump_to_found(&mut self) {
        at!(self.code, { jmp QWORD } [rax] CODE, {});
    }
}
