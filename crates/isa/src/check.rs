//! Compile-time checks of the instruction table.

use crate::row::{ROW_TABLE, Row};

/// Rows may share bit patterns only where one nests in the other: a hint or a
/// compressed form that carves its encodings out of a wider row.
#[allow(long_running_const_eval)]
const _: () = {
    let rows = &ROW_TABLE;
    let mut i = 0;
    while i < rows.len() {
        assert!(
            fields_fill_pattern(&rows[i]),
            "a row's operands do not match its pattern's free bits"
        );
        let mut j = i + 1;
        while j < rows.len() {
            assert!(disjoint_or_nested(&rows[i], &rows[j]), "two rows of the table overlap");
            j += 1;
        }
        i += 1;
    }
};

const fn disjoint_or_nested(a: &Row, b: &Row) -> bool {
    let common = a.mask & b.mask;
    if a.len != b.len || (a.value ^ b.value) & common != 0 {
        return true;
    }
    let is_form = a.stands_for as u16 != a.opcode as u16 || b.stands_for as u16 != b.opcode as u16;
    is_form && a.mask != b.mask && (common == a.mask || common == b.mask)
}

const fn fields_fill_pattern(row: &Row) -> bool {
    let mut filled = row.mask;
    let mut i = 0;
    while i < row.fields.len() {
        let mask = row.fields[i].mask();
        if filled & mask != 0 {
            return false;
        }
        filled |= mask;
        i += 1;
    }
    filled == if row.len == 2 { 0xffff } else { u32::MAX }
}
