//! The syntax of vectors in both directions.

use rvrun_isa_tests::{Layout, ParseError, State, Symbol, Value, Vector, read_all};
use std::collections::HashSet;

const LAYOUT: Layout = Layout { base: 0x1000_0000 };

#[test]
fn every_line_prints_as_it_is_written() {
    for file in read_all().unwrap() {
        let text = std::fs::read_to_string(&file.path).unwrap();
        let written: Vec<&str> = text.lines().collect();
        for (number, vector) in file.vectors() {
            assert_eq!(vector.to_string(), written[number - 1], "{}:{number}", file.name);
        }
    }
}

#[test]
fn no_line_is_there_twice() {
    let mut seen = HashSet::new();
    for file in read_all().unwrap() {
        for (number, vector) in file.vectors() {
            assert!(seen.insert(vector.left_side()), "{}.txt:{number}", file.name);
        }
    }
}

#[test]
fn values_are_numbers_addresses_and_boxed_floating_point_numbers() {
    let bits = |text| Value::parse(text).unwrap().resolve(LAYOUT);
    assert_eq!(bits("-1"), u64::MAX);
    assert_eq!(bits("-0x8000000000000000"), 1 << 63);
    assert_eq!(bits("data+8"), 0x1000_6008);
    assert_eq!(bits("hole-1"), 0x1000_6fff);
    assert_eq!(bits("h(1.0)"), 0xffff_ffff_ffff_3c00);
    assert_eq!(bits("h(-65504.0)"), 0xffff_ffff_ffff_fbff);
    assert_eq!(bits("h(-0.0)"), 0xffff_ffff_ffff_8000);
    assert_eq!(bits("s(-inf)"), 0xffff_ffff_ff80_0000);
    assert_eq!(bits("s(nan)"), 0xffff_ffff_7fc0_0000);
    assert_eq!(bits("d(5e-324)"), 1);
    for wrong in ["", "1.5", "q(1.0)", "h(0.1)", "h(0x10000)", "data*2", "0x1ffffffffffffffff"] {
        assert_eq!(Value::parse(wrong), None, "{wrong}");
    }
}

#[test]
fn what_is_wrong_with_a_line_is_said() {
    let error = |line: &str| line.parse::<Vector>().unwrap_err();
    assert!(matches!(error("ad a0, a1, a2 | -"), ParseError::Code(..)));
    assert!(matches!(error("add a0, a1, a2 | a1"), ParseError::Assignment(_)));
    assert!(matches!(error("add a0, a1, a2 | a32=1"), ParseError::Assignment(_)));
    assert!(matches!(error("add a0, a1, a2 | pc=code"), ParseError::NotBefore(_)));
    assert!(matches!(error("add a0, a1, a2 | a1=*"), ParseError::NotBefore(_)));
    assert!(matches!(error("add a0, a1, a2 | - => trap=fire"), ParseError::Trap(_)));
}

#[test]
fn a_vector_sets_what_it_names_and_expects_the_rest_unchanged() {
    let line = "amoadd.w a0, a2, (a1) | a1=data+4 a2=1 w[data+4]=2 => a0=2 w[data+4]=3";
    let vector: Vector = line.parse().unwrap();
    let before = vector.before(LAYOUT);
    let unset = State::unset(LAYOUT);
    assert_eq!((before.x[11], before.x[12], before.x[13]), (0x1000_6004, 1, unset.x[13]));
    assert_eq!(before.data[2..9], [0xa5, 0xa5, 2, 0, 0, 0, 0xa5]);
    let expected = vector.expected(LAYOUT, &before).unwrap();
    assert_eq!((expected.x[10], expected.data[4]), (2, 3));
    assert_eq!(expected.pc, LAYOUT.address(Symbol::Code) + 4);

    let mut blessed = vector.clone();
    blessed.after = None;
    blessed.expect(LAYOUT, &expected);
    assert_eq!(blessed.to_string(), line);
}
