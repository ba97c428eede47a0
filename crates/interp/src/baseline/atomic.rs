//! Host code for LR/SC, atomic memory operations, compare-and-swap and fences, by locked
//! instructions; see [`crate::ops::atomic`] for why these order enough.
//!
//! What is not aligned is left to the handler, which traps.

use super::MXCSR;
use super::emit::{BIAS, Emitter, Flag, Label, asm};
use super::registers::RCX;
use super::templates::Atomic;
use crate::slot::Op;
use dynasmrt::{DynasmApi, dynasm};
use rvrun_hart::{Hart, Reservation, SINK};
use rvrun_isa::effect::is_full_fence;
use std::mem::offset_of;

/// Where the parts of the reservation are, from `rsi`.
const RESERVED: i32 = offset_of!(Hart, reservation) as i32 - BIAS;
const ADDR: i32 = RESERVED + offset_of!(Reservation, addr) as i32;
const VALUE: i32 = RESERVED + offset_of!(Reservation, value) as i32;
const SIZE: i32 = RESERVED + offset_of!(Reservation, size) as i32;

/// A jump of two bytes, before the distance, taken unless the zero flag is set.
const JNE: u8 = 0x75;

/// Bytes that are accessed.
fn size(long: bool) -> i32 {
    if long { 8 } else { 4 }
}

impl Emitter {
    pub fn fence(&mut self, op: Op) {
        if is_full_fence(op.imm) {
            // See `full_fence`; there is no stack below the stack pointer here.
            asm!(self; lock or DWORD [rdx + MXCSR], BYTE 0);
            self.zero_flag = None;
        }
    }

    /// An instruction that accesses a word, or a doubleword if `long`, as a whole.
    #[inline(never)]
    pub fn atomic(&mut self, op: Op, atomic: Atomic, long: bool) {
        use Atomic::*;
        let wants_result = op.rd != SINK;
        let loops = match atomic {
            And | Or | Xor => wants_result,
            Min | Max | Minu | Maxu => true,
            _ => false,
        };
        if loops {
            self.take_rcx();
        }
        match atomic {
            CompareAndSwap => {
                let expected = self.read(op.rd);
                asm!(self; mov rax, Rq(expected));
                let (a, b) = (self.read(op.rs1), self.read(op.rs2));
                self.aligned(a, long);
                self.compare_exchange(a, b, long);
                if op.rd != 0 {
                    self.put_old(op.rd, long);
                }
            }
            LoadReserved => {
                let a = self.read(op.rs1);
                self.aligned(a, long);
                self.load_old(a, long);
                asm!(self
                    ; mov [rsi + ADDR], Rq(a)
                    ; mov [rsi + VALUE], rax
                    ; mov QWORD [rsi + SIZE], size(long)
                );
                if wants_result {
                    self.put_old(op.rd, long);
                }
            }
            StoreConditional => self.store_conditional(op, long),
            Swap | Add => {
                let (a, b) = (self.read(op.rs1), self.read(op.rs2));
                self.aligned(a, long);
                asm!(self; mov rax, Rq(b));
                self.access();
                match (atomic, long) {
                    (Swap, true) => asm!(self; xchg [Rq(a)], rax),
                    (Swap, false) => asm!(self; xchg [Rq(a)], eax),
                    (_, true) => asm!(self; lock xadd [Rq(a)], rax),
                    (_, false) => asm!(self; lock xadd [Rq(a)], eax),
                }
                if wants_result {
                    self.put_old(op.rd, long);
                }
            }
            And | Or | Xor if !wants_result => {
                let (a, b) = (self.read(op.rs1), self.read(op.rs2));
                self.aligned(a, long);
                self.access();
                match (atomic, long) {
                    (And, true) => asm!(self; lock and [Rq(a)], Rq(b)),
                    (And, false) => asm!(self; lock and [Rq(a)], Rd(b)),
                    (Or, true) => asm!(self; lock or [Rq(a)], Rq(b)),
                    (Or, false) => asm!(self; lock or [Rq(a)], Rd(b)),
                    (_, true) => asm!(self; lock xor [Rq(a)], Rq(b)),
                    (_, false) => asm!(self; lock xor [Rq(a)], Rd(b)),
                }
            }
            And | Or | Xor | Min | Max | Minu | Maxu => {
                let (a, b) = (self.read(op.rs1), self.read(op.rs2));
                self.aligned(a, long);
                self.load_old(a, long);
                let start = self.len();
                asm!(self; mov rcx, rax);
                self.combine(atomic, b, long);
                self.compare_exchange(a, RCX, long);
                let distance = start as i64 - (self.len() + 2) as i64;
                self.code.put([JNE, distance as u8]);
                if wants_result {
                    self.put_old(op.rd, long);
                }
            }
        }
    }

    /// Brings the hart in memory up to date, and leaves the op to its handler unless the address is
    /// a multiple of the size.
    fn aligned(&mut self, address: u8, long: bool) -> Label {
        self.flush();
        let slow = self.slow();
        asm!(self; test Rb(address), BYTE size(long) as i8 - 1);
        self.jump_if(Flag::NotEqual, slow);
        slow
    }

    /// Loads what is there into `rax`, extended as a register has it.
    fn load_old(&mut self, address: u8, long: bool) {
        self.access();
        if long {
            asm!(self; mov rax, [Rq(address)]);
        } else {
            asm!(self; movsxd rax, DWORD [Rq(address)]);
        }
    }

    /// Stores what the host register `new` has if what is there is what `rax` has, which gets what
    /// was there otherwise.
    fn compare_exchange(&mut self, address: u8, new: u8, long: bool) {
        self.access();
        if long {
            asm!(self; lock cmpxchg [Rq(address)], Rq(new));
        } else {
            asm!(self; lock cmpxchg [Rq(address)], Rd(new));
        }
    }

    /// What `rcx` and the host register `b` give, to `rcx`.
    fn combine(&mut self, atomic: Atomic, b: u8, long: bool) {
        use Atomic::*;
        match atomic {
            And => asm!(self; and rcx, Rq(b)),
            Or => asm!(self; or rcx, Rq(b)),
            Xor => asm!(self; xor rcx, Rq(b)),
            _ if long => asm!(self; cmp rcx, Rq(b)),
            _ => asm!(self; cmp ecx, Rd(b)),
        }
        match atomic {
            Min => asm!(self; cmovg rcx, Rq(b)),
            Minu => asm!(self; cmova rcx, Rq(b)),
            Max => asm!(self; cmovl rcx, Rq(b)),
            Maxu => asm!(self; cmovb rcx, Rq(b)),
            _ => {}
        }
    }

    /// Succeeds where a compare-and-swap from the value that was reserved does.
    fn store_conditional(&mut self, op: Op, long: bool) {
        let (a, b) = (self.read(op.rs1), self.read(op.rs2));
        let slow = self.aligned(a, long);
        asm!(self; cmp [rsi + ADDR], Rq(a));
        self.jump_if(Flag::NotEqual, slow);
        asm!(self; cmp DWORD [rsi + SIZE], size(long));
        self.jump_if(Flag::NotEqual, slow);
        asm!(self; mov rax, [rsi + VALUE]);
        self.compare_exchange(a, b, long);
        // As `Reservation::NONE`, which does not change the flags.
        asm!(self
            ; mov QWORD [rsi + ADDR], 0
            ; mov QWORD [rsi + VALUE], 0
            ; mov QWORD [rsi + SIZE], 0
        );
        if op.rd != SINK {
            asm!(self; setne al);
            let d = self.define(op.rd);
            asm!(self; movzx Rd(d), al);
        }
    }

    /// Makes the word or doubleword in `rax` the value of a register.
    fn put_old(&mut self, rd: u8, long: bool) {
        let d = self.define(rd);
        if long {
            asm!(self; mov Rq(d), rax);
        } else {
            asm!(self; movsxd Rq(d), eax);
        }
    }
}
