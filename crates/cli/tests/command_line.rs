//! The command at its boundary: exit statuses, what it says when something is wrong,
//! what its options do.

mod support;

use std::ffi::OsStr;
use std::fs;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use support::elf::{BASE, LOAD, Program, READ_WRITE, SYMBOL, Segment, header, patched};
use support::{Finished, RVRUN, Scratch};

/// Exits with 3.
const EXITS: [&str; 3] = ["addi a0, zero, 3", "addi a7, zero, 93", "ecall"];
/// A guest program that prints its arguments and its environment if it has the argument `report`.
const REPORTER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/exec");

/// A guest program that shows a file below another root.
const CHANGES_ROOT: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/guest/chroot");

/// A directory with rvrun's programs in it.
struct Place(Scratch);

impl Place {
    fn new() -> Self {
        Self(Scratch::new("command"))
    }

    fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Writes a file that may be executed.
    fn file(&self, name: &str, bytes: &[u8]) -> PathBuf {
        let path = self.path(name);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        fs::write(&path, bytes).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).unwrap();
        path
    }

    /// A command with nothing in its environment, that runs here.
    fn command(&self, program: impl AsRef<OsStr>) -> Command {
        let mut command = Command::new(program);
        command.env_clear().current_dir(self.0.path());
        command
    }

    /// Runs rvrun.
    fn rvrun<A: AsRef<OsStr>>(&self, args: impl IntoIterator<Item = A>) -> Finished {
        support::run(self.command(RVRUN).args(args)).unwrap()
    }

    /// Makes a program of bytes and runs it.
    fn run_bytes(&self, bytes: &[u8]) -> Finished {
        self.rvrun([self.file("program", bytes)])
    }

    /// The same for a program of instructions.
    fn run_code(&self, lines: &[&str]) -> Finished {
        self.run_bytes(&Program::new(lines).bytes())
    }
}

/// What the VM says, which has to be one line.
#[track_caller]
fn complaint(finished: &Finished) -> &str {
    let line = finished.stderr.strip_suffix('\n').unwrap_or(&finished.stderr);
    assert!(line.starts_with("rvrun: "), "{line}");
    assert!(!line.contains('\n'), "more than one line: {line}");
    line
}

/// Expects a status and a line with these words in it.
#[track_caller]
fn expect_complaint(finished: &Finished, status: i32, words: &[&str]) {
    let line = complaint(finished);
    assert_eq!(finished.status.code(), Some(status), "{line}");
    for word in words {
        assert!(line.contains(word), "`{word}` is not in: {line}");
    }
}

/// Expects success, and returns what was printed.
#[track_caller]
fn printed(finished: &Finished) -> &str {
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(0), ""));
    &finished.stdout
}

#[test]
fn the_status_is_the_guests_own() {
    let place = Place::new();
    for status in [0, 1, 125, 127, 255, 256, -1] {
        let exit = format!("addi a0, zero, {status}");
        let finished = place.run_code(&[&exit, "addi a7, zero, 94", "ecall"]);
        assert_eq!(finished.status.code(), Some(status & 0xff));
        assert_eq!(finished.stderr, "");
    }
}

#[test]
fn a_guest_killed_by_a_signal_makes_rvrun_die_of_it() {
    let place = Place::new();
    let wild = ["lui a1, 0x12345", "slli a1, a1, 4"];
    let load = [wild[0], wild[1], "ld a0, 8(a1)"];
    let store = [wild[0], wild[1], "sb a0, 0(a1)"];
    let jump = [wild[0], wild[1], "jalr zero, 0(a1)"];
    let cases: [(&[&str], i32, &str); 4] = [
        (&load, libc::SIGSEGV, "cannot read address 0x123450008"),
        (&store, libc::SIGSEGV, "cannot write address 0x123450000"),
        (&jump, libc::SIGSEGV, "cannot execute address 0x123450000"),
        (&["ebreak"], libc::SIGTRAP, "breakpoint"),
    ];
    for (code, signal, words) in cases {
        let finished = place.run_code(code);
        assert!(complaint(&finished).contains(words), "{}", finished.stderr);
        assert_eq!(finished.status.signal(), Some(signal), "{code:?}");
    }
}

#[test]
fn a_guest_that_kills_itself_dies_without_a_word() {
    let place = Place::new();
    for signal in [libc::SIGTERM, libc::SIGKILL, libc::SIGABRT, libc::SIGSEGV] {
        let signal_argument = format!("addi a1, zero, {signal}");
        let finished = place.run_code(&[
            "addi a7, zero, 172",
            "ecall",
            &signal_argument,
            "addi a7, zero, 129",
            "ecall",
            "jal zero, .+0",
        ]);
        assert_eq!(finished.status.signal(), Some(signal));
        assert_eq!(finished.stderr, "");
    }
}

#[test]
fn a_script_is_run_by_its_interpreter() {
    let place = Place::new();
    let interpreter = place.file("interpreter", &Program::new(&EXITS).bytes());
    let direct = place.rvrun([interpreter.clone()]);
    let line = format!("#!{} -x\n", interpreter.display());
    let script = place.file("script", line.as_bytes());
    assert_eq!(place.rvrun([script.clone()]).status, direct.status);
    let nested = place.file("nested", format!("#!{}\n", script.display()).as_bytes());
    assert_eq!(place.rvrun([nested]).status, direct.status);
    let circle = place.file("circle", b"");
    std::fs::write(&circle, format!("#!{}\n", circle.display())).unwrap();
    expect_complaint(&place.rvrun([circle]), 126, &["too often"]);
}

#[test]
fn files_that_are_no_programs() {
    let place = Place::new();
    let valid = Program::new(&EXITS).bytes();
    let cases: [(&str, Vec<u8>, &[&str]); 13] = [
        ("text", b"hello\n".to_vec(), &["text: not an ELF file"]),
        ("script", b"#!/no/such\nexit 1\n".to_vec(), &["a script for /no/such", "not there"]),
        ("nameless", b"#!  \n".to_vec(), &["names no interpreter"]),
        ("empty", Vec::new(), &["empty"]),
        ("one", vec![0x7f], &["not an ELF file"]),
        (
            "x86-64",
            patched(valid.clone(), header::MACHINE, &[62, 0]),
            &["built for x86-64", "riscv64"],
        ),
        ("arm", patched(valid.clone(), header::MACHINE, &[183, 0]), &["built for AArch64"]),
        ("narrow", patched(valid.clone(), header::CLASS, &[1]), &["32-bit", "riscv64"]),
        ("big", patched(valid.clone(), header::DATA, &[2]), &["big-endian"]),
        ("object", patched(valid.clone(), header::KIND, &[1]), &["relocatable", "link it"]),
        ("cut", valid[..40].to_vec(), &["ends within its header"]),
        ("short", valid[..80].to_vec(), &["ends within its program headers"]),
        ("none", patched(valid.clone(), header::PROGRAM_HEADERS, &[0, 0]), &["no program headers"]),
    ];
    for (name, bytes, words) in cases {
        let finished = place.rvrun([place.file(name, &bytes)]);
        expect_complaint(&finished, 126, words);
        assert!(finished.stderr.contains(name));
    }
}

#[test]
fn what_cannot_be_opened_or_executed() {
    let place = Place::new();
    expect_complaint(&place.rvrun(["./missing"]), 127, &["./missing: no such file"]);
    expect_complaint(&place.rvrun(["missing"]), 127, &["missing: no such file"]);
    expect_complaint(&place.rvrun([""]), 127, &["no such file"]);
    expect_complaint(&place.rvrun(["."]), 126, &[".: is a directory"]);
    expect_complaint(&place.rvrun(["/dev/null"]), 126, &["not a regular file"]);
    let pipe = place.path("pipe");
    assert!(Command::new("mkfifo").arg(&pipe).status().unwrap().success());
    expect_complaint(&place.rvrun([&pipe]), 126, &["not a regular file"]);
    let program = place.file("program", &Program::new(&EXITS).bytes());
    expect_complaint(&place.rvrun(["program/below"]), 127, &["no such file"]);
    fs::set_permissions(&program, fs::Permissions::from_mode(0o644)).unwrap();
    expect_complaint(&place.rvrun([&program]), 126, &["permission denied", "chmod +x"]);
    symlink("loop", place.path("loop")).unwrap();
    expect_complaint(&place.rvrun(["./loop"]), 126, &["symbolic links"]);
    let long = "x".repeat(300);
    expect_complaint(&place.rvrun([&long]), 126, &["too long"]);
}

#[test]
fn segments_that_no_memory_holds() {
    let place = Place::new();
    let data = Segment {
        kind: LOAD,
        flags: READ_WRITE,
        offset: 0,
        address: 0x40000,
        file_size: 0,
        memory_size: 0x1000,
    };
    let cases: [(Segment, &str); 7] = [
        (Segment { address: BASE + 0x800, ..data }, "overlap"),
        (Segment { address: 0, ..data }, "not in order"),
        (Segment { address: u64::MAX - 0xfff, memory_size: 0x2000, ..data }, "user addresses"),
        (Segment { address: 1 << 62, ..data }, "user addresses"),
        (Segment { memory_size: 1 << 60, ..data }, "user addresses"),
        (Segment { file_size: 0x2000, ..data }, "more bytes in the file than in memory"),
        (Segment { offset: 0x123, file_size: 0x1000, ..data }, "do not agree"),
    ];
    for (segment, words) in cases {
        let bytes = Program::new(&EXITS).segment(segment).bytes();
        expect_complaint(&place.run_bytes(&bytes), 126, &["malformed ELF file", words]);
    }
    // More than the machine has but not than addresses can name, and where rvrun is linked to.
    for segment in
        [Segment { memory_size: 1 << 46, ..data }, Segment { address: 0x6000_0000, ..data }]
    {
        let bytes = Program::new(&EXITS).segment(segment).bytes();
        expect_complaint(&place.run_bytes(&bytes), 126, &["rvrun itself", "-static-pie"]);
    }
    // Behind the code is room, and what the file does not have is not missed.
    let bytes = Program::new(&EXITS).segment(data).bytes();
    assert_eq!(place.run_bytes(&bytes).status.code(), Some(3));
}

#[test]
fn no_byte_of_the_headers_upsets_the_vm() {
    let place = Place::new();
    let program = Program::new(&EXITS).interpreter("/no/such/linker");
    let valid = program.bytes();
    for at in 0..header::SIZE + 2 * 56 {
        for byte in [0, 0x7f, 0xff] {
            let finished = place.run_bytes(&patched(valid.clone(), at, &[byte]));
            assert!(!finished.stderr.contains("panicked"), "byte {at}: {}", finished.stderr);
            assert_ne!(finished.status.signal(), Some(libc::SIGABRT), "byte {at} = {byte}");
            // Without the mention of its linker, the program just runs.
            if finished.status.code() != Some(3) {
                complaint(&finished);
            }
        }
    }
}

#[test]
fn no_truncation_upsets_the_vm() {
    let place = Place::new();
    let valid = Program::new(&EXITS).bytes();
    let code = 0x1000;
    for length in (0..200).chain(code - 4..code + 16) {
        let finished = place.run_bytes(&valid[..length]);
        assert!(!finished.stderr.contains("panicked"), "{length} bytes: {}", finished.stderr);
        if finished.status.code() != Some(3) {
            complaint(&finished);
        }
    }
}

#[test]
fn a_missing_dynamic_linker_is_named_with_where_it_was_looked_for() {
    let place = Place::new();
    fs::create_dir(place.path("root")).unwrap();
    let bytes = Program::new(&EXITS).interpreter("/lib/ld-missing.so").bytes();
    let program = place.file("program", &bytes);
    let root = place.path("root");
    let finished = place.rvrun([OsStr::new("--sysroot"), root.as_ref(), program.as_ref()]);
    let looked = format!("looked below {}", root.display());
    expect_complaint(&finished, 126, &["/lib/ld-missing.so", &looked, "--sysroot DIR"]);
    place.file("root/lib/ld-missing.so", b"text");
    let finished = place.rvrun([OsStr::new("--sysroot"), root.as_ref(), program.as_ref()]);
    expect_complaint(&finished, 126, &["dynamic linker", "unusable", "not an ELF file"]);
}

#[test]
fn the_dynamic_linker_below_the_sysroot_is_what_runs() {
    let place = Place::new();
    let program = Program::new(&["ebreak"]).interpreter("/lib/linker").bytes();
    // Two programs cannot lie at the same address: the linker's may be put anywhere.
    let linker = patched(Program::new(&EXITS).bytes(), header::KIND, &[3]);
    place.file("root/lib/linker", &linker);
    let program = place.file("program", &program);
    let finished = place.rvrun([OsStr::new("-L"), "root".as_ref(), program.as_ref()]);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(3), ""));
}

#[test]
fn unknown_instructions_are_explained() {
    let place = Place::new();
    let place_of_code = format!("({SYMBOL}+0x4)");
    let cases: [(u32, &[&str]); 4] = [
        (0x0205_f557, &["0x0205f557", "vector extension V", "-march=rv64gc"]),
        (0x0000_000b, &["0x0000000b", "vendor"]),
        (0xffff_ffff, &["0xffffffff", "no extension"]),
        (0, &["0x0000", "all zeros"]),
    ];
    for (word, words) in cases {
        let code = Program::new(&["addi zero, zero, 0"]).words(&[word]);
        let finished = place.run_bytes(&code.bytes());
        assert_eq!(finished.status.signal(), Some(libc::SIGILL));
        let line = complaint(&finished);
        for word in words.iter().chain(&["illegal instruction", "pc 0x11004", &place_of_code]) {
            assert!(line.contains(word), "`{word}` is not in: {line}");
        }
    }
    let program = place.file("zba", &Program::new(&["sh1add a0, a1, a2"]).bytes());
    let finished = place.rvrun([OsStr::new("--cpu"), "rv64gc".as_ref(), program.as_ref()]);
    assert_eq!(finished.status.signal(), Some(libc::SIGILL));
    for word in ["`sh1add a0, a1, a2`", "zba", "--cpu"] {
        assert!(complaint(&finished).contains(word), "{}", finished.stderr);
    }
}

/// Writes five bytes from a wild address; exits with the error's number.
const WILD_WRITE: [&str; 8] = [
    "lui a1, 0x12345",
    "slli a1, a1, 4",
    "addi a0, zero, 1",
    "addi a2, zero, 5",
    "addi a7, zero, 64",
    "ecall",
    "sub a0, zero, a0",
    "jal zero, .+4",
];

fn wild_write() -> Vec<u8> {
    let lines: Vec<&str> =
        WILD_WRITE.iter().copied().chain(["addi a7, zero, 94", "ecall"]).collect();
    Program::new(&lines).bytes()
}

#[test]
fn a_wild_pointer_is_the_calls_error() {
    let place = Place::new();
    let finished = place.run_bytes(&wild_write());
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(libc::EFAULT), ""));
}

#[test]
fn strace_prints_a_line_for_each_call() {
    let place = Place::new();
    let program = place.file("program", &wild_write());
    let lines = "write(1, 0x123450000, 5) = -1 EFAULT (Bad address)\nexit_group(14) = ?\n";
    let finished = place.rvrun([OsStr::new("--strace"), program.as_ref()]);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(14), lines));

    let output = place.path("trace");
    let finished = place.rvrun([OsStr::new("-o"), output.as_ref(), program.as_ref()]);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(14), ""));
    assert_eq!(fs::read_to_string(output).unwrap(), lines);

    let mut command = place.command(RVRUN);
    let finished = support::run(command.env("RVRUN_STRACE", "1").arg(&program)).unwrap();
    assert_eq!(finished.stderr, lines);

    let hello = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/guest/hello");
    let finished = place.rvrun(["--strace", hello]);
    let line = "write(1, \"Hello from RISC-V!\\n\", 19) = 19";
    assert!(finished.stderr.lines().any(|found| found == line), "{}", finished.stderr);

    let unknown = Program::new(&["addi a7, zero, 2000", "ecall"]);
    let program = place.file("unknown", &unknown.words(&[0]).bytes());
    let finished = place.rvrun([OsStr::new("--strace"), program.as_ref()]);
    assert!(finished.stderr.contains("syscall_0x7d0("), "{}", finished.stderr);
    assert!(finished.stderr.contains("ENOSYS"), "{}", finished.stderr);
}

#[test]
fn what_is_appended_to_a_file_stays_there_if_the_guest_goes_elsewhere() {
    let place = Place::new();
    let chdir = ["auipc a0, 0x0", "addi a0, a0, 28", "addi a7, zero, 49", "ecall"];
    let lines: Vec<&str> = chdir.into_iter().chain(EXITS).collect();
    let root = u32::from_le_bytes(*b"/\0\0\0");
    let program = place.file("program", &Program::new(&lines).words(&[root]).bytes());
    let finished = place.rvrun([OsStr::new("-o"), "trace".as_ref(), program.as_ref()]);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(3), ""));
    let trace = fs::read_to_string(place.path("trace")).unwrap();
    assert_eq!(trace, "chdir(\"/\") = 0\nexit(3) = ?\n");
}

/// Counts `a0` down from 5, and exits with what is left.
const COUNTS: [&str; 5] =
    ["addi a0, zero, 5", "addi a0, a0, -1", "bne a0, zero, .-4", "addi a7, zero, 93", "ecall"];

#[test]
fn translations_are_shown_from_guest_code_to_host_code() {
    let place = Place::new();
    let program = place.file("program", &Program::new(&COUNTS).bytes());
    let shown = |options: &[&str]| {
        let mut command = place.command(RVRUN);
        let finished = support::run(command.args(options).arg(&program)).unwrap();
        assert_eq!(finished.status.code(), Some(0));
        finished.stderr
    };
    let all = shown(&["--engine", "jit", "--dump-region", "all"]);
    let code = BASE + 0x1000;
    // Its loop of two is there four times.
    let heading = format!("==== {code:#x} <{SYMBOL}>: 11 instructions of the guest");
    let of_loop = format!(" at {:#x} <{SYMBOL}+0x4>, head of a loop\n  holds a0*", code + 4);
    let instruction = format!("{:#x}  addi a0, a0, -1\n", code + 4);
    for part in [&heading, &of_loop, &instruction, "\nCLIF\n", "host code\n", "push rbp"] {
        assert!(all.contains(part), "{part:?} is not in\n{all}");
    }
    let address = format!("{:#x}", code + 8);
    for wanted in [SYMBOL, &address] {
        assert_eq!(
            without_places(&shown(&["--engine=jit", "--dump-region", wanted])),
            without_places(&all)
        );
    }
    assert_eq!(shown(&["--engine", "jit", "--dump-region", "main", "--dump-region", "0x4"]), "");
    assert_eq!(shown(&["--engine", "interp", "--dump-region", "all"]), "");
    assert_eq!(shown(&["--engine", "jit", "--dump-output", "translations"]), "");
    let written = fs::read_to_string(place.path("translations")).unwrap();
    assert_eq!(without_places(&written), without_places(&all));
}

/// Where host code is differs from run to run.
fn without_places(dump: &str) -> String {
    let line = |line: &str| line.split(" of host code at ").next().unwrap_or_default().to_owned();
    dump.lines().map(line).collect::<Vec<_>>().join("\n")
}

#[test]
fn lists_and_help_go_to_standard_output() {
    let place = Place::new();
    let finished = place.rvrun(["--list-isa"]);
    let list = printed(&finished);
    assert!(list.starts_with("rv64i") && list.contains("\nzba: ") && list.contains(" sh1add"));
    let version = place.rvrun(["--version"]);
    assert_eq!(printed(&version), concat!("rvrun ", env!("CARGO_PKG_VERSION"), "\n"));
    let long = place.rvrun(["--help"]);
    for word in ["--sysroot", "--strace", "--list-isa", "Examples:", "Exit status:"] {
        assert!(printed(&long).contains(word), "{word}");
    }
    let short = place.rvrun(["-h"]);
    assert!(printed(&short).len() < printed(&long).len());
    let completions = place.rvrun(["--completions", "bash"]);
    assert!(printed(&completions).contains("--strace-output"));
    let manual = place.rvrun(["--man"]);
    assert!(printed(&manual).contains(".TH"));
}

#[test]
fn options_that_cannot_be_carried_out() {
    let place = Place::new();
    let cases: [(&[&str], &[&str]); 13] = [
        (&[], &["which program?", "rvrun --help"]),
        (&["--nonsense", "x"], &["--nonsense", "--help"]),
        (&["-x"], &["-x"]),
        (&["--cpu", "z80", "x"], &["`z80`", "rva23u64"]),
        (&["--cpu", "max,zzz=on", "x"], &["`zzz`", "--list-isa"]),
        (&["--engine", "steam", "x"], &["steam", "interp"]),
        (&["--env", "novalue", "x"], &["`novalue` is not KEY=VALUE"]),
        (&["--env", "=x", "x"], &["KEY=VALUE"]),
        (&["--sysroot", "/no/such/root", "x"], &["/no/such/root", "not a directory"]),
        (&["--sysroot"], &["--sysroot"]),
        (&["-o", "/no/such/trace", "x"], &["cannot write the trace"]),
        (&["--dump-output", "/no/such/file", "x"], &["cannot write the translations"]),
        (&["--dump-region", "0xyz", "x"], &["`0xyz` is no address"]),
    ];
    for (args, words) in cases {
        expect_complaint(&place.rvrun(args), 125, words);
    }
}

#[test]
fn everything_behind_the_program_is_the_guests() {
    let place = Place::new();
    let finished = place.rvrun([REPORTER, "report", "--strace", "-h", "--", "--cpu", ""]);
    assert_eq!(finished.status.code(), Some(7));
    assert_eq!(finished.stderr, "");
    for arg in ["report", "--strace", "-h", "--", "--cpu", ""] {
        assert!(finished.stdout.contains(&format!("  arg = \"{arg}\"\n")), "{arg}");
    }
    let finished = place.rvrun(["--", REPORTER, "report"]);
    assert_eq!(finished.status.code(), Some(2));
}

/// What the guest was given.
fn given(finished: &Finished, kind: &str) -> Vec<String> {
    let prefix = format!("  {kind} = \"");
    let lines = finished.stdout.lines();
    lines.filter_map(|l| Some(l.strip_prefix(&prefix)?.strip_suffix('"')?.to_owned())).collect()
}

#[test]
fn the_environment_is_the_callers_with_changes() {
    let place = Place::new();
    let mut command = place.command(RVRUN);
    command.env("KEPT", "1").env("CHANGED", "2").env("GONE", "3");
    command.args(["-E", "CHANGED=a=b", "-E", "NEW=", "-U", "GONE", "-U", "ABSENT"]);
    let finished = support::run(command.args([REPORTER, "report"])).unwrap();
    let mut environment = given(&finished, "env");
    environment.sort();
    assert_eq!(environment, ["CHANGED=a=b", "KEPT=1", "NEW="]);
}

#[test]
fn the_name_of_the_program_can_be_another() {
    let place = Place::new();
    let finished = place.rvrun(["--argv0", "other", REPORTER, "report"]);
    assert_eq!(given(&finished, "arg"), ["other", "report"]);
    assert_eq!(given(&finished, "execfn"), [REPORTER]);
}

#[test]
fn programs_are_found_below_the_sysroot() {
    let place = Place::new();
    let bytes = Program::new(&EXITS).bytes();
    place.file("root/usr/bin/rvrun-test-program", &bytes);
    let run = |name| place.rvrun(["--sysroot", "root", name]).status.code();
    assert_eq!(run("rvrun-test-program"), Some(3));
    assert_eq!(run("/usr/bin/rvrun-test-program"), Some(3));
    assert_eq!(run("./rvrun-test-program"), Some(127));
    let mut command = place.command(RVRUN);
    let finished = support::run(command.env("RVRUN_SYSROOT", "root").arg("rvrun-test-program"));
    assert_eq!(finished.unwrap().status.code(), Some(3));
}

#[test]
fn the_sysroot_is_left_behind_with_the_root() {
    let place = Place::new();
    let program = fs::read(CHANGES_ROOT).unwrap();
    let sysroot = place.path("root");
    place.file("root/etc/rvrun-test", b"sysroot");
    // Below the new root, something is where the sysroot was, and something where it is by default.
    place.file("room/program", &program);
    place.file("room/etc/rvrun-test", b"room");
    place.file(&format!("room{}/etc/rvrun-test", sysroot.display()), b"same path");
    for default in rvrun::default_sysroots() {
        place.file(&format!("room{}/etc/rvrun-test", default.display()), b"default");
    }
    let room = place.path("room");
    for root in [sysroot.as_path(), Path::new("/")] {
        let options = [OsStr::new("--sysroot"), root.as_os_str(), CHANGES_ROOT.as_ref()];
        let look = ["look".as_ref(), room.as_os_str(), "/etc/rvrun-test".as_ref()];
        let mut command = place.command(RVRUN);
        // It is the guest's variable.
        command.args(options.iter().chain(&look)).env("RVRUN_SYSROOT", &sysroot);
        let finished = support::run(&mut command).unwrap();
        if finished.stdout == "chroot = EPERM\n" {
            println!("chroot is not permitted here: skipped");
            return;
        }
        let expected = "chroot = 0\nfile = \"room\"\nfile = \"room\"\n";
        assert_eq!((finished.stdout.as_str(), finished.stderr.as_str()), (expected, ""));
    }
}

#[test]
fn a_root_directory_as_sysroot_is_none() {
    let place = Place::new();
    let program = place.file("root/bin/program", &Program::new(&EXITS).bytes());
    let mut command = place.command(RVRUN);
    command.env("RVRUN_SYSROOT", "root").args(["--sysroot", "/", "/bin/program"]);
    assert_eq!(support::run(&mut command).unwrap().status.code(), Some(127));
    let finished = support::run(place.command(RVRUN).env("RVRUN_SYSROOT", "/").arg(program));
    assert_eq!(finished.unwrap().status.code(), Some(3));
}

/// rvrun under QEMU's name.
fn qemu(place: &Place) -> Command {
    let link = place.path("qemu-riscv64");
    if !link.exists() {
        symlink(RVRUN, &link).unwrap();
    }
    place.command(Path::new("./qemu-riscv64"))
}

#[test]
fn under_qemus_name_it_takes_qemus_flags() {
    let place = Place::new();
    let mut command = qemu(&place);
    command.env("GONE", "1").args(["-E", "A=1,B=2", "-U", "GONE", "-0", "other", "-cpu", "max"]);
    let finished = support::run(command.args([REPORTER, "report", "-strace"])).unwrap();
    assert_eq!(given(&finished, "arg"), ["other", "report", "-strace"]);
    assert_eq!(given(&finished, "env"), ["A=1", "B=2"]);
    assert_eq!((finished.status.code(), finished.stderr.as_str()), (Some(3), ""));

    let program = place.file("program", &wild_write());
    let finished = support::run(qemu(&place).arg("-strace").arg(&program)).unwrap();
    assert!(finished.stderr.contains("write(1, 0x123450000, 5) = -1 EFAULT"));
    let finished = support::run(qemu(&place).env("QEMU_STRACE", "1").arg(&program)).unwrap();
    assert!(finished.stderr.contains("exit_group(14)"));

    place.file("root/bin/program", &Program::new(&EXITS).bytes());
    let finished = support::run(qemu(&place).args(["-L", "root", "/bin/program"])).unwrap();
    assert_eq!(finished.status.code(), Some(3));

    let finished = support::run(qemu(&place).arg("-version")).unwrap();
    assert!(printed(&finished).starts_with("rvrun version "));
    let finished = support::run(qemu(&place).arg("-help")).unwrap();
    assert!(printed(&finished).contains("-strace"));
}

#[test]
fn under_qemus_name_it_says_what_it_does_not_take() {
    let place = Place::new();
    let cases: [(&[&str], &str); 5] = [
        (&[], "no program"),
        (&["-g", "1234", "x"], "-g is not supported"),
        (&["-nonsense", "x"], "unknown flag -nonsense"),
        (&["-L"], "wants a value"),
        (&["-E", "novalue", "x"], "KEY=VALUE"),
    ];
    for (args, words) in cases {
        let finished = support::run(qemu(&place).args(args)).unwrap();
        expect_complaint(&finished, 125, &[words]);
    }
}
