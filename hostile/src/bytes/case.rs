//! Code and registers out of bytes.

use rvrun_hart::Hart;
use rvrun_isa::{Extensions, decode, length};
use std::fmt;

/// Bytes of code that a case has at most.
const CODE_MAX: usize = 256;
/// Registers that a case sets at most.
const SETTINGS_MAX: usize = 15;
/// Bytes of a setting: which register, and how; a value.
const SETTING: usize = 9;
/// Bytes before the settings.
const HEADER: usize = 8;

/// What bytes say of a case. Bytes that are not there are zero.
///
/// | bytes | what they say |
/// |---|---|
/// | 0 | bits: translations are precise, and count; host code from templates; code can be written |
/// | 1 | where the code is in its page, in parcels of 16 bits |
/// | 2 | `frm`, and above it `fflags` |
/// | 3 | how many registers are set, up to 15 |
/// | 4–7 | what the other registers are made from |
/// | 9 each | a register, bit 5 for floating point, bits 6 and 7 how it is set; a value |
/// | the rest | code, up to 256 bytes |
pub(crate) struct Case<'a> {
    pub precise: bool,
    pub counting: bool,
    pub warm: bool,
    pub writable: bool,
    /// Where the code is, from the beginning of its page.
    pub place: u64,
    pub seed: u32,
    fcsr: u8,
    settings: &'a [u8],
    code: &'a [u8],
}

impl<'a> Case<'a> {
    pub(crate) fn of(bytes: &'a [u8]) -> Self {
        let mut header = [0; HEADER];
        let (start, rest) = bytes.split_at(HEADER.min(bytes.len()));
        header[..start.len()].copy_from_slice(start);
        let [flags, place, fcsr, settings, seed @ ..] = header;
        let settings = SETTING * (usize::from(settings) & SETTINGS_MAX);
        let (settings, code) = rest.split_at(settings.min(rest.len()));
        Self {
            precise: flags & 1 != 0,
            counting: flags & 2 != 0,
            warm: flags & 4 != 0,
            writable: flags & 8 != 0,
            place: 2 * u64::from(place),
            seed: u32::from_le_bytes(seed),
            fcsr,
            settings,
            code: &code[..code.len().min(CODE_MAX)],
        }
    }

    /// The code, ended by an environment call.
    pub(crate) fn code(&self) -> Vec<u8> {
        let whole = self.code.len() & !1;
        [&self.code[..whole], &0x73_u32.to_le_bytes()].concat()
    }

    /// Sets the registers that the case names; `pointer` makes an address of any number.
    ///
    /// No number that is not such an address is one of the host's.
    pub(crate) fn set_registers(&self, hart: &mut Hart, pointer: impl Fn(u64) -> u64) {
        hart.frm = self.fcsr & 7;
        hart.fflags = self.fcsr >> 3;
        for setting in self.settings.chunks_exact(SETTING) {
            let [selector, value @ ..] = setting else { continue };
            let value = value.try_into().map_or(0, u64::from_le_bytes);
            let register = usize::from(selector & 31);
            if selector & 32 != 0 {
                hart.f[register] = value;
            } else if register != 0 {
                hart.x[register] = match selector >> 6 {
                    0 => pointer(value),
                    // Below and above of what this process is linked to.
                    1 => value as i32 as u64 & !0x4000_ffff,
                    2 => value as i8 as u64,
                    // Not canonical, whatever is added to it.
                    _ => value & !(1 << 63) | 1 << 62,
                };
            }
        }
    }
}

/// The code in words.
impl fmt::Display for Case<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let code = self.code();
        let mut at = 0;
        while let Some(parcel) = code.get(at..at + 2) {
            let mut word = [0; 4];
            let len = usize::from(length(u16::from_le_bytes([parcel[0], parcel[1]])));
            let bytes = &code[at..code.len().min(at + len)];
            word[..bytes.len()].copy_from_slice(bytes);
            let word = u32::from_le_bytes(word);
            match decode(word, Extensions::ALL) {
                Some(instruction) => writeln!(f, "+{at}: {instruction}")?,
                None => writeln!(f, "+{at}: {word:#x}")?,
            }
            at += len;
        }
        Ok(())
    }
}
