//! Has the linker put the functions next to one another that run in each short program, and what
//! they need of constants and variables.
//!
//! `startup.order` lists them (`cargo xtask startup` writes it). The kernel maps a program's
//! text 64 KiB at a time, as it is touched: what a static hello executes of rvrun is half a
//! megabyte of seven, but was all over it. Variables are copied a page at a time.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

/// Crates of whose constants a short program needs some that have no names; other crates' are
/// many, the vectors of the conformance suite most of all.
const CRATES: [&str; 11] = [
    "std",
    "rvrun_cache",
    "xxhash_rust",
    "rvrun_jit",
    "rvrun_syscall",
    "rvrun_memory",
    "rvrun_hart",
    "rvrun_host",
    "rvrun_cli",
    "rvrun",
    "rvrun_interp",
];

/// Constants that each short program needs, beside those of functions.
const CONSTANTS: [&str; 7] = [
    "rvrun_interp9predecode6LIKELY",
    "rvrun_interp9predecode8EMITTERS",
    "rvrun_interp3ops6direct9EXECUTORS",
    "rvrun_interp3ops8HANDLERS",
    "rvrun_isa6decode5INDEX",
    "rvrun_isa6decode4KEYS",
    "rvrun_syscall8dispatch9BY_NUMBER",
];

/// Members of the C library with many constants, of which a short program needs none.
const LARGE_MEMBERS: [&str; 2] = ["C-ctype.o", "fpioconst.o"];

/// Members of the C library whose variables are written at each start.
const WRITTEN_MEMBERS: [&str; 19] = [
    "brk.o",
    "cxa_atexit.o",
    "dl-debug-symbols.o",
    "dl-find_object.o",
    "dl-load.o",
    "dl-rseq-symbols.o",
    "dl-support.o",
    "dl-tls_init_tp.o",
    "dl-tunables.o",
    "elision-conf.o",
    "enbl-secure.o",
    "environ.o",
    "init-first.o",
    "init-misc.o",
    "libc-start.o",
    "libc-tls.o",
    "malloc.o",
    "single_threaded.o",
    "vars.o",
];

/// Variables of which a short program needs little, but that are large.
const LARGE_VARIABLES: [(&str, &str); 5] = [
    ("*", ".bss.*rvrun_host5fault11FIRST_STACK*"),
    ("*", ".bss.*rvrun_host4code6ARENAS*"),
    ("*libc.a:pthread_keys.o", ".bss"),
    ("*", ".data.*iced_x86*"),
    ("*", ".data.*MAPPINGS_CACHE*"),
];

/// Where a stretch begins of what the kernel maps at once.
const ALIGNED: &str = "ALIGN(0x10000)";

/// Before the names of Rust's functions, each of which has a section of its own.
const MANGLED: [&str; 2] = ["_ZN", "_R"];

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=startup.order");
    if env::var("PROFILE").as_deref() != Ok("release") || !links_with_lld() {
        return;
    }
    let [from, to] =
        ["CARGO_MANIFEST_DIR", "OUT_DIR"].map(|name| env::var(name).expect("cargo says where"));
    let listed = fs::read_to_string(Path::new(&from).join("startup.order")).expect("it is there");
    let (often, always) = listed.split_once("\n\n").expect("there are two lists");
    let is_ours = |name: &&str| MANGLED.iter().any(|start| name.starts_with(start));
    let [(often, often_others), (always, always_others)] =
        [often, always].map(|list| list.lines().partition::<Vec<&str>, _>(is_ours));
    let write = |name: &str, text: String| -> PathBuf {
        let path = Path::new(&to).join(name);
        fs::write(&path, text).expect("cargo's folder for it can be written");
        path
    };
    let script = write("startup.ld", script(&often, &always));
    let others = [always_others, often_others].concat();
    let order = write("startup.order", others.join("\n"));
    // Another compiler or other dependencies give functions other names: those stay where they are.
    let order = format!("--symbol-ordering-file={}", order.display());
    let script = format!("--script={}", script.display());
    for argument in [script.as_str(), order.as_str(), "--no-warn-symbol-ordering"] {
        println!("cargo:rustc-link-arg-bins=-Xlinker");
        println!("cargo:rustc-link-arg-bins={argument}");
    }
}

/// What has the linker put these functions next to one another, and what they need. A list of symbols
/// cannot do that: what the compiler uses in several of its units has a number behind its name,
/// another one with each change of the code.
fn script(often: &[&str], always: &[&str]) -> String {
    let named = |section: &str, functions: &[&str]| -> String {
        let pattern = |name| format!("*({section}.{name} {section}.{name}.llvm.*)\n");
        functions.iter().map(pattern).collect()
    };
    let text = |functions| named(".text", functions) + &named(".text.unlikely", functions);
    let constants = [often, always, &["main"]]
        .map(|functions| named(".rodata", functions) + &named(".rodata..Lswitch.table", functions));
    let tables = CONSTANTS.map(|name| format!("*(.rodata.*{name}*)\n")).concat();
    let large = LARGE_MEMBERS.map(|member| format!("*{member}")).join(" ");
    let of_libc = format!(
        "*libc.a:*(EXCLUDE_FILE({large}) .rodata EXCLUDE_FILE({large}) .rodata.*)\n\
         *libgcc_eh.a:*(.rodata .rodata.*)\n"
    );
    // The names of the compiler's files have those of crates, and the program's own no hash.
    let files = CRATES.map(|name| format!("*.{name}-*"));
    let files = files.into_iter().chain(["*/rvrun-????????????????.rvrun.*".into()]);
    // Those with names are other functions'.
    let unnamed = ".rodata .rodata..Lanon.* .rodata.anon.* .rodata.cst* .rodata.str*";
    let of_crates: String = files.map(|files| format!("{files}({unnamed})\n")).collect();
    let variables = |kind: &str| -> String {
        let of_kind = LARGE_VARIABLES.into_iter().filter(|(_, section)| section.starts_with(kind));
        of_kind.map(|(files, section)| format!("{files}({section})\n")).collect()
    };
    let written = |kind: &str| {
        let members = WRITTEN_MEMBERS.map(|member| format!("*libc.a:{member}({kind} {kind}.*)\n"));
        members.concat() + &format!("*libgcc_eh.a:*({kind})\n")
    };
    [
        // What all programs run is last there, since the C library comes behind it.
        (".text.startup", ALIGNED, text(always), "BEFORE .text"),
        (".text.often", "", text(often), "BEFORE .text.startup"),
        // How the C library's functions are called that are chosen at the start.
        (".iplt", "", "*(.iplt)\n".into(), "AFTER .text.startup"),
        (".init", "", "KEEP(*(.init))\n".into(), "AFTER .text.startup"),
        // Behind the file's headers and what the C library relocates, which it reads as well as where
        // the information for unwinding begins.
        (".rodata.startup", "", constants.concat() + &of_libc + &tables, "BEFORE .rodata"),
        (".rodata.often", "", of_crates, "BEFORE .rodata.startup"),
        (".eh_frame", "", "KEEP(*(.eh_frame))\n".into(), "AFTER .rodata.startup"),
        // Around the table that the C library fills in when it starts, and before other variables that
        // begin as zeroes.
        (
            ".data.startup",
            "ALIGN(0x1000)",
            written(".data") + "*(.data.*rvrun_host*)\n",
            "BEFORE .got.plt",
        ),
        (".bss.startup", "", written(".bss"), "BEFORE .bss"),
        (".data.large", "", variables(".data") + ". = ALIGN(4096);\n", "BEFORE .data"),
        (".bss.large", "", variables(".bss"), "AFTER .bss"),
    ]
    .map(|(name, start, sections, place)| {
        format!("SECTIONS {{ {name} : {start} {{\n{sections}}} }} INSERT {place};\n")
    })
    .concat()
}

/// Whether the linker is the toolchain's own lld, as it is by default where there is one: others
/// do not know the option.
fn links_with_lld() -> bool {
    let flags = env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    if env::var_os("RUSTC_LINKER").is_some()
        || ["-lld", "fuse-ld", "linker="].iter().any(|f| flags.contains(f))
    {
        return false;
    }
    let (Ok(rustc), Ok(target)) = (env::var("RUSTC"), env::var("TARGET")) else { return false };
    let Ok(output) = Command::new(rustc).args(["--print", "sysroot"]).output() else {
        return false;
    };
    let sysroot = String::from_utf8_lossy(&output.stdout).trim().to_owned();
    Path::new(&sysroot).join("lib/rustlib").join(target).join("bin/gcc-ld/ld.lld").exists()
}
