//! Host code in place of handlers does what the handlers do: on random programs, and in all
//! that the interpreter is tested for otherwise.

#![allow(clippy::duplicate_mod, reason = "those tests are crates of their own, too")]

#[path = "running.rs"]
mod running;
mod support;
#[path = "switching.rs"]
mod switching;

use proptest::prelude::*;
use rvrun_hart::{Hart, SINK};
use rvrun_interp::{Interpreter, Stop, Warm};
use rvrun_isa::{Extensions, Instruction, Kind, Opcode, RM_DYNAMIC, assemble, csr, encode};
use rvrun_memory::access;
use support::Guest;

/// Where programs have their data.
const DATA: u64 = 4096;
const DATA_BYTES: usize = 4096;
/// What nothing can be loaded from, and stored to, begins there.
const EDGE_AT: u64 = 4 * 4096;
/// The register that points into its middle.
const BASE: u8 = 8;
/// Those that point to what is behind that, and to what no access of more than two bytes is
/// aligned to.
const NEXT: u8 = 21;
const ODD: u8 = 22;
/// And to the last bytes before a page that cannot be accessed.
const EDGE: u8 = 23;

/// Instructions of four bytes that go on with the next one, or over it.
fn piece() -> impl Strategy<Value = Vec<Instruction>> {
    let one = |instruction| vec![instruction];
    prop_oneof![
        24 => computation().prop_map(one),
        1 => flags_access().prop_map(one),
        2 => quiet_comparison(),
        1 => exclusive(),
        2 => numbers(),
        1 => copy(),
    ]
}

/// Bytes that are loaded, and then stored, in any order, with other things between, some of which look
/// there, and some mistakes.
fn copy() -> impl Strategy<Value = Vec<Instruction>> {
    let place = || (prop::sample::select(vec![BASE, NEXT, ODD, EDGE]), -8..8);
    let order = || Just((0..8u8).collect::<Vec<_>>()).prop_shuffle();
    let index = any::<prop::sample::Index>;
    let between = prop::collection::vec((index(), prop::option::of(computation())), 0..3);
    let mistake = prop::option::weighted(0.3, (index(), place()));
    let bytes = prop::sample::select(vec![2u8, 4, 8]);
    // Some bytes by another register, which gives the same place or another one.
    let also = prop::option::weighted(0.3, (any::<u8>(), prop::sample::select(vec![0, 8, -8])));
    (bytes, place(), place(), order(), order(), mistake, also, between).prop_map(
        |(bytes, from, to, loads, stores, mistake, also, between)| {
            let access = |opcode, (rs1, first): (u8, i32), byte: u8| {
                let (rd, rs2) = if opcode == Opcode::Lbu { (9 + byte, 0) } else { (0, 9 + byte) };
                let imm = first + i32::from(byte);
                Instruction { rd, rs1, rs2, imm, ..Instruction::new(opcode) }
            };
            let of = |order: Vec<u8>| order.into_iter().filter(|byte| *byte < bytes).collect();
            let (loads, stores): (Vec<u8>, Vec<u8>) = (of(loads), of(stores));
            let loads = loads.iter().map(|byte| access(Opcode::Lbu, from, *byte));
            let stores = stores.iter().map(|byte| match also {
                Some((by, distance)) if by >> byte & 1 != 0 => {
                    access(Opcode::Sb, (NEXT, to.1 - distance), *byte)
                }
                _ => access(Opcode::Sb, to, *byte),
            });
            let mut all: Vec<_> = loads.chain(stores).collect();
            if let Some((at, (rs1, imm))) = mistake {
                let at = at.index(all.len());
                all[at] = Instruction { rs1, imm, ..all[at] };
            }
            let look = Instruction { rd: 20, ..access(Opcode::Ld, to, 0) };
            for (place, instruction) in between {
                all.insert(place.index(all.len() + 1), instruction.unwrap_or(look));
            }
            all
        },
    )
}

/// One number or two of several bytes, read byte by byte, with other things between.
fn numbers() -> impl Strategy<Value = Vec<Instruction>> {
    let between = prop::collection::vec((any::<prop::sample::Index>(), computation()), 0..4);
    let second = prop::option::of(number(15..=20));
    (number(9..=14), second, between, any::<u64>()).prop_map(|(first, second, between, turns)| {
        let mut both = [first.into_iter(), second.unwrap_or_default().into_iter()];
        let mut all = Vec::new();
        for turn in (0..).map(|n| (turns >> (n % 64) & 1) as usize) {
            match both[turn].next().or_else(|| both[1 - turn].next()) {
                Some(instruction) => all.push(instruction),
                None => break,
            }
        }
        for (place, instruction) in between {
            all.insert(place.index(all.len() + 1), instruction);
        }
        all
    })
}

/// The instructions that read a number byte by byte, and some mistakes in them.
fn number(registers: std::ops::RangeInclusive<u8>) -> impl Strategy<Value = Vec<Instruction>> {
    use Opcode::*;
    let registers: Vec<u8> = registers.collect();
    let base = prop_oneof![
        4 => prop::sample::select(vec![BASE, NEXT, ODD]),
        2 => Just(EDGE),
        1 => prop::sample::select(registers.clone()),
    ];
    let shape = (prop::sample::select(vec![1u8, 2, 4, 8]), any::<bool>(), any::<bool>());
    let order = Just((0..8u8).collect::<Vec<_>>()).prop_shuffle();
    let registers = Just(registers).prop_shuffle();
    let mistake = prop::option::weighted(0.2, (0..8usize, -1..9));
    (base, shape, order, registers, -8..8, mistake).prop_map(
        |(base, (bytes, is_big_endian, is_word), order, registers, first, mistake)| {
            let order: Vec<u8> = order.into_iter().filter(|byte| *byte < bytes).collect();
            // The number in the making is in the first register.
            let mut all = Vec::new();
            for (n, byte) in order.iter().enumerate() {
                let place = if is_big_endian { bytes - 1 - byte } else { *byte };
                let rd = registers[n.min(1 + n % (registers.len() - 1))];
                let instruction = |opcode| Instruction { rd, ..Instruction::new(opcode) };
                let imm = first + i32::from(*byte);
                all.push(Instruction { rs1: base, imm, ..instruction(Lbu) });
                let is_top = is_word && place == 3;
                let opcode = if is_top { Slliw } else { Slli };
                if place > 0 {
                    all.push(Instruction {
                        rs1: rd,
                        imm: 8 * i32::from(place),
                        ..instruction(opcode)
                    });
                }
                if n > 0 {
                    let sum =
                        Instruction { rd: registers[0], rs1: registers[0], ..Instruction::new(Or) };
                    all.push(Instruction { rs2: rd, ..sum });
                }
            }
            if let Some((at, imm)) = mistake
                && let Some(right) = all.get_mut(at)
            {
                let wrong = Instruction { imm, ..*right };
                *right = if encode(&wrong).is_some() { wrong } else { *right };
            }
            all
        },
    )
}

/// What loads a place in memory, and then writes it, or one beside it, if nobody else has: `lr` and
/// `sc`, or a load and a compare-and-swap.
fn exclusive() -> impl Strategy<Value = Vec<Instruction>> {
    use Opcode::*;
    let pairs =
        vec![(LrW, ScW), (LrD, ScD), (LrW, ScD), (Lw, AmocasW), (Ld, AmocasD), (Ld, AmocasW)];
    let registers = (prop_oneof![1 => Just(0u8), 9 => 9u8..=20], 9u8..=20);
    let place = prop_oneof![8 => Just(BASE), 3 => Just(NEXT), 1 => Just(ODD)];
    let between = prop::collection::vec(computation(), 0..3);
    (prop::sample::select(pairs), registers, place, between).prop_map(
        |((load, write), (rd, rs2), place, between)| {
            let load = Instruction { rd, rs1: BASE, ..Instruction::new(load) };
            let write = Instruction { rd, rs1: place, rs2, ..Instruction::new(write) };
            std::iter::once(load).chain(between).chain([write]).collect()
        },
    )
}

/// What is between a read of `fflags` and a write of that is mostly a comparison.
fn quiet_comparison() -> impl Strategy<Value = Vec<Instruction>> {
    let access = |opcode, rd, rs1| Instruction {
        rd,
        rs1,
        imm: csr::FFLAGS.into(),
        ..Instruction::new(opcode)
    };
    let comparison = prop::sample::select(vec![Opcode::FltD, Opcode::FleD, Opcode::FltS]);
    let compare = (comparison, 9u8..=20, 9u8..=20, 9u8..=20).prop_map(|(opcode, rd, rs1, rs2)| {
        Instruction { rd, rs1, rs2, ..Instruction::new(opcode) }
    });
    let between = prop_oneof![3 => compare, 1 => computation()];
    (9u8..=20, prop::collection::vec(between, 0..3)).prop_map(move |(flags, between)| {
        let (read, write) = (access(Opcode::Csrrs, flags, 0), access(Opcode::Csrrw, 0, flags));
        std::iter::once(read).chain(between).chain([write]).collect()
    })
}

/// `frflags` and `fsflags`, with a result and without.
fn flags_access() -> impl Strategy<Value = Instruction> {
    let operands = (prop_oneof![Just(0u8), 9u8..=20], prop_oneof![Just(0u8), 9u8..=20]);
    let opcode = prop_oneof![Just(Opcode::Csrrs), Just(Opcode::Csrrw), Just(Opcode::Csrrwi)];
    (opcode, operands).prop_map(|(opcode, (rd, rs1))| {
        let rs1 = if opcode == Opcode::Csrrs { 0 } else { rs1 };
        Instruction { rd, rs1, imm: csr::FFLAGS.into(), ..Instruction::new(opcode) }
    })
}

fn computation() -> impl Strategy<Value = Instruction> {
    let rows: Vec<Opcode> = Opcode::all()
        .filter(|opcode| {
            let row = opcode.row();
            let memory = [Kind::Load, Kind::Store, Kind::Atomic];
            let kinds = [&memory[..], &[Kind::Alu, Kind::Branch, Kind::Float]].concat();
            row.len == 4 && kinds.contains(&row.kind) && *opcode != Opcode::Auipc
        })
        .collect();
    // More guest registers than there are host registers for, and x0. None gets an address
    // that was computed from one that is mapped: there is memory of the VM's around it.
    let register = prop_oneof![1 => Just(0u8), 9 => 9u8..=20];
    let registers = (register.clone(), register.clone(), register, 0u8..4);
    let modes = prop_oneof![Just(RM_DYNAMIC), 0u8..=4];
    let imm = prop_oneof![-2048..2048, 0..64, Just(0)];
    (prop::sample::select(rows), registers, modes, imm, 0u8..16).prop_filter_map(
        "no such operands",
        |(opcode, (rd, rs1, rs2, rs3), rm, imm, wild)| {
            let kind = opcode.row().kind;
            let memory = matches!(kind, Kind::Load | Kind::Store | Kind::Atomic);
            let rs1 = if memory && wild != 0 { BASE } else { rs1 };
            let imm = if kind == Kind::Branch { 8 } else { imm };
            let instruction =
                Instruction { rd, rs1, rs2, rs3, rm, imm, ..Instruction::new(opcode) };
            let small = Instruction { imm: imm & 31, ..instruction };
            [instruction, small].into_iter().find(|i| encode(i).is_some())
        },
    )
}

/// Puts the program where it begins: it may have overwritten itself.
fn load(program: &[Instruction], guest: &Guest) {
    for (n, instruction) in program.iter().enumerate() {
        let bits = encode(instruction).expect("it was encoded before");
        access::copy_out(guest.code + 4 * n as u64, &bits.to_le_bytes()).expect("it is mapped");
    }
    guest.write(4 * program.len() as u64, &["ecall", "ecall"]);
}

/// Why the program stopped, and at which offset, the hart and the data.
type Outcome = (Stop, u64, String, Vec<u8>);

/// What comes of executing it from `start` three times, the later times with what is there then.
fn outcomes(program: &[Instruction], guest: &mut Guest, start: &Hart, warm: Warm) -> Vec<Outcome> {
    let edge = guest.code + EDGE_AT;
    load(program, guest);
    guest.interpreter = Interpreter::new(guest.space.clone(), Extensions::ALL);
    guest.interpreter.set_warm(warm);
    let data = guest.code + DATA;
    let bytes: Vec<u8> = (0..DATA_BYTES).map(|n| ((n * 0xb5) >> 3) as u8).collect();
    for at in [data, edge - DATA_BYTES as u64] {
        access::copy_out(at, &bytes).expect("it is mapped");
    }
    guest.hart = start.clone();
    let mut outcomes = Vec::new();
    for _ in 0..3 {
        guest.hart.pc = guest.code;
        let middle = data + DATA_BYTES as u64 / 2;
        guest.hart.x[usize::from(BASE)] = middle;
        guest.hart.x[usize::from(NEXT)] = middle + size_of::<u64>() as u64;
        guest.hart.x[usize::from(ODD)] = middle + 2;
        guest.hart.x[usize::from(EDGE)] = edge - 3;
        let stop = guest.run();
        let mut bytes = vec![0; DATA_BYTES];
        access::copy_in(data, &mut bytes).expect("it is mapped");
        // Nothing reads the sink.
        guest.hart.x[usize::from(SINK)] = 0;
        outcomes.push((stop, guest.offset(), format!("{:x?}", guest.hart), bytes));
    }
    outcomes
}

/// Values at the boundaries of all widths, and between them.
fn value() -> impl Strategy<Value = u64> {
    let double = any::<f64>().prop_map(f64::to_bits);
    let quarters = any::<i16>().prop_map(|n| (f64::from(n) / 4.0).to_bits());
    let edges = prop::sample::select(vec![
        0,
        1,
        u64::MAX,
        1 << 63,
        (1 << 63) - 1,
        0x8000_0000,
        0x7fff_ffff,
        0xffff_ffff,
        0xffff_ffff_8000_0000,
    ]);
    let boxed = |value: f32| 0xffff_ffff_0000_0000 | u64::from(value.to_bits());
    let single = any::<f32>().prop_map(boxed);
    let halves = any::<i16>().prop_map(move |n| boxed(f32::from(n) / 2.0));
    prop_oneof![edges, any::<u64>(), double, quarters, single, halves, 0..64u64]
}

/// Values where something changes: zeros, infinities, NaNs, what conversions have just room for.
fn boundaries() -> Vec<u64> {
    let limits = [0.0, 0.5, 1.5, 1e300, f64::INFINITY, f64::NAN];
    let powers = [24, 30, 31, 32, 53, 62, 63, 64].map(|power| 2f64.powi(power));
    let doubles = limits.into_iter().chain(powers.iter().flat_map(|power| [power / 2.0, *power]));
    let doubles: Vec<f64> =
        doubles.flat_map(|x| [x, x.next_down(), x + 0.5]).flat_map(|x| [x, -x]).collect();
    let boxed = |single: f32| !0 << 32 | u64::from(single.to_bits());
    let singles = doubles.iter().flat_map(|x| [*x as f32, (*x as f32).next_down()]).map(boxed);
    let integers = [0, 24, 31, 32, 53, 62, 63].map(|bit| 1u64 << bit).into_iter();
    let integers = integers.flat_map(|n| [n, n - 1, n + 1, n.wrapping_neg(), n | 0xff00]);
    let signalling = [0x7ff0_0000_0000_0001, boxed(f32::from_bits(0x7f80_0001))];
    let bits = doubles.iter().map(|x| x.to_bits()).chain(singles).chain(integers);
    let mut all: Vec<u64> = bits.chain(signalling).collect();
    all.sort_unstable();
    all.dedup();
    all
}

/// Every instruction that computes, each with all boundaries, and those of two operands with a few
/// of these for the second one, too.
#[test]
fn host_code_does_at_boundaries_what_handlers_do() {
    let values = boundaries();
    let few: Vec<u64> = values.iter().step_by(16).copied().chain([0, 1 << 63]).collect();
    let computes = |opcode: &Opcode| {
        opcode.row().len == 4 && matches!(opcode.row().kind, Kind::Alu | Kind::Float)
    };
    // What `auipc` gives depends on where it is.
    for opcode in Opcode::all().filter(computes).filter(|opcode| *opcode != Opcode::Auipc) {
        for rm in [RM_DYNAMIC, 0, 1, 2, 3, 4] {
            let registers =
                Instruction { rd: 10, rs1: 11, rs2: 12, rs3: 13, rm, ..Instruction::new(opcode) };
            let rounds = encode(&registers) != encode(&Instruction { rm: rm ^ 1, ..registers });
            if encode(&registers).is_none() || !rounds && rm != 0 {
                continue;
            }
            let mut guests = [Warm::Never, Warm::AtOnce].map(|warm| {
                let mut guest = Guest::new(&[]);
                guest.interpreter.set_warm(warm);
                load(&[registers], &guest);
                guest
            });
            for a in &values {
                for b in &few {
                    let [expected, got] = guests.each_mut().map(|guest| {
                        guest.hart = Hart::new();
                        guest.hart.pc = guest.code;
                        for (n, value) in [(11, *a), (12, *b), (13, *a)] {
                            guest.hart.x[n] = value;
                            guest.hart.f[n] = value;
                        }
                        let stop = guest.run();
                        (
                            stop,
                            guest.offset(),
                            guest.hart.x[10],
                            guest.hart.f[10],
                            guest.hart.fflags,
                        )
                    });
                    assert_eq!(expected, got, "{registers} of {a:#x}, {b:#x}");
                }
            }
        }
    }
}

/// Bytes that are read where something is not as with other numbers.
#[test]
fn numbers_are_read_where_and_when_the_guest_does() {
    const SECOND: &str = "lbu a3, 1(s0); slli a3, a3, 8; or a2, a2, a3";
    const THIRD: &str = "lbu a3, 2(s0); slli a3, a3, 16; or a2, a2, a3";
    const FOURTH: &str = "lbu a3, 3(s0); slli a3, a3, 24; or a2, a2, a3";
    const OTHER: &str = "lbu a4, 0(a1); lbu a5, 1(a1)";
    const BOTH: &str = "slli a5, a5, 8; or a4, a4, a5";
    let programs = [
        // The second number's address is not what it was.
        format!("addi a1, s0, 8; lbu a2, 0(s0); addi a1, s5, 0; {OTHER}; {SECOND}; {BOTH}"),
        // It becomes one that cannot be read from.
        format!("addi a1, s5, 0; lbu a2, 0(s0); lbu a1, 2(s0); {OTHER}; {SECOND}; {BOTH}"),
        // What is between sees registers as they are there, or is left to a handler.
        format!("lbu a2, 0(s0); addi a6, a3, 1; addi a3, a3, 2; {SECOND}"),
        format!("lbu a2, 0(s0); addi a3, zero, 1; {SECOND}"),
        format!("lbu a2, 0(s0); slli a2, a2, 8; add a6, a2, a2; {SECOND}"),
        "lbu a2, 0(s0); divu a6, a7, zero; slli a2, a2, 8; lbu a3, 1(s0); or a2, a2, a3".into(),
        // Half a byte further, and at the same place.
        format!("lbu a2, 0(s0); {SECOND}; {THIRD}; lbu a3, 3(s0); slli a3, a3, 28; or a2, a2, a3"),
        format!("lbu a2, 0(s0); lbu a3, 1(s0); or a2, a2, a3; {SECOND}; {THIRD}; {FOURTH}"),
        // Of two numbers.
        format!(
            "addi a1, s5, 1; lbu a2, 0(s0); lbu a4, 2(a1); lbu a5, 3(a1); {SECOND}; {BOTH}; \
             slli a4, a4, 16; or a2, a2, a4"
        ),
    ];
    let mut start = Hart::new();
    for (n, value) in (0..).zip(&mut start.x[10..18]) {
        *value = 0x1234 * n;
    }
    for text in programs {
        let program: Vec<_> =
            text.split("; ").map(|line| assemble(line).expect("it is right")).collect();
        let mut guest = Guest::new(&[]);
        let expected = outcomes(&program, &mut guest, &start, Warm::Never);
        assert_eq!(outcomes(&program, &mut guest, &start, Warm::AtOnce), expected, "{text}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2000) })]

    #[test]
    fn host_code_does_what_handlers_do(
        pieces in prop::collection::vec(piece(), 1..40),
        x in prop::collection::vec(value(), 32),
        f in prop::collection::vec(value(), 32),
    ) {
        let program = pieces.concat();
        let mut start = Hart::new();
        start.x[1..32].copy_from_slice(&x[1..]);
        start.f.copy_from_slice(&f);
        let mut guest = Guest::new(&[]);
        guest.space.mprotect(guest.code + EDGE_AT, 4096, 0).expect("it is mapped");
        let expected = outcomes(&program, &mut guest, &start, Warm::Never);
        let got = outcomes(&program, &mut guest, &start, Warm::AtOnce);
        let listing: Vec<String> = program.iter().map(|i| i.to_string()).collect();
        for (expected, got) in expected.iter().zip(&got) {
            prop_assert_eq!(expected, got, "{:#?}", listing);
        }
    }
}
