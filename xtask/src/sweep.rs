//! `cargo xtask sweep`: which words are instructions, by our table and by binutils'.
//!
//! All 16-bit words, and of the 32-bit ones those that differ in the bits that tell
//! instructions apart, with a few registers each, and as many random ones as asked for.

use anyhow::{Context, Result, bail, ensure};
use rvrun_hostile::Random;
use rvrun_isa::{Extensions, decode, length};
use std::collections::BTreeMap;
use std::io::{BufRead, BufReader};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// A directory into which Debian's package of binutils for riscv64 was unpacked; by default
    /// those that are installed are called
    #[arg(long, value_name = "DIR")]
    binutils: Option<PathBuf>,
    /// How many random words beside the regular ones
    #[arg(long, default_value_t = 1_000_000)]
    random: u32,
    /// What random words are made from
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// A kind of words on which we mean to differ from binutils.
struct Known {
    /// Whether the word is one of them, given its names, ours and theirs.
    is: fn(u32, Option<&str>, Option<&str>) -> bool,
    why: &'static str,
}

const KNOWN: &[Known] = &[
    Known {
        is: |word, ours, _| {
            matches!(word & 0x7f, 0x43 | 0x47 | 0x4b | 0x4f | 0x53)
                && matches!(word >> 12 & 7, 5 | 6)
                && ours.is_none()
        },
        why: "rounding modes 5 and 6 are reserved (unprivileged manual, \"Floating-Point \
              Control and Status Register\")",
    },
    Known {
        is: |_, ours, theirs| {
            let exact = ["fcvt_d_h", "fcvt_d_s", "fcvt_d_w", "fcvt_d_wu", "fcvt_s_h"];
            ours.is_some_and(|ours| exact.contains(&ours)) && theirs.is_none()
        },
        why: "a conversion that is always exact may have any rounding mode (manual, \
              \"Double-Precision Floating-Point Conversion and Move Instructions\")",
    },
    Known {
        is: |_, ours, theirs| {
            matches!(ours, Some("fence_reserved" | "fence_i_reserved")) && theirs.is_none()
        },
        why: "unused fields of fences are ignored (manual, \"Memory Ordering Instructions\", \
              \"Zifencei\")",
    },
    Known {
        is: |_, ours, theirs| {
            let privileged = ["dret", "hret", "mret", "sfence.vma", "sret", "uret", "wfi"];
            ours.is_none() && theirs.is_some_and(|theirs| privileged.contains(&theirs))
        },
        why: "it is for the kernel: not permitted in user mode, or not an instruction any more",
    },
    Known {
        is: |word, ours, _| word == 0x6101 && ours.is_none(),
        why: "c.addi16sp of 0 is reserved (manual, \"Integer Register-Immediate Operations\")",
    },
    Known {
        is: |_, ours, theirs| ours == Some("csrrw") && theirs == Some("unimp"),
        why: "the same instruction",
    },
];

/// The binutils' version that knows all extensions.
const NEEDED: (u32, u32) = (2, 44);

/// Registers of the regular words: rd and rs1.
const REGISTERS: [(u32, u32); 6] = [(0, 0), (0, 11), (10, 0), (10, 11), (2, 2), (31, 31)];

/// Runs the task.
///
/// # Errors
/// When binutils is missing or too old, or some word is an instruction for one of the two.
pub fn run(arguments: &Arguments) -> Result<()> {
    let objdump = Objdump::find(arguments.binutils.as_deref())?;
    let directory = crate::workspace().join("target/sweep");
    std::fs::create_dir_all(&directory)?;
    let mut differences = Differences::default();
    let mut counts = [0u64; 2];
    for (file, words) in [
        ("compressed.o", compressed()),
        ("regular.o", regular()),
        ("random.o", random(arguments.random, arguments.seed)),
    ] {
        let path = directory.join(file);
        std::fs::write(&path, object(&words))
            .with_context(|| format!("cannot write {}", path.display()))?;
        let mut index = 0;
        objdump.disassemble(&path, |address, theirs| {
            let word = *words.get(index).context("binutils saw more words than there are")?;
            ensure!(address == position(&words, index), "binutils lost count at {address:#x}");
            counts[usize::from(theirs.is_some())] += 1;
            differences.note(word, ours(word), theirs);
            index += 1;
            Ok(())
        })?;
        ensure!(index == words.len(), "binutils saw {index} of {} words", words.len());
    }
    println!("{} words, {} of them instructions", counts[0] + counts[1], counts[1]);
    differences.judge()
}

/// Where in the file the word of that number is; all words of a file are of one length.
fn position(words: &[u32], index: usize) -> u64 {
    let bytes = words.first().map_or(4, |word| length(*word as u16));
    index as u64 * u64::from(bytes)
}

/// Its name for us, without ordering bits.
fn ours(word: u32) -> Option<&'static str> {
    Some(decode(word, Extensions::ALL)?.row().name)
}

/// All words of 16 bits.
fn compressed() -> Vec<u32> {
    (0..=u16::MAX).filter(|word| length(*word) == 2).map(u32::from).collect()
}

/// Words of 32 bits: each major opcode, funct3, funct7 and rs2. Longer ones
/// (unprivileged manual, "Expanded Instruction-Length Encoding") nobody has.
fn regular() -> Vec<u32> {
    let mut words = Vec::new();
    for opcode in (0..32).filter(|opcode| opcode & 7 != 7) {
        for function in 0..1 << 15 {
            let (funct3, funct7, rs2) = (function & 7, function >> 3 & 127, function >> 10);
            words.extend(REGISTERS.map(|(rd, rs1)| {
                funct7 << 25 | rs2 << 20 | rs1 << 15 | funct3 << 12 | rd << 7 | opcode << 2 | 3
            }));
        }
    }
    words
}

fn random(count: u32, seed: u64) -> Vec<u32> {
    let mut random = Random::of_case(seed, 0);
    let word = |_| loop {
        let word = random.number() as u32 | 3;
        if word >> 2 & 7 != 7 {
            return word;
        }
    };
    (0..count).map(word).collect()
}

/// What binutils prints of a word that is no instruction.
const NONE: [&str; 4] = [".insn", ".word", ".short", "c.unimp"];

struct Objdump {
    command: Vec<PathBuf>,
}

impl Objdump {
    fn find(unpacked: Option<&Path>) -> Result<Self> {
        const NAME: &str = "riscv64-linux-gnu-objdump";
        let command = match unpacked {
            // With its own C library: this host's may be older.
            Some(root) => vec![
                root.join("lib64/ld-linux-x86-64.so.2"),
                "--library-path".into(),
                root.join("usr/lib/x86_64-linux-gnu"),
                root.join("usr/bin").join(NAME),
            ],
            None => vec![NAME.into()],
        };
        let found = Self { command };
        let output = found.command().arg("--version").output();
        let output = output.with_context(|| format!("cannot run {NAME}"))?;
        let text = String::from_utf8_lossy(&output.stdout).into_owned();
        let line = text.lines().next().unwrap_or_default();
        println!("{line}");
        let version = line.rsplit(' ').next().unwrap_or_default();
        let mut parts = version.split('.').map_while(|part| part.parse().ok());
        let version: (u32, u32) = (parts.next().unwrap_or(0), parts.next().unwrap_or(0));
        if version < NEEDED {
            let (major, minor) = NEEDED;
            bail!("{NAME} has to be of version {major}.{minor} or later, to know all extensions");
        }
        Ok(found)
    }

    fn command(&self) -> Command {
        let mut command = Command::new(&self.command[0]);
        command.args(&self.command[1..]);
        command
    }

    /// Tells of each word: its address, and the instruction's name if it is one.
    fn disassemble(
        &self,
        path: &Path,
        mut each: impl FnMut(u64, Option<&str>) -> Result<()>,
    ) -> Result<()> {
        let mut child = self
            .command()
            .args(["--disassemble", "--disassemble-zeroes", "-M", "no-aliases"])
            .arg(path)
            .stdout(Stdio::piped())
            .spawn()?;
        let output = child.stdout.take().context("objdump has no output")?;
        for line in BufReader::new(output).lines() {
            let line = line?;
            // "   4:	00058503          	lb	a0,0(a1)"
            let mut parts = line.split('\t');
            let Some(address) = parts.next().and_then(|part| part.trim().strip_suffix(':')) else {
                continue;
            };
            let Ok(address) = u64::from_str_radix(address, 16) else { continue };
            let name = parts.nth(1).unwrap_or_default().trim();
            each(address, (!NONE.contains(&name)).then_some(name))?;
        }
        ensure!(child.wait()?.success(), "objdump failed");
        Ok(())
    }
}

/// Words that differ: how many there are of a kind, one of them, and why if that is known.
#[derive(Default)]
struct Differences(BTreeMap<String, (u64, u32)>);

impl Differences {
    fn note(&mut self, word: u32, ours: Option<&str>, theirs: Option<&str>) {
        if !same(ours, theirs) {
            let known = KNOWN.iter().find(|known| (known.is)(word, ours, theirs));
            let kind = known.map_or_else(
                || {
                    let [ours, theirs] = [ours, theirs].map(|name| name.unwrap_or("nothing"));
                    format!("{UNKNOWN}: {ours} here, {theirs} there")
                },
                |known| known.why.to_owned(),
            );
            self.0.entry(kind).or_insert((0, word)).0 += 1;
        }
    }

    fn judge(&self) -> Result<()> {
        for (kind, (count, word)) in &self.0 {
            println!("{count} words, one of them {word:#x}: {kind}");
        }
        let unknown = self.0.keys().filter(|kind| kind.starts_with(UNKNOWN)).count();
        println!("{} kinds of differences are known, {unknown} are not", self.0.len() - unknown);
        ensure!(unknown == 0, "binutils and rvrun do not have the same instructions");
        Ok(())
    }
}

const UNKNOWN: &str = "NOT KNOWN";

/// Whether two names mean the same: ordering bits and the number of a may-be operation are
/// operands to us, and compressed instructions have the names of those that they stand for.
fn same(ours: Option<&str>, theirs: Option<&str>) -> bool {
    let (Some(ours), Some(theirs)) = (ours, theirs) else {
        return ours.is_none() && theirs.is_none();
    };
    let ends = [".aqrl", ".aq", ".rl"];
    let plain = ends.iter().find_map(|end| theirs.strip_suffix(end)).unwrap_or(theirs);
    let number = |end: &str| end.strip_prefix('_').is_some_and(|end| end.parse::<u8>().is_ok());
    let end = plain.replace('.', "_").strip_prefix(ours).map(str::to_owned);
    theirs.starts_with("c.") || end.is_some_and(|end| end.is_empty() || number(&end))
}

/// An object file with the words as code, for a machine with all our extensions.
fn object(words: &[u32]) -> Vec<u8> {
    const HEADER: u64 = 64;
    let code: Vec<u8> = words
        .iter()
        .flat_map(|word| word.to_le_bytes().into_iter().take(length(*word as u16).into()))
        .collect();
    let attributes = attributes();
    let names = b"\0.text\0.riscv.attributes\0.shstrtab\0";
    let mut file = b"\x7fELF\x02\x01\x01".to_vec();
    file.resize(16, 0);
    file.extend([1, 0, 0xf3, 0, 1, 0, 0, 0]); // ET_REL, EM_RISCV, EV_CURRENT
    let contents = [&code[..], &attributes, names].map(<[u8]>::len);
    let sections = HEADER + contents.iter().sum::<usize>() as u64;
    for word in [0, 0, sections] {
        file.extend(word.to_le_bytes());
    }
    file.extend(5u32.to_le_bytes()); // RVC, double floats
    for half in [HEADER as u16, 0, 0, 64, 4, 3] {
        file.extend(half.to_le_bytes());
    }
    for part in [&code[..], &attributes, names] {
        file.extend(part);
    }
    // Name, type (PROGBITS, RISCV_ATTRIBUTES, STRTAB), flags (ALLOC, EXECINSTR).
    let heads: [(u32, u32, u64); 4] = [(0, 0, 0), (1, 1, 6), (7, 0x7000_0003, 0), (25, 3, 0)];
    let mut offset = HEADER;
    for (index, (name, kind, flags)) in heads.into_iter().enumerate() {
        let bytes = index.checked_sub(1).map_or(0, |index| contents[index] as u64);
        file.extend(name.to_le_bytes());
        file.extend(kind.to_le_bytes());
        for word in [flags, 0, offset, bytes, 0, 1, 0] {
            file.extend(word.to_le_bytes());
        }
        offset += bytes;
    }
    file
}

/// The attributes section that says which extensions there are (RISC-V ELF psABI,
/// "Attributes").
fn attributes() -> Vec<u8> {
    const ARCHITECTURE: u8 = 5;
    const FILE: u8 = 1;
    // The length of a part counts what stands before it.
    let length = |before: usize, part: &[u8]| (before as u32 + 4 + part.len() as u32).to_le_bytes();
    let text = [&[ARCHITECTURE], Extensions::ALL.to_string().as_bytes(), &[0]].concat();
    let file = [b"riscv\0", &[FILE][..], &length(1, &text), &text].concat();
    [b"A", &length(0, &file)[..], &file].concat()
}
