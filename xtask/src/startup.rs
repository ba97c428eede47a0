//! `cargo xtask startup`: which functions of rvrun run in every short program, for the linker to
//! put them next to one another (`crates/cli/build.rs`).

use crate::build::{self, Places};
use anyhow::{Context, Result, ensure};
use std::collections::{BTreeMap, BTreeSet};
use std::ffi::OsStr;
use std::fs;
use std::path::Path;
use std::process::{Command, Stdio};

/// The lists, one function a line: what only some short programs run, and behind an empty line what
/// all of them do.
const ORDER: &str = "crates/cli/startup.order";

/// A program that does next to nothing: what it needs all programs do.
const SHORTEST: &str = "examples/guest/hello";
/// How often that is run, by names of different lengths: the C library's copying differs with that.
const RUNS: usize = 6;
/// Arguments for `bash`: it is short, but is linked dynamically, forks, and executes others.
const SHORT: [&str; 2] = ["-c", "echo $(ls /usr)"];

/// What Valgrind hides: what the C library does before `main`, too, where there is a vDSO, and what has
/// several names.
const HIDDEN: [&str; 6] = [
    "_dl_new_object",
    "_dl_setup_hash",
    "_dl_lookup_symbol_x",
    "__strcmp_avx2",
    "frame_dummy",
    "rvrun_guarded_syscall",
];

/// Of so many of a hundred names that are listed there has to be a function.
const ENOUGH: usize = 75;

/// Options of the task.
#[derive(clap::Args)]
pub struct Arguments {
    /// Change nothing; fail if there are not enough functions with the names that are listed
    #[arg(long)]
    check: bool,
}

/// Runs the task.
///
/// # Errors
/// `valgrind` is missing, a program fails; or (with `--check`) the list is out of date.
pub fn run(arguments: &Arguments) -> Result<()> {
    let places = Places::find()?;
    let rvrun = build::rvrun(&places)?;
    let order = places.root.join(ORDER);
    let addresses = symbols(&rvrun)?;
    let there: BTreeSet<String> = addresses.keys().cloned().collect();
    if arguments.check {
        return check(&lasting(there), &order);
    }
    let sysroot = places.output.with_file_name("programs").join("riscv64");
    ensure!(sysroot.exists(), "programs are not there: `cargo xtask programs busybox/true` first");
    let profile = places.output.join("startup.callgrind");
    let cache = places.output.join("startup.cache");
    if cache.exists() {
        fs::remove_dir_all(&cache)?;
    }
    let run = |tool: &[&str], command: &[&str], program: &[&OsStr]| {
        let mut valgrind = Command::new("valgrind");
        valgrind.args(["--demangle=no", "--quiet"]).args(tool).arg(&rvrun).args(command);
        valgrind.arg("--cache-dir").arg(&cache).args(program).stdout(Stdio::null());
        let status = valgrind.status().context("cannot run valgrind: apt-get install valgrind")?;
        ensure!(status.success(), "rvrun ends with {status} under valgrind");
        Ok(())
    };
    let called = |program: &[&OsStr]| {
        let output = format!("--callgrind-out-file={}", profile.display());
        run(&["--tool=callgrind", &output], &["--cache", "read"], program)?;
        called(&String::from_utf8_lossy(&fs::read(&profile)?))
    };
    let mut always = BTreeSet::new();
    for length in 1..=RUNS {
        let program = places.output.join("startup".repeat(length));
        fs::copy(places.root.join(SHORTEST), &program)?;
        always.extend(called(&[program.as_os_str()])?);
    }
    always.extend(HIDDEN.map(str::to_owned).into_iter().filter(|name| there.contains(name)));
    let mut often = vec![OsStr::new("--sysroot"), sysroot.as_os_str(), OsStr::new("bash")];
    often.extend(SHORT.map(OsStr::new));
    // To valgrind's processor others' translations are no use.
    run(&["--tool=none"], &["cache", "warm"], &often)?;
    let often = called(&often)?;
    let [always, often] = [always, often]
        .map(|names| lasting(with_aliases(with_variants(names, &there), &addresses)));
    let rarer: BTreeSet<String> = often.difference(&always).cloned().collect();
    let lines = |names: &BTreeSet<String>| -> String {
        names.iter().map(|name| format!("{name}\n")).collect()
    };
    fs::write(&order, format!("{}\n{}", lines(&rarer), lines(&always)))?;
    println!("{} functions, {} of them in {SHORTEST}", rarer.len() + always.len(), always.len());
    Ok(())
}

/// The functions that a profile names.
fn called(profile: &str) -> Result<BTreeSet<String>> {
    let names: BTreeSet<String> = profile.lines().filter_map(function).map(str::to_owned).collect();
    ensure!(!names.is_empty(), "the profile names no functions");
    Ok(names)
}

/// The function that a line of a profile is the first to name: `fn=(12) name`, or `cfn=`, with a
/// level of recursion behind it (Valgrind's manual, "Callgrind Format Specification").
fn function(line: &str) -> Option<&str> {
    let line = line.strip_prefix('c').unwrap_or(line).strip_prefix("fn=(")?;
    let (_, name) = line.split_once(") ")?;
    let name = name.split('\'').next()?;
    let is_symbol = |c: char| c.is_ascii_alphanumeric() || "_.$".contains(c);
    (!name.starts_with("0x") && name.chars().all(is_symbol)).then_some(name)
}

/// The same with those of the C library's functions for newer processors: Valgrind's has AVX2.
fn with_variants(names: BTreeSet<String>, there: &BTreeSet<String>) -> BTreeSet<String> {
    let newer = |name: &String| {
        ["evex", "avx512"]
            .map(|unit| name.replace("_avx2", "_avx").replace("_avx", &format!("_{unit}")))
    };
    let variants: Vec<_> =
        names.iter().flat_map(newer).filter(|name| there.contains(name)).collect();
    names.into_iter().chain(variants).collect()
}

/// The same without the number that the compiler puts behind the name of what it uses in several of its
/// units: it changes with the code.
fn lasting(names: BTreeSet<String>) -> BTreeSet<String> {
    let name =
        |name: String| name.split_once(".llvm.").map_or(name.clone(), |(name, _)| name.to_owned());
    names.into_iter().map(name).collect()
}

/// The same with all names of what has several: equal functions are one, which is where the compiler
/// put one of them.
fn with_aliases(names: BTreeSet<String>, addresses: &Symbols) -> BTreeSet<String> {
    let places: BTreeSet<&String> = names.iter().filter_map(|name| addresses.get(name)).collect();
    let aliases = addresses.iter().filter(|(_, place)| places.contains(place));
    let aliases: Vec<String> = aliases.map(|(name, _)| name.clone()).collect();
    names.into_iter().chain(aliases).collect()
}

/// Where what has a name is.
type Symbols = BTreeMap<String, String>;

/// The names of all that is in a program.
fn symbols(program: &Path) -> Result<Symbols> {
    let output = Command::new("nm").arg(program).output().context("cannot run nm, of binutils")?;
    let text = String::from_utf8_lossy(&output.stdout);
    let symbol = |line: &str| {
        let (place, name) = (line.split(' ').next()?, line.split(' ').next_back()?);
        (!place.is_empty()).then(|| (name.to_owned(), place.to_owned()))
    };
    Ok(text.lines().filter_map(symbol).collect())
}

/// Fails if the compiler's names are others than those that are listed.
fn check(there: &BTreeSet<String>, order: &Path) -> Result<()> {
    let listed = fs::read_to_string(order)?;
    let names = listed.lines().filter(|line| !line.is_empty());
    let (found, all) = share(names, there);
    println!("{found} of {all} functions are there");
    ensure!(
        found * 100 >= all * ENOUGH && all > 0,
        "{ORDER} is out of date, so rvrun starts more slowly: run `cargo xtask startup`"
    );
    Ok(())
}

/// How many of the `listed` are `there`, and how many they are.
fn share<'a>(listed: impl Iterator<Item = &'a str>, there: &BTreeSet<String>) -> (usize, usize) {
    listed.fold((0, 0), |(found, all), name| (found + usize::from(there.contains(name)), all + 1))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_of_a_profile_name_functions_once() {
        assert_eq!(function("fn=(3) _ZN5rvrun4mainE"), Some("_ZN5rvrun4mainE"));
        assert_eq!(function("cfn=(12) malloc'2"), Some("malloc"));
        assert_eq!(function("fn=(3)"), None, "named before");
        assert_eq!(function("fn=(4) 0x00007f00"), None, "has no name");
        assert_eq!(function("fn=(4) (below main)"), None);
        assert_eq!(function("calls=1 0"), None);
    }

    #[test]
    fn all_names_of_a_function_are_its_own() {
        let symbols = [("a", "10"), ("b", "10"), ("c", "20")];
        let symbols = symbols.map(|(name, place)| (name.to_owned(), place.to_owned())).into();
        let names = with_aliases(BTreeSet::from(["b", "x"].map(str::to_owned)), &symbols);
        assert_eq!(names, BTreeSet::from(["a", "b", "x"].map(str::to_owned)));
    }

    #[test]
    fn names_last() {
        let names = BTreeSet::from(["a.llvm.12", "b", "c.part.0"].map(str::to_owned));
        assert_eq!(lasting(names), BTreeSet::from(["a", "b", "c.part.0"].map(str::to_owned)));
    }

    #[test]
    fn what_is_missing_is_counted() {
        let there = BTreeSet::from(["a", "b"].map(str::to_owned));
        assert_eq!(share(["a", "x", "b"].into_iter(), &there), (2, 3));
    }

    #[test]
    fn a_newer_processor_has_functions_of_its_own() {
        let set = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect();
        let there: BTreeSet<String> =
            set(&["__strlen_evex", "__strlen_avx2", "__memmove_avx512_unaligned", "__strchr_evex"]);
        let found = with_variants(set(&["__strlen_avx2", "__memmove_avx_unaligned"]), &there);
        let expected: BTreeSet<String> = set(&[
            "__memmove_avx512_unaligned",
            "__memmove_avx_unaligned",
            "__strlen_avx2",
            "__strlen_evex",
        ]);
        assert_eq!(found, expected);
    }
}
