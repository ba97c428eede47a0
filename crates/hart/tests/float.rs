//! MXCSR as fcsr, NaN boxing, and the instructions that only move bits.

use rvrun_hart::float::op::{
    FaddD, FaddH, FaddS, FcvtHD, FcvtSD, FcvtWD, FdivD, FmaddD, FmulS, FroundD, FsqrtS, Op1, Op2,
    Op3,
};
use rvrun_hart::float::{Flags, RoundingMode, host, plain};

const ONE: u64 = 0x3ff0_0000_0000_0000;
const THREE: u64 = 0x4008_0000_0000_0000;
const INFINITY: u64 = 0x7ff0_0000_0000_0000;
const QUIET: u64 = 0x7ff8_0000_0000_0000;
const SIGNALING: u64 = 0x7ff0_0000_0000_0001;
const ONE_S: u64 = 0xffff_ffff_3f80_0000;
const QUIET_S: u64 = 0xffff_ffff_7fc0_0000;
const ONE_H: u64 = 0xffff_ffff_ffff_3c00;
const QUIET_H: u64 = 0xffff_ffff_ffff_7e00;

const NX: u8 = 1;
const OF: u8 = 4;
const DZ: u8 = 8;
const NV: u8 = 16;

/// What `operation` gives and raises with the dynamic rounding mode `frm`.
fn run<T>(frm: u8, operation: impl FnOnce() -> T) -> (T, u8) {
    host::enter(frm);
    let result = operation();
    (result, host::leave())
}

#[test]
fn rounding_modes_have_the_manuals_numbers() {
    for mode in RoundingMode::ALL {
        assert_eq!(RoundingMode::from_bits(mode as u8), Some(mode));
    }
    assert_eq!(RoundingMode::from_bits(0), Some(RoundingMode::NearestEven));
    assert_eq!(RoundingMode::from_bits(2), Some(RoundingMode::Down));
    assert_eq!(RoundingMode::from_bits(4), Some(RoundingMode::NearestAway));
    assert!((5..=255).all(|bits| RoundingMode::from_bits(bits).is_none()));
}

#[test]
fn mxcsr_masks_exceptions_and_carries_the_mode() {
    assert_eq!([0, 1, 2, 3].map(host::mxcsr_from), [0x1f80, 0x7f80, 0x3f80, 0x5f80]);
    assert_eq!([4, 5, 6, 7, 255].map(host::mxcsr_from), [0x1f80; 5]);
}

#[test]
fn the_dynamic_mode_reaches_the_operation() {
    let third = 0x3fd5_5555_5555_5555;
    assert_eq!(run(0, || FdivD::host(ONE, THREE)), (third, NX));
    assert_eq!(run(1, || FdivD::host(ONE, THREE)), (third, NX));
    assert_eq!(run(2, || FdivD::host(ONE, THREE)), (third, NX));
    assert_eq!(run(3, || FdivD::host(ONE, THREE)), (third + 1, NX));
}

#[test]
fn an_unused_result_still_raises_its_flags() {
    let ((), flags) = run(0, || {
        FdivD::host(ONE, 0);
    });
    assert_eq!(flags, DZ);
}

#[test]
fn flags_accumulate_and_a_write_clears_them() {
    let ((first, second, third), last) = run(0, || {
        FdivD::host(ONE, 0);
        let first = host::flags();
        FdivD::host(ONE, THREE);
        let second = host::flags();
        host::set(3);
        let third = host::flags();
        host::raise(Flags::OVERFLOW);
        (first, second, third)
    });
    assert_eq!((first, second, third, last), (DZ, DZ | NX, 0, OF));
}

#[test]
fn rust_gets_its_mode_and_clear_flags_back() {
    run(3, || FdivD::host(ONE, THREE));
    assert_eq!(std::hint::black_box(1.0_f64) / std::hint::black_box(3.0), 1.0 / 3.0);
    assert_eq!(run(0, || ()).1, 0);
}

#[test]
fn a_static_mode_lasts_for_one_operation_and_keeps_all_flags() {
    let ((fixed, dynamic), flags) = run(3, || {
        FdivD::host(ONE, 0);
        let fixed = FdivD::host_static(ONE, THREE, RoundingMode::Down);
        (fixed, FdivD::host(ONE, THREE))
    });
    assert_eq!(dynamic, fixed + 1);
    assert_eq!(flags, DZ | NX);

    let (integral, flags) = run(2, || FroundD::host_static(0x3ff4 << 48, RoundingMode::Up));
    assert_eq!((integral, flags), (0x4000 << 48, 0));
}

#[test]
fn soft_touches_no_flags_of_the_host() {
    let mut flags = Flags::new();
    let (result, raised) =
        run(0, || FdivD::soft(ONE, THREE, RoundingMode::NearestAway, &mut flags));
    assert_eq!((result, raised, flags.bits()), (0x3fd5_5555_5555_5555, 0, NX));
}

#[test]
fn half_precision_takes_mode_and_flags_of_the_host() {
    let tiny = 0xffff_ffff_ffff_0001;
    assert_eq!(run(0, || FaddH::host(ONE_H, tiny)), (ONE_H, NX));
    assert_eq!(run(3, || FaddH::host(ONE_H, tiny)), (ONE_H + 1, NX));
    assert_eq!(run(3, || FaddH::host_static(ONE_H, tiny, RoundingMode::Down)), (ONE_H, NX));
}

#[test]
fn double_to_half_rounds_once() {
    // Just above a tie of half precision: rounded to single first, it would be the tie.
    let above_tie = 0x3ff0_0200_0000_0001;
    assert_eq!(run(0, || FcvtHD::host(above_tie)), (ONE_H + 1, NX));
    assert_eq!(run(0, || FcvtHD::host(above_tie - 1)), (ONE_H, NX));
}

#[test]
fn an_operand_that_is_not_boxed_is_the_canonical_nan() {
    for unboxed in [0x3f80_0000, 0xffff_fffe_3f80_0000, 0x7fff_ffff_3f80_0000, 0x7f80_0001] {
        assert_eq!(run(0, || FaddS::host(unboxed, ONE_S)), (QUIET_S, 0));
        assert_eq!(run(0, || FaddS::host(ONE_S, unboxed)), (QUIET_S, 0));
        assert_eq!(run(0, || FsqrtS::host(unboxed)), (QUIET_S, 0));
        assert_eq!(run(0, || plain::feq_s(unboxed, ONE_S)), (0, 0));
        assert_eq!(run(0, || plain::flt_s(unboxed, ONE_S)), (0, NV));
        assert_eq!(run(0, || plain::fmin_s(unboxed, ONE_S)), (ONE_S, 0));
        assert_eq!(plain::fclass_s(unboxed), 1 << 9);
        assert_eq!(plain::fsgnj_s(unboxed, ONE_S), QUIET_S);
        assert_eq!(plain::fsgnjn_s(ONE_S, unboxed), ONE_S | 1 << 31);
        assert_eq!(plain::fsgnjx_s(unboxed, ONE_S | 1 << 31), QUIET_S | 1 << 31);
    }
    assert_eq!(run(0, || FaddH::host(0xffff_ffff_3c00, ONE_H)), (QUIET_H, 0));
    assert_eq!(plain::fclass_h(0x3c00), 1 << 9);
    assert_eq!(plain::fsgnj_h(0x3c00, ONE_H), QUIET_H);
}

#[test]
fn nan_results_are_canonical() {
    let payload = 0xfff8_0000_0000_1234;
    assert_eq!(run(0, || FaddD::host(payload, ONE)), (QUIET, 0));
    assert_eq!(run(0, || FaddD::host(SIGNALING, ONE)), (QUIET, NV));
    assert_eq!(run(0, || FaddD::host(INFINITY, INFINITY | 1 << 63)), (QUIET, NV));
    assert_eq!(run(0, || FmulS::host(0xffff_ffff_ffc1_2345, ONE_S)), (QUIET_S, 0));
    assert_eq!(run(0, || FcvtSD::host(payload)), (QUIET_S, 0));
    assert_eq!(run(0, || plain::fmin_d(payload, payload)), (QUIET, 0));
    assert_eq!(run(0, || plain::fmax_d(SIGNALING, ONE)), (ONE, NV));
    assert_eq!(run(0, || plain::fmaxm_d(payload, ONE)), (QUIET, 0));
}

#[test]
fn infinity_times_zero_is_invalid_whatever_is_added() {
    assert_eq!(run(0, || FmaddD::host(INFINITY, 0, QUIET)), (QUIET, NV));
    assert_eq!(run(0, || FmaddD::host(1 << 63, INFINITY, QUIET)), (QUIET, NV));
    assert_eq!(run(0, || FmaddD::host(INFINITY, 1, QUIET)), (QUIET, 0));
    assert_eq!(run(0, || FmaddD::host(QUIET, 0, QUIET)), (QUIET, 0));
}

#[test]
fn conversions_saturate_and_are_then_only_invalid() {
    assert_eq!(run(0, || FcvtWD::host(QUIET)), (0x7fff_ffff, NV));
    assert_eq!(run(0, || FcvtWD::host(0xc1e0_0000_0010_0000)), (0xffff_ffff_8000_0000, NX));
    assert_eq!(run(2, || FcvtWD::host(0xc1e0_0000_0010_0000)), (0xffff_ffff_8000_0000, NV));
    // 2^32 + 1, 2^63 and an infinity: modulo 2^32, but invalid.
    assert_eq!(run(0, || plain::fcvtmod_w_d(0x41f0_0000_0010_0000)), (1, NV));
    assert_eq!(run(0, || plain::fcvtmod_w_d(0x43e0_0000_0000_0000)), (0, NV));
    assert_eq!(run(0, || plain::fcvtmod_w_d(INFINITY)), (0, NV));
    assert_eq!(run(3, || plain::fcvtmod_w_d(0xbffc_0000_0000_0000)), (u64::MAX, NX));
}

#[test]
fn signs_are_injected_and_bits_moved() {
    let minus = 1 << 63;
    assert_eq!(plain::fsgnj_d(ONE, QUIET | minus), ONE | minus);
    assert_eq!(plain::fsgnjn_d(ONE | minus, QUIET | minus), ONE);
    assert_eq!(plain::fsgnjx_d(SIGNALING | minus, minus), SIGNALING);
    assert_eq!(plain::fmv_x_w(0x1234_5678_8000_0001), 0xffff_ffff_8000_0001);
    assert_eq!(plain::fmv_w_x(0x1234_5678_3f80_0000), ONE_S);
    assert_eq!(plain::fmv_x_h(0x1234_8001), 0xffff_ffff_ffff_8001);
    assert_eq!(plain::fmv_h_x(0x1234_3c00), ONE_H);
    assert_eq!(plain::fmv_x_d(minus), minus);
    assert_eq!(plain::fmv_d_x(minus), minus);
}

#[test]
fn constants_are_those_of_the_table() {
    // Zfa's table as numbers, the smallest normal number and the NaN apart.
    let numbers = [
        -1.0,
        f64::MIN_POSITIVE,
        (-16.0_f64).exp2(),
        (-15.0_f64).exp2(),
        (-8.0_f64).exp2(),
        (-7.0_f64).exp2(),
        0.0625,
        0.125,
        0.25,
        0.3125,
        0.375,
        0.4375,
        0.5,
        0.625,
        0.75,
        0.875,
        1.0,
        1.25,
        1.5,
        1.75,
        2.0,
        2.5,
        3.0,
        4.0,
        8.0,
        16.0,
        128.0,
        256.0,
        32768.0,
        65536.0,
        f64::INFINITY,
    ];
    for (index, number) in (0..).zip(numbers) {
        assert_eq!(plain::fli_d(index), f64::to_bits(number), "entry {index}");
        let single = if index == 1 { f32::MIN_POSITIVE } else { number as f32 };
        assert_eq!(
            plain::fli_s(index),
            0xffff_ffff << 32 | u64::from(single.to_bits()),
            "entry {index}"
        );
    }
    assert_eq!([31, 63].map(plain::fli_d), [QUIET; 2]);
    assert_eq!(plain::fli_s(31), QUIET_S);
    let half = |index| plain::fli_h(index) as u16;
    assert_eq!([0, 1, 2, 3, 16].map(half), [0xbc00, 0x0400, 0x0100, 0x0200, 0x3c00]);
    assert_eq!([27, 28, 29, 30, 31].map(half), [0x5c00, 0x7800, 0x7c00, 0x7c00, 0x7e00]);
    assert_eq!(plain::fli_h(16), ONE_H);
}
