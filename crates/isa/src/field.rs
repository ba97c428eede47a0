//! Operand fields: where an operand sits in an instruction's bits, which slot
//! of [`Instruction`] it fills, and how assembly writes it.
//!
//! Each constant is one field of the manual's formats (unprivileged manual,
//! "Base Instruction Formats", "Compressed Instruction Formats"). Rows of the
//! instruction table list them in assembly order. Fields without bits stand for
//! operands that a compressed form implies.

use crate::Instruction;

/// The operand of [`Instruction`] that a field fills.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Slot {
    /// Destination register.
    Rd,
    /// First source register.
    Rs1,
    /// Second source register.
    Rs2,
    /// Third source register (fused multiply-add).
    Rs3,
    /// One compressed field that names both the destination and the first source.
    RdRs1,
    /// Rounding mode, or the acquire and release bits.
    Rm,
    /// Immediate.
    Imm,
}

/// How assembly writes a field.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Class {
    /// Integer register.
    X,
    /// Floating-point register.
    F,
    /// Integer register in parentheses: a base address.
    Base,
    /// Decimal number.
    Number,
    /// Decimal number in front of a [`Class::Base`].
    Displacement,
    /// The upper 20 bits, in hexadecimal.
    Upper,
    /// Byte offset from the instruction's own address: `.+8`.
    Target,
    /// A CSR's name, or its number where it has none.
    Csr,
    /// Rounding mode; `dyn` is not written.
    Rounding,
    /// `.aq`, `.rl` or `.aqrl` behind the mnemonic.
    Ordering,
    /// A number behind the mnemonic.
    Suffix,
    /// Two sets out of `iorw`.
    FenceSets,
    /// An entry of the `fli` table.
    FliConstant,
    /// Not written: implied by the mnemonic.
    Implied,
}

/// A run of instruction bits and where they go in the operand.
#[derive(Clone, Copy, Debug)]
pub struct Segment {
    /// Lowest bit in the instruction.
    pub from: u8,
    /// Number of bits.
    pub width: u8,
    /// Lowest bit in the operand.
    pub to: u8,
}

/// Which values a field may have.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Rule {
    /// All.
    Any,
    /// All but zero.
    NonZero,
    /// Even register numbers.
    Even,
    /// Rounding modes 0 to 4, and 7 for the dynamic one.
    RoundingMode,
}

/// One operand field.
#[derive(Clone, Copy, Debug)]
pub struct Field {
    /// The operand that it fills.
    pub slot: Slot,
    /// How it is written.
    pub class: Class,
    /// Its bits.
    pub segments: &'static [Segment],
    /// The operand's sign bit, where it is signed.
    pub sign: Option<u8>,
    /// Added to the bits' value: 8 for three-bit register fields, and the value of an implied field.
    pub bias: i32,
    /// The values that are not reserved.
    pub rule: Rule,
}

impl Segment {
    /// The segment's bits of `word`, where the operand has them.
    pub(crate) const fn place(&self, word: u32) -> u32 {
        ((word >> self.from) & ((1 << self.width) - 1)) << self.to
    }
}

const fn segment(from: u8, width: u8, to: u8) -> Segment {
    Segment { from, width, to }
}

impl Field {
    const fn new(slot: Slot, class: Class, segments: &'static [Segment]) -> Self {
        Self { slot, class, segments, sign: None, bias: 0, rule: Rule::Any }
    }

    const fn signed(mut self, sign: u8) -> Self {
        self.sign = Some(sign);
        self
    }

    const fn rule(mut self, rule: Rule) -> Self {
        self.rule = rule;
        self
    }

    const fn biased(mut self, bias: i32) -> Self {
        self.bias = bias;
        self
    }

    const fn implied(slot: Slot, value: i32) -> Self {
        Self {
            slot,
            class: Class::Implied,
            segments: &[],
            sign: None,
            bias: value,
            rule: Rule::Any,
        }
    }

    /// The instruction bits that the field occupies.
    pub const fn mask(&self) -> u32 {
        let mut mask = 0;
        let mut i = 0;
        while i < self.segments.len() {
            let s = self.segments[i];
            mask |= ((1 << s.width) - 1) << s.from;
            i += 1;
        }
        mask
    }

    /// The operand's value in `word`, or `None` if it is reserved.
    pub fn value(&self, word: u32) -> Option<i32> {
        let mut value = self.segments.iter().fold(0, |value, s| value | s.place(word)) as i32;
        if let Some(sign) = self.sign {
            let shift = 31 - u32::from(sign);
            value = (value << shift) >> shift;
        }
        self.admits(value).then_some(value + self.bias)
    }

    /// The instruction bits for an operand's value, or `None` if the field cannot hold it.
    pub fn bits(&self, value: i32) -> Option<u32> {
        let raw = value.checked_sub(self.bias)?;
        let mut word = 0;
        for s in self.segments {
            word |= ((raw as u32 >> s.to) & ((1 << s.width) - 1)) << s.from;
        }
        (self.value(word) == Some(value)).then_some(word)
    }

    fn admits(&self, raw: i32) -> bool {
        match self.rule {
            Rule::Any => true,
            Rule::NonZero => raw != 0,
            Rule::Even => raw % 2 == 0,
            Rule::RoundingMode => !matches!(raw, 5 | 6),
        }
    }

    /// Fills the field's slot of `instruction` with `value`.
    pub fn put(&self, instruction: &mut Instruction, value: i32) {
        match self.slot {
            Slot::Rd => instruction.rd = value as u8,
            Slot::Rs1 => instruction.rs1 = value as u8,
            Slot::Rs2 => instruction.rs2 = value as u8,
            Slot::Rs3 => instruction.rs3 = value as u8,
            Slot::RdRs1 => {
                instruction.rd = value as u8;
                instruction.rs1 = value as u8;
            }
            Slot::Rm => instruction.rm = value as u8,
            Slot::Imm => instruction.imm = value,
        }
    }

    /// The value of the field's slot, or `None` if one field stands for two that differ.
    pub fn get(&self, instruction: &Instruction) -> Option<i32> {
        Some(match self.slot {
            Slot::Rd => instruction.rd.into(),
            Slot::Rs1 => instruction.rs1.into(),
            Slot::Rs2 => instruction.rs2.into(),
            Slot::Rs3 => instruction.rs3.into(),
            Slot::RdRs1 if instruction.rd != instruction.rs1 => return None,
            Slot::RdRs1 => instruction.rd.into(),
            Slot::Rm => instruction.rm.into(),
            Slot::Imm => instruction.imm,
        })
    }
}

/// Defines fields: name, slot, class, then segments as `from width to`.
macro_rules! fields {
    ($($name:ident $slot:ident $class:ident [$($from:literal $width:literal $to:literal),*] $(.$method:ident($arg:expr))*;)*) => {
        $(
            #[doc = concat!("`", stringify!($slot), "`, from (lowest bit, width, lowest operand bit): ", stringify!($(($from, $width, $to)),*), ".")]
            pub const $name: Field = Field::new(Slot::$slot, Class::$class, &[$(segment($from, $width, $to)),*])
                $(.$method($arg))*;
        )*
    };
}

fields! {
    RD Rd X [7 5 0];
    RS1 Rs1 X [15 5 0];
    RS2 Rs2 X [20 5 0];
    RD_EVEN Rd X [7 5 0].rule(Rule::Even);
    RS2_EVEN Rs2 X [20 5 0].rule(Rule::Even);
    BASE Rs1 Base [15 5 0];
    FRD Rd F [7 5 0];
    FRS1 Rs1 F [15 5 0];
    FRS2 Rs2 F [20 5 0];
    FRS3 Rs3 F [27 5 0];
    RM Rm Rounding [12 3 0].rule(Rule::RoundingMode);
    AQRL Rm Ordering [25 2 0];
    IMM_I Imm Number [20 12 0].signed(11);
    DISP_I Imm Displacement [20 12 0].signed(11);
    DISP_S Imm Displacement [7 5 0, 25 7 5].signed(11);
    DISP_PREFETCH Imm Displacement [25 7 5].signed(11);
    IMM_B Imm Target [8 4 1, 25 6 5, 7 1 11, 31 1 12].signed(12);
    IMM_U Imm Upper [12 20 12].signed(31);
    IMM_J Imm Target [21 10 1, 20 1 11, 12 8 12, 31 1 20].signed(20);
    SHAMT5 Imm Number [20 5 0];
    SHAMT6 Imm Number [20 6 0];
    CSR Imm Csr [20 12 0];
    ZIMM Rs1 Number [15 5 0];
    FENCE_SETS Imm FenceSets [20 8 0];
    FLI Imm FliConstant [15 5 0];
    MOP_R Imm Suffix [20 2 0, 26 2 2, 30 1 4];
    MOP_RR Imm Suffix [26 2 0, 30 1 2];

    C_RD Rd X [7 5 0];
    C_RD_NONZERO Rd X [7 5 0].rule(Rule::NonZero);
    C_RD_RS1 RdRs1 X [7 5 0];
    C_RD_RS1_NONZERO RdRs1 X [7 5 0].rule(Rule::NonZero);
    C_RS1_NONZERO Rs1 X [7 5 0].rule(Rule::NonZero);
    C_RS2 Rs2 X [2 5 0];
    C_RS2_NONZERO Rs2 X [2 5 0].rule(Rule::NonZero);
    C_FRD Rd F [7 5 0];
    C_FRS2 Rs2 F [2 5 0];
    C_RD_LO Rd X [2 3 0].biased(8);
    C_RS2_LO Rs2 X [2 3 0].biased(8);
    C_RS1_LO Rs1 X [7 3 0].biased(8);
    C_RD_RS1_LO RdRs1 X [7 3 0].biased(8);
    C_FRD_LO Rd F [2 3 0].biased(8);
    C_FRS2_LO Rs2 F [2 3 0].biased(8);
    C_BASE Rs1 Base [7 3 0].biased(8);
    C_IMM Imm Number [2 5 0, 12 1 5].signed(5);
    C_IMM_LUI Imm Upper [2 5 12, 12 1 17].signed(17).rule(Rule::NonZero);
    C_IMM_ADDI16SP Imm Number [6 1 4, 2 1 5, 5 1 6, 3 2 7, 12 1 9].signed(9).rule(Rule::NonZero);
    C_IMM_ADDI4SPN Imm Number [6 1 2, 5 1 3, 11 2 4, 7 4 6].rule(Rule::NonZero);
    C_SHAMT Imm Number [2 5 0, 12 1 5];
    C_DISP_B Imm Displacement [6 1 0, 5 1 1];
    C_DISP_H Imm Displacement [5 1 1];
    C_DISP_W Imm Displacement [6 1 2, 10 3 3, 5 1 6];
    C_DISP_D Imm Displacement [10 3 3, 5 2 6];
    C_DISP_WSP Imm Displacement [4 3 2, 12 1 5, 2 2 6];
    C_DISP_DSP Imm Displacement [5 2 3, 12 1 5, 2 3 6];
    C_DISP_SWSP Imm Displacement [9 4 2, 7 2 6];
    C_DISP_SDSP Imm Displacement [10 3 3, 7 3 6];
    C_IMM_J Imm Target [3 3 1, 11 1 4, 2 1 5, 7 1 6, 6 1 7, 9 2 8, 8 1 10, 12 1 11].signed(11);
    C_IMM_B Imm Target [3 2 1, 10 2 3, 2 1 5, 5 2 6, 12 1 8].signed(8);
    C_MOP Imm Suffix [8 3 1].biased(1);
}

/// Defines fields without bits: name, slot, value.
macro_rules! implied {
    ($($name:ident $slot:ident $value:literal;)*) => {
        $(
            #[doc = concat!("`", stringify!($slot), "` is ", stringify!($value), ", without bits.")]
            pub const $name: Field = Field::implied(Slot::$slot, $value);
        )*
    };
}

implied! {
    RD_IS_ZERO Rd 0;
    RD_IS_RA Rd 1;
    RS1_IS_ZERO Rs1 0;
    RS1_IS_SP Rs1 2;
    RD_RS1_IS_SP RdRs1 2;
    RS2_IS_ZERO Rs2 0;
    RS2_IS_2 Rs2 2;
    RS2_IS_3 Rs2 3;
    RS2_IS_4 Rs2 4;
    RS2_IS_5 Rs2 5;
    IMM_IS_255 Imm 255;
    IMM_IS_MINUS_1 Imm -1;
    IMM_PAUSE Imm 0x10;
}

/// The stack pointer as base of a compressed load or store: written, but without bits.
pub const SP_BASE: Field = Field {
    slot: Slot::Rs1,
    class: Class::Base,
    segments: &[],
    sign: None,
    bias: 2,
    rule: Rule::Any,
};
