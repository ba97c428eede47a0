//! Hosts without FMA, SSE4.1 or F16C, played on one that has them.

use super::arithmetic::{fround_d, fround_s, froundnx_d, froundnx_s, without_sse41};
use super::fused::{fmadd_d, fmadd_s, fmsub_d, fnmadd_d, fnmsub_s, without_fma};
use super::half::{fcvt_h_s, fcvt_s_h, to_half_without_f16c, to_single_without_f16c};
use super::{aside, enter, flags, leave};
use crate::float::{F32, F64, Format, soft};

const SINGLES: [u64; 8] = [
    0xffff_ffff_3f80_0000,
    0xffff_ffff_bfc0_0001,
    0xffff_ffff_0000_0001,
    0xffff_ffff_7f7f_ffff,
    0xffff_ffff_7f80_0000,
    0xffff_ffff_7f80_0001,
    0xffff_ffff_8000_0000,
    0x0000_0000_3f80_0000,
];

const DOUBLES: [u64; 8] = [
    0x3ff0_0000_0000_0000,
    0xbff8_0000_0000_0001,
    0x0000_0000_0000_0001,
    0x7fef_ffff_ffff_ffff,
    0x7ff0_0000_0000_0000,
    0x7ff0_0000_0000_0001,
    0x8000_0000_0000_0000,
    0x4008_0000_0000_0000,
];

/// Runs both in each mode that the host has; results and flags must be equal.
fn same(one: impl Fn() -> u64, other: impl Fn() -> u64) {
    for frm in 0..4 {
        enter(frm);
        let result = one();
        let one = (result, leave());
        enter(frm);
        let result = other();
        let other = (result, leave());
        assert_eq!(one, other, "frm {frm}");
    }
}

#[test]
fn fused_operations_do_without_fma() {
    let (s, d) = (F32::SIGN, F64::SIGN);
    for i in 0..8 * 8 * 8 {
        let [a, b, c] = [i % 8, i / 8 % 8, i / 64].map(|index| SINGLES[index]);
        same(|| fmadd_s(a, b, c), || without_fma::<F32>(a, b, c, 0, 0));
        same(|| fnmsub_s(a, b, c), || without_fma::<F32>(a, b, c, s, 0));
        let [a, b, c] = [i % 8, i / 8 % 8, i / 64].map(|index| DOUBLES[index]);
        same(|| fmadd_d(a, b, c), || without_fma::<F64>(a, b, c, 0, 0));
        same(|| fmsub_d(a, b, c), || without_fma::<F64>(a, b, c, 0, d));
        same(|| fnmadd_d(a, b, c), || without_fma::<F64>(a, b, c, d, d));
    }
}

#[test]
fn rounding_to_integral_does_without_sse41() {
    use soft::{to_integral, to_integral_inexact};
    for (single, double) in SINGLES.into_iter().zip(DOUBLES) {
        same(|| fround_s(single), || without_sse41::<F32>(single, to_integral::<F32>));
        same(|| froundnx_s(single), || without_sse41::<F32>(single, to_integral_inexact::<F32>));
        same(|| fround_d(double), || without_sse41::<F64>(double, to_integral::<F64>));
        same(|| froundnx_d(double), || without_sse41::<F64>(double, to_integral_inexact::<F64>));
    }
}

#[test]
fn half_precision_does_without_f16c() {
    for half in [0x3c00, 0x8001, 0x7bff, 0x7c00, 0x7c01, 0xfe00].map(|bits| bits | !0xffff) {
        same(|| fcvt_s_h(half), || to_single_without_f16c(half));
    }
    let subnormal = 0xffff_ffff_3380_0001;
    for single in SINGLES.into_iter().chain([subnormal]) {
        same(|| fcvt_h_s(single), || to_half_without_f16c(single));
    }
}

#[test]
fn what_is_done_aside_neither_rounds_nor_counts_as_the_guest_does() {
    let third = || std::hint::black_box(1.0_f64) / std::hint::black_box(3.0);
    let nearest = third();
    enter(3);
    assert_eq!(aside(third), nearest);
    assert_eq!(flags(), 0);
    let up = third();
    assert_ne!(up, nearest);
    assert_eq!(leave(), 1);
}
