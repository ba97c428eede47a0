//! Host code for the ends of blocks.
//!
//! It does what the handlers of [`control`](crate::ops::control) do, with jumps of its
//! own, which the host predicts by where they are; along a link, once both blocks have
//! code, with a direct one. What these handlers do rarely is left
//! to them: a link that leads nowhere yet, a pause, an address that the jump cache lacks.

use super::emit::{Emitter, Exit, General, Retires, asm, at, x};
use super::templates::{Condition, End};
use crate::context::{Context, JumpCacheEntry};
use crate::fuel::Fuel;
use crate::slot::{Link, Op, Slot};
use dynasmrt::{DynamicLabel, DynasmApi, DynasmLabelApi, dynasm};
use rvrun_hart::Hart;
use std::mem::offset_of;

/// Offset in the context of the events that are left.
pub(super) const FUEL: i32 = (offset_of!(Context, fuel) + Fuel::LEFT) as i32;
const INSTRET: i32 = offset_of!(Hart, instret) as i32;
const ENTRY: i8 = size_of::<JumpCacheEntry>().trailing_zeros() as i8;

impl Emitter {
    /// Goes on with the op at `rdi`.
    pub fn go(&mut self) {
        if cfg!(threaded) {
            asm!(self; jmp QWORD [rdi]);
        } else {
            asm!(self; mov rax, rdi; ret);
        }
    }

    /// Goes on with the op that is `distance` slots behind the run's first one.
    pub fn go_on(&mut self, distance: usize) {
        self.flush();
        self.move_on(distance);
        self.go();
    }

    /// Ends the block; `data` are the slots behind the op.
    pub fn end(&mut self, op: Op, end: End, data: &[Slot]) {
        // SAFETY: pre-decoding puts values there where these ends say so.
        let value = |n: usize| data.get(n - 1).map_or(0, |slot| unsafe { slot.value });
        let retires = |event, returns| Retires { count: op.imm, event, returns };
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
                let taken = self.code.new_dynamic_label();
                self.jump_if(condition, taken);
                self.follow(2, retires(false, None));
                asm!(self; =>taken);
                self.follow(1, retires(event, None));
            }
            End::Call => {
                self.flush();
                self.follow(2, retires(true, Some((op.rd, value(1)))));
            }
            End::Indirect { call } => {
                let target = self.read(op.rs1);
                self.flush();
                let returns = call.then(|| (op.rd, value(2)));
                self.jump_to(target, value(1) as i32, retires(true, returns));
            }
            End::Stop => {}
        }
    }

    fn jump_if(&mut self, condition: Condition, to: DynamicLabel) {
        match condition {
            Condition::Equal => asm!(self; je =>to),
            Condition::NotEqual => asm!(self; jne =>to),
            Condition::Less => asm!(self; jl =>to),
            Condition::NotLess => asm!(self; jge =>to),
            Condition::Below => asm!(self; jb =>to),
            Condition::NotBelow => asm!(self; jae =>to),
        }
    }

    /// Follows the link in the slot that is `n` behind the op's.
    fn follow(&mut self, n: usize, retires: Retires) {
        let label = self.code.new_dynamic_label();
        let at = self.len();
        asm!(self; jmp =>label);
        self.retire(retires);
        asm!(self; add rdi, DWORD 0);
        let moved = self.len();
        asm!(self; jmp =>label);
        let link = ((self.distance + n) * size_of::<Slot>() + offset_of!(Link, next)) as i32;
        self.general.push(General { label, exit: self.exits.len(), link, retires });
        self.exits.push(Exit {
            link: self.slot.wrapping_add(n),
            run: self.slot.wrapping_sub(self.distance),
            at,
            general: 0,
            moved,
            end: self.len(),
        });
    }

    /// The ways along links to whatever is there.
    pub(super) fn general_ways(&mut self) {
        for General { label, exit, link, retires } in std::mem::take(&mut self.general) {
            self.exits[exit].general = self.len();
            asm!(self; =>label);
            let unlinked = self.slow();
            at!(self.code, { mov rax, } [rdi] link, {});
            asm!(self; test rax, rax; jz =>unlinked);
            self.retire(retires);
            asm!(self; mov rdi, rax);
            self.go();
        }
    }

    /// Does what may still be left to the handler until then.
    fn retire(&mut self, retires: Retires) {
        let Retires { count, event, returns } = retires;
        if event {
            let pause = self.slow_after_event();
            at!(self.code, { dec DWORD } [rdx] FUEL, {});
            asm!(self; jz =>pause);
        }
        asm!(self; add QWORD [rsi + INSTRET], count);
        if let Some((register, address)) = returns {
            match i32::try_from(address as i64) {
                Ok(address) => at!(self.code, { mov QWORD } [rsi] x(register), { , address }),
                Err(_) => {
                    asm!(self; mov r8, QWORD address as i64);
                    at!(self.code, { mov } [rsi] x(register), { , r8 });
                }
            }
        }
    }

    /// Jumps to the address in `target`, which is one of the guest's registers in a host
    /// register, plus `offset`.
    fn jump_to(&mut self, target: u8, offset: i32, retires: Retires) {
        let missed = self.slow();
        // From here on no host register holds a guest's.
        asm!(self
            ; lea rcx, [Rq(target) + offset]
            ; mov rax, rcx
            ; or rcx, 1
            ; shr rax, 1
            ; and rax, [rdx + offset_of!(Context, jump_cache_mask) as i32]
            ; shl rax, ENTRY
            ; add rax, [rdx + offset_of!(Context, jump_cache_start) as i32]
            ; cmp rcx, [rax + offset_of!(JumpCacheEntry, key) as i32]
            ; jne =>missed
            ; mov rax, [rax + offset_of!(JumpCacheEntry, block) as i32]
        );
        self.retire(retires);
        asm!(self; mov rdi, rax);
        self.go();
    }
}
