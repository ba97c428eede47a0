//! The host's processor.

use std::arch::x86_64::{__cpuid, __cpuid_count};

/// Leaf 1, ECX: the operating system has enabled XSAVE.
const OSXSAVE: u32 = 1 << 27;

/// What the processor has that code might use, and the operating system lets it: the words of
/// CPUID that list features (Intel's manual, volume 2A, CPUID), and the register XCR0. Each
/// question costs some microseconds where the host is a virtual machine itself.
pub fn features() -> [u32; 9] {
    let highest = __cpuid(0).eax;
    let basic = __cpuid(1);
    let extended = __cpuid(0x8000_0001);
    let leaf_7 = |subleaf| (highest >= 7).then(|| __cpuid_count(7, subleaf));
    let first = leaf_7(0);
    let second = first.filter(|first| first.eax >= 1).and_then(|_| leaf_7(1));
    let [ebx, ecx, edx] = first.map_or([0; 3], |leaf| [leaf.ebx, leaf.ecx, leaf.edx]);
    let enabled = if basic.ecx & OSXSAVE == 0 { 0 } else { xcr0() };
    [
        basic.ecx,
        basic.edx,
        extended.ecx,
        extended.edx,
        ebx,
        ecx,
        edx,
        second.map_or(0, |leaf| leaf.eax),
        enabled,
    ]
}

/// Has all stores before it done before any load behind it, as a fence that is sequentially
/// consistent does. By an instruction that is locked, as Linux's `smp_mb`: 2 ns, where `mfence`, which
/// orders more kinds of memory than programs have, takes 16.
#[inline(always)]
pub fn full_fence() {
    // SAFETY: the word below the stack's end is nobody's, and stays as it is.
    unsafe { std::arch::asm!("lock or dword ptr [rsp - 8], 0") }
}

/// The low half of XCR0; to be asked for where XSAVE is enabled.
fn xcr0() -> u32 {
    let low: u32;
    // SAFETY: XGETBV is there where XSAVE is enabled; it changes nothing else.
    unsafe {
        std::arch::asm!(
            "xgetbv",
            in("ecx") 0,
            out("eax") low,
            out("edx") _,
            options(nomem, nostack, preserves_flags)
        );
    }
    low
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn features_are_those_that_the_standard_library_finds() {
        let found = features();
        assert_eq!(found, features());
        let has = |word: usize, bit: u32| found[word] >> bit & 1 != 0;
        assert_eq!(has(0, 0), is_x86_feature_detected!("sse3"));
        assert_eq!(has(4, 8), is_x86_feature_detected!("bmi2"));
        let vectors = has(0, 28) && found[8] & 6 == 6;
        assert_eq!(vectors, is_x86_feature_detected!("avx"));
    }
}
