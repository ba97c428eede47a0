//! What the command line and the environment settled, whichever way it was written.

use crate::cache::CacheSettings;
use crate::output::{Output, full_path};
use crate::{EarlyStop, verify};
use rvrun::{Engine, ExecConfig, Extensions, Program, Translated, Translation};
use std::ffi::{OsStr, OsString};
use std::io::Write;
use std::path::{Path, PathBuf};

/// Everything needed to run a program.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Settings {
    /// The program as the user named it.
    pub program: PathBuf,
    /// Its arguments without `argv[0]`.
    pub args: Vec<OsString>,
    /// Its `argv[0]`, if it is not the program's name.
    pub argv0: Option<OsString>,
    /// Its `AT_EXECFN`, if it is not the program's name.
    pub execfn: Option<OsString>,
    /// A descriptor of rvrun itself.
    pub vm_fd: Option<i32>,
    /// seccomp filters that it is executed with.
    pub filters: Vec<Vec<u8>>,
    /// The sysroot that the command line or the environment names; `/` for none.
    pub sysroot: Option<PathBuf>,
    /// `KEY=VALUE` settings and `KEY` removals, in order.
    pub environment: Vec<EnvironmentChange>,
    /// The processor, as `--cpu` takes it.
    pub cpu: Option<String>,
    /// Trace system calls.
    pub strace: bool,
    /// Put the process's number before the first line of the trace already.
    pub strace_pid: bool,
    /// Trace to this file instead of standard error.
    pub strace_output: Option<PathBuf>,
    /// Load at fixed addresses.
    pub no_aslr: bool,
    /// How guest code is executed.
    pub engine: Engine,
    /// How hot code is translated.
    pub translation: Translation,
    /// Print what the engines did.
    pub stats: bool,
    /// Show these translations.
    pub dump: Vec<Translated>,
    /// Show them in this file instead of on standard error.
    pub dump_output: Option<PathBuf>,
    /// Verify one in so many stretches of translated code.
    pub verify: Option<u32>,
    /// Where to put the difference that is found.
    pub verify_output: Option<PathBuf>,
    /// Where translations are kept.
    pub cache: CacheSettings,
}

/// One `--env` or `--unset-env`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum EnvironmentChange {
    /// Set the first to the second.
    Set(OsString, OsString),
    /// Remove it.
    Remove(OsString),
}

impl Settings {
    /// The same program, run once for its translations to be kept.
    ///
    /// # Errors
    /// When they are not to be kept.
    pub fn warm(self) -> Result<Self, EarlyStop> {
        if self.cache.directory.is_none() || !self.cache.writes {
            return Err(EarlyStop::Usage(
                "nothing is kept: there is no HOME, or RVRUN_CACHE or --cache says so".into(),
            ));
        }
        let translation = self.translation.clone().thorough();
        Ok(Self { engine: Engine::Auto, translation, ..self })
    }

    /// The program that these settings describe.
    pub fn into_program(
        self,
        environment: Vec<(OsString, OsString)>,
    ) -> Result<Program, EarlyStop> {
        let sysroot = match &self.sysroot {
            Some(directory) if !directory.is_dir() => {
                return Err(EarlyStop::Usage(format!(
                    "the sysroot {} is not a directory",
                    directory.display()
                )));
            }
            // Guests change their working directory.
            Some(directory) => Some(full_path(directory)).filter(|d| d != Path::new("/")),
            None => rvrun::default_sysroots().find(|d| d.is_dir()).map(Path::to_path_buf),
        };
        let extensions = match &self.cpu {
            Some(cpu) => parse_cpu(cpu).map_err(EarlyStop::Usage)?,
            None => Extensions::ALL,
        };
        let exec = self.exec_config();
        let path = find_program(&self.program, sysroot.as_deref());
        let mut program = Program::new(path)
            .args(self.args)
            .envs(environment)
            .argv0(self.argv0.unwrap_or_else(|| self.program.clone().into_os_string()))
            .execfn(self.execfn.unwrap_or_else(|| self.program.clone().into_os_string()))
            .filters(self.filters)
            .extensions(extensions)
            .randomize(!self.no_aslr)
            .engine(self.engine)
            .translation(self.translation)
            .exec(exec);
        for change in self.environment {
            program = match change {
                EnvironmentChange::Set(key, value) => program.env(key, value),
                EnvironmentChange::Remove(key) => program.env_remove(key),
            };
        }
        if let Some(sysroot) = sysroot {
            program = program.sysroot(sysroot);
        }
        if let Some(cache) = self.cache.config() {
            program = program.cache(cache);
        }
        if self.stats {
            program = program.stats(Box::new(print_stats));
        }
        if let Some(one_in) = self.verify {
            program = program.verify(one_in, verify::sink(self.verify_output.as_deref()));
        }
        if self.strace {
            let output = output(self.strace_output.as_deref(), "trace")?;
            let sink = Box::new(move |line: &str| output.write(&format!("{line}\n")));
            program = program.strace(sink).strace_pid(self.strace_pid);
        }
        if !self.dump.is_empty() {
            let output = output(self.dump_output.as_deref(), "translations")?;
            program = program.dump(self.dump, Box::new(move |text| output.write(text)));
        }
        Ok(program)
    }

    /// The options that say how guest code is executed, as far as they are not the defaults.
    fn engine_options(&self) -> impl Iterator<Item = String> {
        let defaults = Translation::default();
        let engine = match self.engine {
            Engine::Auto => None,
            Engine::Interpreter => Some("--engine=interp".into()),
            Engine::Translator => Some("--engine=jit".into()),
        };
        let unless_default = |name: &str, value: usize, default: usize| {
            (value != default).then(|| format!("--{name}={value}"))
        };
        let t = &self.translation;
        let options = [
            engine,
            unless_default("hot", t.threshold as usize, defaults.threshold as usize),
            unless_default("code-memory", t.code_bytes >> 10, defaults.code_bytes >> 10),
            unless_default("region-limit", t.region_instructions, defaults.region_instructions),
            unless_default("inline-limit", t.inline_instructions, defaults.inline_instructions),
            t.chaos.map(|seed| format!("--chaos={seed}")),
        ];
        options.into_iter().flatten()
    }

    /// How the guest's `execve` starts us again: with the options that hold for
    /// a whole process tree.
    pub fn exec_config(&self) -> ExecConfig {
        let mut prefix: Vec<OsString> = vec!["rvrun".into()];
        let mut option = |name: &str, value: &OsStr| {
            // In one argument: a value may begin with a hyphen.
            let mut argument = OsString::from(name);
            argument.push("=");
            argument.push(value);
            prefix.push(argument);
        };
        if let Some(cpu) = &self.cpu {
            option("--cpu", cpu.as_ref());
        }
        if let Some(output) = &self.strace_output {
            option("--strace-output", full_path(output).as_os_str());
        }
        if let Some(output) = &self.verify_output {
            option("--verify-output", full_path(output).as_os_str());
        }
        if let Some(output) = &self.dump_output {
            option("--dump-output", full_path(output).as_os_str());
        }
        match &self.cache.directory {
            Some(directory) => option("--cache-dir", full_path(directory).as_os_str()),
            None => option("--cache", "off".as_ref()),
        }
        if self.cache.directory.is_some() && !self.cache.writes {
            option("--cache", "read".as_ref());
        }
        if self.cache.bytes != CacheSettings::default().bytes {
            option("--cache-size", (self.cache.bytes >> 20).to_string().as_ref());
        }
        for translated in &self.dump {
            option("--dump-region", unparse_translated(translated).as_ref());
        }
        if self.strace {
            prefix.extend(["--strace".into(), "--strace-pid".into()]);
        }
        if let Some(one_in) = self.verify {
            prefix.push(format!("--verify=1/{one_in}").into());
        }
        if self.no_aslr {
            prefix.push("--no-aslr".into());
        }
        if self.stats {
            prefix.push("--stats".into());
        }
        prefix.extend(self.engine_options().map(OsString::from));
        ExecConfig { vm: "/proc/self/exe".into(), prefix, vm_fd: self.vm_fd }
    }
}

fn output(file: Option<&Path>, what: &str) -> Result<Output, EarlyStop> {
    Output::new(file, what).map_err(EarlyStop::Usage)
}

/// Parses `all`, an address in hexadecimal with `0x` before it, or a function's name.
pub fn parse_translated(text: &str) -> Result<Translated, String> {
    if text == "all" {
        return Ok(Translated::All);
    }
    match text.strip_prefix("0x") {
        None if text.is_empty() => Err("it names nothing".into()),
        None => Ok(Translated::Function(text.into())),
        Some(digits) => match u64::from_str_radix(digits, 16) {
            Ok(address) => Ok(Translated::At(address)),
            Err(_) => Err(format!("`{text}` is no address")),
        },
    }
}

fn unparse_translated(translated: &Translated) -> String {
    match translated {
        Translated::All => "all".into(),
        Translated::At(address) => format!("{address:#x}"),
        Translated::Function(name) => name.clone(),
    }
}

/// Writes the figures of a run to standard error; there is nobody to tell if that fails.
fn print_stats(text: &str) {
    let lines: String = text.lines().map(|line| format!("rvrun: {line}\n")).collect();
    let _ = std::io::stderr().write_all(lines.as_bytes());
}

/// Where the program is: what the user named, if it is there; an absolute path
/// below the sysroot first; a bare name along the sysroot's usual directories.
fn find_program(program: &Path, sysroot: Option<&Path>) -> PathBuf {
    let Some(sysroot) = sysroot else { return program.to_path_buf() };
    if program.is_absolute() {
        let below = sysroot.join(program.strip_prefix("/").unwrap_or(program));
        return if below.exists() { below } else { program.to_path_buf() };
    }
    let bare = program.components().count() == 1 && !program.as_os_str().is_empty();
    if bare && !program.exists() {
        let directories = ["usr/local/bin", "usr/bin", "bin", "usr/sbin", "sbin", "usr/games"];
        let found = directories.iter().map(|d| sysroot.join(d).join(program)).find(|p| p.is_file());
        return found.unwrap_or_else(|| program.to_path_buf());
    }
    program.to_path_buf()
}

/// Parses `max`, `rv64`, `rva22u64`, `rva23u64` followed by `,EXTENSION=on|off`
/// or `,+EXTENSION` / `,-EXTENSION` items.
pub fn parse_cpu(text: &str) -> Result<Extensions, String> {
    use Extensions as E;
    const RV64GC: Extensions = E::I
        .with(E::M)
        .with(E::A)
        .with(E::F)
        .with(E::D)
        .with(E::C)
        .with(E::ZICSR)
        .with(E::ZIFENCEI)
        .with(E::ZICNTR)
        .with(E::ZIHPM);
    const RVA22: Extensions = RV64GC
        .with(E::ZIHINTPAUSE)
        .with(E::ZBA)
        .with(E::ZBB)
        .with(E::ZBS)
        .with(E::ZICBOM)
        .with(E::ZICBOP)
        .with(E::ZICBOZ)
        .with(E::ZFHMIN);
    const RVA23: Extensions = RVA22
        .with(E::ZIHINTNTL)
        .with(E::ZICOND)
        .with(E::ZIMOP)
        .with(E::ZCMOP)
        .with(E::ZCB)
        .with(E::ZFA)
        .with(E::ZAWRS);
    let mut items = text.split(',');
    let model = items.next().unwrap_or_default();
    let mut set = match model {
        "max" | "rv64" => E::ALL,
        "rv64gc" => RV64GC,
        "rva22u64" => RVA22,
        "rva23u64" => RVA23,
        other => {
            return Err(format!(
                "unknown processor `{other}`; there are max, rv64, rv64gc, rva22u64 and rva23u64"
            ));
        }
    };
    for item in items {
        let (name, on) = match item.split_once('=') {
            Some((name, "on" | "true")) => (name, true),
            Some((name, "off" | "false")) => (name, false),
            Some((_, value)) => return Err(format!("`{value}` in `{item}` is neither on nor off")),
            None => match item.strip_prefix('-') {
                Some(name) => (name, false),
                None => (item.strip_prefix('+').unwrap_or(item), true),
            },
        };
        let extension = E::named(name).ok_or_else(|| {
            format!("unknown extension `{name}`; rvrun --list-isa names those that there are")
        })?;
        set = if on { set | extension } else { set - extension };
    }
    Ok(set)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn processors_are_models_with_changes() {
        assert_eq!(parse_cpu("max"), Ok(Extensions::ALL));
        let cpu = parse_cpu("rva22u64,zfa=on,-zbb,+zacas").unwrap();
        assert!(cpu.contains(Extensions::ZFA | Extensions::ZACAS | Extensions::ZBA));
        assert!(!cpu.intersects(Extensions::ZBB | Extensions::ZICOND));
        assert!(parse_cpu("rva23u64").unwrap().contains(Extensions::ZICOND));
    }

    #[test]
    fn translations_are_named_by_address_or_function() {
        for text in ["all", "0x10150", "main", "core::fmt::write"] {
            let translated = parse_translated(text).unwrap();
            assert_eq!(unparse_translated(&translated), text);
        }
        assert_eq!(parse_translated("0x10"), Ok(Translated::At(16)));
        assert!(parse_translated("0xyz").unwrap_err().contains("`0xyz`"));
        assert!(parse_translated("").is_err());
    }

    #[test]
    fn a_value_that_looks_like_an_option_is_handed_on_as_a_value() {
        let dump = vec![Translated::Function("-x".into())];
        let settings = Settings { dump: dump.clone(), ..Settings::default() };
        let mut arguments = settings.exec_config().prefix;
        arguments.push("program".into());
        let name = arguments.remove(0);
        assert_eq!(crate::options::parse(name, arguments, &[]).map(|again| again.dump), Ok(dump));
    }

    #[test]
    fn what_is_wrong_with_a_processor_is_named() {
        assert!(parse_cpu("z80").unwrap_err().contains("`z80`"));
        assert!(parse_cpu("max,zzz=on").unwrap_err().contains("`zzz`"));
        assert!(parse_cpu("max,zba=maybe").unwrap_err().contains("`maybe`"));
    }
}
