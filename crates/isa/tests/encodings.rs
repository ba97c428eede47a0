//! Encodings and texts written down from the manual's tables.

use rvrun_isa::{AssembleError, Extensions, Opcode, assemble, decode, encode};

#[track_caller]
fn check(word: u32, text: &str) {
    let decoded = decode(word, Extensions::ALL).unwrap_or_else(|| panic!("{word:#x} is illegal"));
    assert_eq!(decoded.to_string(), text);
    assert_eq!(encode(&assemble(text).unwrap()), Some(word));
}

#[test]
fn words_have_the_manuals_texts() {
    check(0x00c5_8533, "add a0, a1, a2");
    check(0xff01_0113, "addi sp, sp, -16");
    check(0x0001_2537, "lui a0, 0x12");
    check(0xffff_f517, "auipc a0, 0xfffff");
    check(0x0080_00ef, "jal ra, .+8");
    check(0xfe05_1ee3, "bne a0, zero, .-4");
    check(0x0081_3503, "ld a0, 8(sp)");
    check(0xfea1_3c23, "sd a0, -8(sp)");
    check(0x0ff0_000f, "fence iorw, iorw");
    check(0x8330_000f, "fence.tso");
    check(0x0100_000f, "pause");
    check(0x0000_100f, "fence.i");
    check(0x0000_0073, "ecall");
    check(0x0010_0073, "ebreak");
    check(0xc010_2573, "csrrs a0, time, zero");
    check(0x0021_5073, "csrrwi zero, frm, 2");
    check(0x1605_252f, "lr.w.aqrl a0, (a0)");
    check(0x00b5_352f, "amoadd.d a0, a1, (a0)");
    check(0x02c5_f553, "fadd.d fa0, fa1, fa2");
    check(0x02c5_8553, "fadd.d fa0, fa1, fa2, rne");
    check(0x6ac5_f543, "fmadd.d fa0, fa1, fa2, fa3");
    check(0xf218_0553, "fli.d fa0, 1.0");
    check(0x0805_453b, "zext.h a0, a0");
    check(0x6b85_5513, "rev8 a0, a0");
    check(0x1111, "c.addi sp, -28");
    check(0x8082, "c.jr ra");
    check(0x0001, "c.nop");
    check(0x6085, "c.lui ra, 0x1");
    check(0x6081, "c.mop.1");
}

#[test]
fn reserved_words_are_illegal() {
    for word in [
        0x0000_0000, // defined illegal
        0xffff_ffff,
        0x6101,      // c.addi16sp sp, 0
        0x2001,      // c.addiw zero
        0x4002,      // c.lwsp zero
        0x8002,      // c.jr zero
        0x02c5_d553, // fadd.d with the reserved rounding mode 5
        0x2a05_c5af, // amocas.q with an odd register
    ] {
        assert_eq!(decode(word, Extensions::ALL), None, "{word:#x}");
    }
}

#[test]
fn a_disabled_extension_is_illegal_unless_another_provides_the_bits() {
    let zext_h = 0x0805_453b;
    let base = Extensions::I;
    assert_eq!(decode(zext_h, base), None);
    assert_eq!(decode(zext_h, base | Extensions::ZBB).unwrap().opcode, Opcode::ZextH);
    assert_eq!(decode(zext_h, base | Extensions::ZBKB).unwrap().opcode, Opcode::Packw);
    let prefetch = 0x0005_6013;
    assert_eq!(decode(prefetch, base).unwrap().opcode, Opcode::Ori);
}

#[test]
fn lines_that_are_no_instruction_say_why() {
    assert_eq!(assemble("frobnicate a0"), Err(AssembleError::UnknownMnemonic));
    assert_eq!(assemble(""), Err(AssembleError::UnknownMnemonic));
    assert_eq!(assemble("add a0, a1"), Err(AssembleError::BadOperand));
    assert_eq!(assemble("add a0, a1, a2, a3"), Err(AssembleError::BadOperand));
    assert_eq!(assemble("addi a0, a1, 2048"), Err(AssembleError::OutOfRange));
    assert_eq!(assemble("beq a0, a1, .+3"), Err(AssembleError::OutOfRange));
    assert_eq!(assemble("c.addi16sp 0"), Err(AssembleError::OutOfRange));
}
