//! Names of registers, CSRs, rounding modes and `fli` constants.

/// ABI names of the integer registers (psABI, "Integer Register Convention").
pub const X_NAMES: [&str; 32] = [
    "zero", "ra", "sp", "gp", "tp", "t0", "t1", "t2", "s0", "s1", "a0", "a1", "a2", "a3", "a4",
    "a5", "a6", "a7", "s2", "s3", "s4", "s5", "s6", "s7", "s8", "s9", "s10", "s11", "t3", "t4",
    "t5", "t6",
];

/// ABI names of the floating-point registers (psABI, "Floating-point Register Convention").
pub const F_NAMES: [&str; 32] = [
    "ft0", "ft1", "ft2", "ft3", "ft4", "ft5", "ft6", "ft7", "fs0", "fs1", "fa0", "fa1", "fa2",
    "fa3", "fa4", "fa5", "fa6", "fa7", "fs2", "fs3", "fs4", "fs5", "fs6", "fs7", "fs8", "fs9",
    "fs10", "fs11", "ft8", "ft9", "ft10", "ft11",
];

/// Names of the rounding modes by their encoding; 5 and 6 are reserved.
pub const ROUNDING_NAMES: [&str; 8] = ["rne", "rtz", "rdn", "rup", "rmm", "", "", "dyn"];

/// The constants of `fli` by their index (Zfa, "Load-Immediate Instructions").
pub const FLI_NAMES: [&str; 32] = [
    "-1.0",
    "min",
    "1.52587890625e-05",
    "3.0517578125e-05",
    "0.00390625",
    "0.0078125",
    "0.0625",
    "0.125",
    "0.25",
    "0.3125",
    "0.375",
    "0.4375",
    "0.5",
    "0.625",
    "0.75",
    "0.875",
    "1.0",
    "1.25",
    "1.5",
    "1.75",
    "2.0",
    "2.5",
    "3.0",
    "4.0",
    "8.0",
    "16.0",
    "128.0",
    "256.0",
    "32768.0",
    "65536.0",
    "inf",
    "nan",
];

/// Numbers of the CSRs that user mode can reach (privileged manual, "CSR Listing").
pub mod csr {
    /// Accrued exception flags.
    pub const FFLAGS: u16 = 0x001;
    /// Dynamic rounding mode.
    pub const FRM: u16 = 0x002;
    /// Both of the above.
    pub const FCSR: u16 = 0x003;
    /// Cycle counter.
    pub const CYCLE: u16 = 0xc00;
    /// Wall clock.
    pub const TIME: u16 = 0xc01;
    /// Instructions retired.
    pub const INSTRET: u16 = 0xc02;
    /// First of the 29 further counters, up to 0xc1f.
    pub const HPMCOUNTER3: u16 = 0xc03;
    /// Last of them.
    pub const HPMCOUNTER31: u16 = 0xc1f;

    /// First of 16 that count the nanoseconds of Linux's clocks, by their numbers. The
    /// manual leaves these, which can be read only, to implementations; the VM's vDSO
    /// reads them.
    pub const CLOCK: u16 = 0xcc0;
    /// Last of them.
    pub const LAST_CLOCK: u16 = 0xccf;

    /// Names and numbers, without the `hpmcounter` ones.
    pub const NAMES: [(&str, u16); 6] = [
        ("fflags", FFLAGS),
        ("frm", FRM),
        ("fcsr", FCSR),
        ("cycle", CYCLE),
        ("time", TIME),
        ("instret", INSTRET),
    ];
}
