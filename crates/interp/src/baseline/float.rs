//! Host code for floating point, on the host's unit.
//!
//! MXCSR is the guest's, as it is for handlers. What needs more than the host's
//! instruction is left to the handler, which then computes once more and raises the same
//! flags: results that are NaNs, unordered operands, words that are not boxed.

use super::emit::{Emitter, asm, f};
use super::templates::{Arithmetic, Comparison, Float, Sign, Width};
use crate::ops::float::third_source;
use crate::slot::Op;
use dynasmrt::{DynasmApi, DynasmLabelApi, dynasm};

/// The upper half of a boxed word (F, "NaN Boxing of Narrower Values").
const BOX: i32 = -1;
/// The rounding mode field of rounding towards zero.
const TOWARDS_ZERO: i32 = 1;

impl Emitter {
    pub fn float(&mut self, op: Op, float: Float) {
        match float {
            Float::LoadWord | Float::LoadDouble => {
                let a = self.read(op.rs1);
                self.flush();
                self.access();
                if float == Float::LoadWord {
                    asm!(self; mov eax, [Rq(a) + op.imm]);
                    self.set_word(op.rd);
                } else {
                    asm!(self; mov rax, [Rq(a) + op.imm]; mov [rsi + f(op.rd)], rax);
                }
            }
            Float::StoreWord | Float::StoreDouble => {
                let a = self.read(op.rs1);
                self.flush();
                asm!(self; mov rax, [rsi + f(op.rs2)]);
                self.access();
                if float == Float::StoreWord {
                    asm!(self; mov [Rq(a) + op.imm], eax);
                } else {
                    asm!(self; mov [Rq(a) + op.imm], rax);
                }
            }
            Float::ToInteger => {
                let d = self.define(op.rd);
                asm!(self; mov Rq(d), [rsi + f(op.rs1)]);
            }
            Float::FromInteger => {
                let a = self.read(op.rs1);
                asm!(self; mov [rsi + f(op.rd)], Rq(a));
            }
            Float::Arithmetic(what, width) => self.arithmetic(op, what, width),
            Float::Root(width) => {
                self.flush();
                self.check(width, &[op.rs1]);
                match width {
                    Width::Single => asm!(self; sqrtss xmm0, [rsi + f(op.rs1)]),
                    Width::Double => asm!(self; sqrtsd xmm0, [rsi + f(op.rs1)]),
                }
                self.set(op.rd, width);
            }
            Float::Fused { product, addend, width } => self.fused(op, product, addend, width),
            Float::Compare(what, width) => self.compare(op, what, width),
            Float::Sign(sign, width) => self.sign(op, sign, width),
            Float::Resize { to } => {
                self.flush();
                match to {
                    Width::Single => asm!(self; cvtsd2ss xmm0, [rsi + f(op.rs1)]),
                    Width::Double => {
                        self.check(Width::Single, &[op.rs1]);
                        asm!(self; cvtss2sd xmm0, [rsi + f(op.rs1)]);
                    }
                }
                self.set(op.rd, to);
            }
            Float::FromWord { long } => {
                let a = self.read(op.rs1);
                asm!(self; xorps xmm0, xmm0);
                if long {
                    asm!(self; cvtsi2sd xmm0, Rq(a));
                } else {
                    asm!(self; cvtsi2sd xmm0, Rd(a));
                }
                asm!(self; movsd [rsi + f(op.rd)], xmm0);
            }
            Float::Truncate { long } => self.truncate(op, long),
        }
    }

    /// Leaves the op to its handler if it is one of words and any of these is not boxed.
    fn check(&mut self, width: Width, registers: &[u8]) {
        if width == Width::Single {
            let slow = self.slow();
            for register in registers {
                asm!(self; cmp DWORD [rsi + f(*register) + 4], BYTE -1; jne =>slow);
                self.goes_apart();
            }
        }
    }

    /// Makes the word in `eax` the value of a register.
    fn set_word(&mut self, rd: u8) {
        asm!(self; mov [rsi + f(rd)], eax; mov DWORD [rsi + f(rd) + 4], BOX);
    }

    /// Makes `xmm0` the value of a register, unless it is a NaN.
    fn set(&mut self, rd: u8, width: Width) {
        let slow = self.slow();
        match width {
            Width::Single => {
                asm!(self; ucomiss xmm0, xmm0; jp =>slow);
                self.goes_apart();
                asm!(self; movss [rsi + f(rd)], xmm0; mov DWORD [rsi + f(rd) + 4], BOX);
            }
            Width::Double => {
                asm!(self; ucomisd xmm0, xmm0; jp =>slow);
                self.goes_apart();
                asm!(self; movsd [rsi + f(rd)], xmm0);
            }
        }
    }

    /// Loads a register into `xmm0`.
    fn load_first(&mut self, register: u8, width: Width) {
        match width {
            Width::Single => asm!(self; movss xmm0, [rsi + f(register)]),
            Width::Double => asm!(self; movsd xmm0, [rsi + f(register)]),
        }
    }

    fn arithmetic(&mut self, op: Op, what: Arithmetic, width: Width) {
        use Arithmetic::*;
        use Width::*;
        self.flush();
        self.check(width, &[op.rs1, op.rs2]);
        self.load_first(op.rs1, width);
        let other = f(op.rs2);
        match (what, width) {
            (Add, Single) => asm!(self; addss xmm0, [rsi + other]),
            (Add, Double) => asm!(self; addsd xmm0, [rsi + other]),
            (Subtract, Single) => asm!(self; subss xmm0, [rsi + other]),
            (Subtract, Double) => asm!(self; subsd xmm0, [rsi + other]),
            (Multiply, Single) => asm!(self; mulss xmm0, [rsi + other]),
            (Multiply, Double) => asm!(self; mulsd xmm0, [rsi + other]),
            (Divide, Single) => asm!(self; divss xmm0, [rsi + other]),
            (Divide, Double) => asm!(self; divsd xmm0, [rsi + other]),
        }
        self.set(op.rd, width);
    }

    fn fused(&mut self, op: Op, product: bool, addend: bool, width: Width) {
        use Width::*;
        let third = third_source(op.imm);
        self.flush();
        self.check(width, &[op.rs1, op.rs2, third]);
        self.load_first(op.rs1, width);
        let (b, c) = (f(op.rs2), f(third));
        match width {
            Single => asm!(self; movss xmm1, [rsi + b]),
            Double => asm!(self; movsd xmm1, [rsi + b]),
        }
        match (product, addend, width) {
            (false, false, Single) => asm!(self; vfmadd213ss xmm0, xmm1, [rsi + c]),
            (false, false, Double) => asm!(self; vfmadd213sd xmm0, xmm1, [rsi + c]),
            (false, true, Single) => asm!(self; vfmsub213ss xmm0, xmm1, [rsi + c]),
            (false, true, Double) => asm!(self; vfmsub213sd xmm0, xmm1, [rsi + c]),
            (true, false, Single) => asm!(self; vfnmadd213ss xmm0, xmm1, [rsi + c]),
            (true, false, Double) => asm!(self; vfnmadd213sd xmm0, xmm1, [rsi + c]),
            (true, true, Single) => asm!(self; vfnmsub213ss xmm0, xmm1, [rsi + c]),
            (true, true, Double) => asm!(self; vfnmsub213sd xmm0, xmm1, [rsi + c]),
        }
        self.set(op.rd, width);
    }

    fn compare(&mut self, op: Op, what: Comparison, width: Width) {
        use Comparison::*;
        use Width::*;
        self.flush();
        self.check(width, &[op.rs1, op.rs2]);
        // "Above" is what an unordered pair is not.
        let (a, b) = if what == Equal { (op.rs1, op.rs2) } else { (op.rs2, op.rs1) };
        self.load_first(a, width);
        let slow = self.slow();
        // Only equality is quiet (F, "Single-Precision Floating-Point Compare Instructions").
        match (what, width) {
            (Equal, Single) => asm!(self; ucomiss xmm0, [rsi + f(b)]),
            (Equal, Double) => asm!(self; ucomisd xmm0, [rsi + f(b)]),
            (_, Single) => asm!(self; comiss xmm0, [rsi + f(b)]),
            (_, Double) => asm!(self; comisd xmm0, [rsi + f(b)]),
        }
        asm!(self; jp =>slow);
        self.goes_apart();
        match what {
            Equal => asm!(self; sete al),
            Less => asm!(self; seta al),
            LessEqual => asm!(self; setae al),
        }
        let d = self.define(op.rd);
        asm!(self; movzx Rd(d), al);
    }

    fn sign(&mut self, op: Op, sign: Sign, width: Width) {
        self.flush();
        if op.rs1 == op.rs2 && width == Width::Double {
            asm!(self; mov rax, [rsi + f(op.rs1)]);
            match sign {
                Sign::Copied => {}
                Sign::Negated => asm!(self; btc rax, 63),
                Sign::Multiplied => asm!(self; btr rax, 63),
            }
            asm!(self; mov [rsi + f(op.rd)], rax);
            return;
        }
        self.check(width, &[op.rs1, op.rs2]);
        asm!(self; mov rax, [rsi + f(op.rs1)]; mov rcx, [rsi + f(op.rs2)]);
        if width == Width::Single {
            asm!(self; shl rax, 32; shl rcx, 32);
        }
        if sign == Sign::Negated {
            asm!(self; not rcx);
        }
        asm!(self; shr rcx, 63; shl rcx, 63);
        if sign != Sign::Multiplied {
            asm!(self; shl rax, 1; shr rax, 1);
        }
        asm!(self; xor rax, rcx);
        match width {
            Width::Single => {
                asm!(self; shr rax, 32);
                self.set_word(op.rd);
            }
            Width::Double => asm!(self; mov [rsi + f(op.rd)], rax),
        }
    }

    fn truncate(&mut self, op: Op, long: bool) {
        self.flush();
        let slow = self.slow();
        if op.imm & 7 != TOWARDS_ZERO {
            asm!(self; jmp =>slow);
            self.goes_apart();
            return;
        }
        // What does not fit becomes the least number.
        if long {
            asm!(self; cvttsd2si rax, [rsi + f(op.rs1)]; mov rcx, rax; dec rcx; jo =>slow);
        } else {
            asm!(self; cvttsd2si eax, [rsi + f(op.rs1)]; mov ecx, eax; dec ecx; jo =>slow);
        }
        self.goes_apart();
        let d = self.define(op.rd);
        if long {
            asm!(self; mov Rq(d), rax);
        } else {
            asm!(self; movsxd Rq(d), eax);
        }
    }
}
