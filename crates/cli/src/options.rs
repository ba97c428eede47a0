//! rvrun's own command line, from one definition: parser, help, completions, man page.

use crate::EarlyStop;
use crate::cache::CacheSettings;
use crate::settings::{EnvironmentChange, Settings, parse_translated};
use clap::{ArgAction, CommandFactory, Parser, ValueEnum};
use clap_complete::Shell;
use std::ffi::{OsStr, OsString};
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

/// Runs RISC-V Linux programs on x86-64 Linux.
#[derive(Parser)]
#[command(
    name = "rvrun",
    version,
    override_usage = "rvrun [OPTIONS] PROGRAM [ARGS]...",
    after_help = "Everything behind PROGRAM belongs to the guest; `--` ends the options.",
    after_long_help = "\
Examples:
  rvrun ./hello                      run a static program
  rvrun --sysroot ~/rv bash          run bash from a riscv64 root directory
  rvrun --strace ./server 8080       show its system calls
  rvrun --cpu rva22u64 ./program     run it on a lesser processor
  rvrun --dump-region main ./program show how its main is translated
  rvrun --env LANG=C ./program       change its environment
  rvrun --verify ./program           have the engines check each other
  rvrun replay FILE                  show again what --verify has found
  rvrun cache ls                     what is kept for later runs; also verify, purge
  rvrun cache warm ./program         run it once to keep what is hot
  rvrun conformance                  every instruction on every engine
  rvrun conformance DIR              programs that check themselves

Exit status:
  the guest's own; 125 if rvrun itself fails, 126 if the program cannot be
  run, 127 if it is not found. A guest that dies of a signal makes rvrun die
  of the same signal.

Sysroot:
  --sysroot, else RVRUN_SYSROOT, else QEMU_LD_PREFIX, else
  /usr/riscv64-linux-gnu or /etc/qemu-binfmt/riscv64 if there is one. Absolute
  paths of the guest are looked up there first, then on the host. With /
  there is no sysroot, as for programs below a root that a guest has changed to."
)]
struct Options {
    /// Look up the guest's absolute paths below DIR first; with / only where they say
    #[arg(short = 'L', long, value_name = "DIR")]
    sysroot: Option<PathBuf>,

    /// Set an environment variable for the guest
    #[arg(short = 'E', long = "env", value_name = "KEY=VALUE")]
    env: Vec<OsString>,

    /// Remove an environment variable from the guest's environment
    #[arg(short = 'U', long = "unset-env", value_name = "KEY")]
    unset_env: Vec<OsString>,

    /// What the guest sees as argv[0]
    #[arg(short = '0', long, value_name = "NAME", allow_hyphen_values = true)]
    argv0: Option<OsString>,

    /// The processor: max, rv64gc, rva22u64 or rva23u64, then changes such as ,zfa=off
    #[arg(long, value_name = "MODEL[,EXT=on|off]...", env = "RVRUN_CPU")]
    cpu: Option<String>,

    /// How guest code is executed
    #[arg(long, value_enum, default_value_t = Engine::Auto, env = "RVRUN_ENGINE")]
    engine: Engine,

    /// Translate where about N instructions were executed, by default a million; with less
    /// than that, however long compiling takes
    #[arg(long, value_name = "N", env = "RVRUN_HOT", value_parser = clap::value_parser!(u32).range(1..))]
    hot: Option<u32>,

    /// Memory for translated code
    #[arg(long, value_name = "KIB", hide_short_help = true, env = "RVRUN_CODE_MEMORY", value_parser = clap::value_parser!(u32).range(64..=1 << 20))]
    code_memory: Option<u32>,

    /// Translate at most N guest instructions at once
    #[arg(long, value_name = "N", hide_short_help = true, env = "RVRUN_REGION_LIMIT", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    region_limit: Option<u32>,

    /// Translate callees of at most N guest instructions together with their callers; where the
    /// call is in no loop, of 20
    #[arg(long, value_name = "N", hide_short_help = true, env = "RVRUN_INLINE_LIMIT", value_parser = clap::value_parser!(u32).range(0..=1000))]
    inline_limit: Option<u32>,

    /// Keep translations in a directory for later runs, or only take what is there
    #[arg(long, value_enum, env = "RVRUN_CACHE")]
    cache: Option<CacheUse>,

    /// Keep them in DIR instead of rvrun in $XDG_CACHE_HOME or ~/.cache
    #[arg(long, value_name = "DIR", env = "RVRUN_CACHE_DIR")]
    cache_dir: Option<PathBuf>,

    /// Let that directory grow to so much, by default 512
    #[arg(long, value_name = "MIB", hide_short_help = true, env = "RVRUN_CACHE_SIZE", value_parser = clap::value_parser!(u32).range(1..=1 << 20))]
    cache_size: Option<u32>,

    /// Print what the engines did, at the end; makes the program slower
    #[arg(long, env = "RVRUN_STATS", value_parser = clap::builder::FalseyValueParser::new(), action = ArgAction::SetTrue)]
    stats: bool,

    /// Show the translations of a function, of the code at an address (0x…), or all
    #[arg(long, value_name = "WHAT", env = "RVRUN_DUMP_REGION", value_parser = parse_translated)]
    dump_region: Vec<rvrun::Translated>,

    /// Append what --dump-region shows to FILE instead of standard error
    #[arg(long, value_name = "FILE", env = "RVRUN_DUMP_OUTPUT")]
    dump_output: Option<PathBuf>,

    /// Run one in N stretches of translated code (100 if not said) on the interpreter,
    /// too, and stop where the two do not agree
    #[arg(
        long,
        value_name = "1/N",
        env = "RVRUN_VERIFY",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "1/100",
        value_parser = parse_one_in
    )]
    verify: Option<u32>,

    /// Write what --verify finds to FILE instead of rvrun-difference-PID.json; rvrun
    /// replay FILE shows it again
    #[arg(long, value_name = "FILE", env = "RVRUN_VERIFY_OUTPUT")]
    verify_output: Option<PathBuf>,

    /// For tests: drop translations at random
    #[arg(long, value_name = "SEED", hide = true, env = "RVRUN_CHAOS")]
    chaos: Option<u64>,

    /// Print a line for each system call
    #[arg(long, env = "RVRUN_STRACE", value_parser = clap::builder::FalseyValueParser::new(), action = ArgAction::SetTrue)]
    strace: bool,

    /// Append the lines of --strace to FILE instead of standard error
    #[arg(short = 'o', long, value_name = "FILE", env = "RVRUN_STRACE_OUTPUT")]
    strace_output: Option<PathBuf>,

    /// Load position-independent programs at the same addresses each time
    #[arg(long, env = "RVRUN_NO_ASLR", value_parser = clap::builder::FalseyValueParser::new(), action = ArgAction::SetTrue)]
    no_aslr: bool,

    /// List the instructions that guests can use, by extension
    #[arg(long)]
    list_isa: bool,

    /// Print a completion script for a shell
    #[arg(long, value_name = "SHELL", hide_short_help = true)]
    completions: Option<Shell>,

    /// Print the manual page
    #[arg(long, hide_short_help = true)]
    man: bool,

    /// Put process numbers before the lines of --strace from the start
    #[arg(long, hide = true)]
    strace_pid: bool,

    /// The guest's AT_EXECFN
    #[arg(long, hide = true, value_name = "NAME", allow_hyphen_values = true)]
    execfn: Option<OsString>,

    /// A seccomp filter of the guest's, from before it executed this program
    #[arg(long, hide = true, value_name = "HEX", value_parser = parse_hex)]
    seccomp_filter: Vec<Bytes>,

    /// A descriptor of rvrun itself, where a guest's root has no path to it
    #[arg(long, hide = true, value_name = "FD", value_parser = clap::value_parser!(i32).range(0..))]
    vm_fd: Option<i32>,

    /// A RISC-V program, or a script whose interpreter is one, and its arguments
    #[arg(value_name = "PROGRAM", trailing_var_arg = true)]
    command: Vec<OsString>,
}

/// What an option gives in hexadecimal.
type Bytes = std::sync::Arc<[u8]>;

fn parse_hex(text: &str) -> Result<Bytes, String> {
    let digits = text.as_bytes().chunks(2);
    let byte = |pair: &[u8]| u8::from_str_radix(std::str::from_utf8(pair).ok()?, 16).ok();
    digits.map(byte).collect::<Option<_>>().ok_or_else(|| "not hexadecimal".into())
}

/// Parses `1/N`.
fn parse_one_in(text: &str) -> Result<u32, String> {
    let rest = text.strip_prefix("1/").unwrap_or(text);
    rest.parse().ok().filter(|n| (1..=1 << 24).contains(n)).ok_or_else(|| "not 1/N".into())
}

/// How guest code is executed.
#[derive(Clone, Copy, ValueEnum)]
enum Engine {
    /// Interpret it, and translate what is hot.
    Auto,
    /// Interpret all of it.
    Interp,
    /// Translate all of it.
    Jit,
}

impl From<Engine> for rvrun::Engine {
    fn from(engine: Engine) -> Self {
        match engine {
            Engine::Auto => Self::Auto,
            Engine::Interp => Self::Interpreter,
            Engine::Jit => Self::Translator,
        }
    }
}

/// What is done with translations that are kept.
#[derive(Clone, Copy, ValueEnum)]
enum CacheUse {
    /// They are used, and new ones added.
    On,
    /// They are used.
    Read,
    /// Nothing.
    Off,
}

/// Parses the command line of `rvrun`, which was started with the variables `environment`.
pub fn parse(
    name: OsString,
    args: Vec<OsString>,
    environment: &[(OsString, OsString)],
) -> Result<Settings, EarlyStop> {
    // Whatever that says is a directory.
    let is_option =
        |name: &OsStr| name.as_bytes().starts_with(b"RVRUN_") && name != "RVRUN_CACHE_DIR";
    let from_environment = environment.iter().any(|(name, _)| is_option(name));
    match with_common_options(&args).filter(|_| !from_environment) {
        Some(settings) => Ok(settings),
        None => parse_options(name, args),
    }
}

/// What a command line says that has no option but those that say where things are or what is kept, as
/// most do and those of programs that the guest executes: the parser would take a tenth of a short
/// program's time to find that out.
fn with_common_options(args: &[OsString]) -> Option<Settings> {
    let [mut sysroot, mut vm_fd, mut directory, mut keeping, mut argv0, mut execfn] =
        [None::<&[u8]>; 6];
    let mut args = args.iter();
    let program = loop {
        let argument = args.next()?.as_bytes();
        if argument == b"--" {
            break args.next()?.as_bytes();
        }
        if !argument.starts_with(b"-") {
            break argument;
        }
        let long = argument.iter().position(|b| *b == b'=').filter(|_| argument.starts_with(b"--"));
        let (name, value) = match long {
            Some(at) => (&argument[..at], &argument[at + 1..]),
            None => (argument, args.next()?.as_bytes()),
        };
        let place = match name {
            b"-L" | b"--sysroot" => &mut sysroot,
            b"--vm-fd" => &mut vm_fd,
            b"--cache-dir" => &mut directory,
            b"--cache" => &mut keeping,
            b"--argv0" => &mut argv0,
            b"--execfn" => &mut execfn,
            _ => return None,
        };
        let is_name = matches!(name, b"--argv0" | b"--execfn");
        // The parser knows what to say of these.
        if place.replace(value).is_some()
            || !is_name && (value.is_empty() || value.starts_with(b"-"))
        {
            return None;
        }
    };
    if program.is_empty() {
        return None;
    }
    let path = |bytes: &[u8]| PathBuf::from(OsStr::from_bytes(bytes));
    let name = |bytes: &[u8]| OsStr::from_bytes(bytes).to_owned();
    let vm_fd = match vm_fd {
        // The parser says what is wrong with it.
        Some(value) => Some(std::str::from_utf8(value).ok()?.parse().ok().filter(|fd| *fd >= 0)?),
        None => None,
    };
    let used = match keeping {
        Some(value) => Some(CacheUse::from_str(std::str::from_utf8(value).ok()?, false).ok()?),
        None => None,
    };
    Some(Settings {
        program: path(program),
        args: args.cloned().collect(),
        argv0: argv0.map(name),
        execfn: execfn.map(name),
        vm_fd,
        sysroot: sysroot.map(path).or_else(sysroot_from_environment),
        cache: cache_settings(directory.map(path), used),
        ..Settings::default()
    })
}

fn parse_options(name: OsString, args: Vec<OsString>) -> Result<Settings, EarlyStop> {
    let options = Options::try_parse_from(std::iter::once(name).chain(args)).map_err(|error| {
        if error.use_stderr() {
            EarlyStop::Usage(one_line(&error.to_string()))
        } else {
            EarlyStop::Print(error.to_string().into_bytes())
        }
    })?;
    if options.list_isa {
        return Err(EarlyStop::Print(rvrun::isa_listing().into_bytes()));
    }
    if let Some(shell) = options.completions {
        let mut script = Vec::new();
        clap_complete::generate(shell, &mut Options::command(), "rvrun", &mut script);
        return Err(EarlyStop::Print(script));
    }
    if options.man {
        let mut page = Vec::new();
        clap_mangen::Man::new(Options::command())
            .render(&mut page)
            .map_err(|error| EarlyStop::Usage(format!("cannot make the manual page: {error}")))?;
        return Err(EarlyStop::Print(page));
    }
    settings(options)
}

/// A message of the parser, which spreads over several lines.
pub fn one_line(text: &str) -> String {
    let lines = text.strip_prefix("error: ").unwrap_or(text).lines();
    let parts: Vec<_> = lines.map(str::trim).filter(|line| !line.is_empty()).collect();
    parts.join("; ")
}

fn settings(options: Options) -> Result<Settings, EarlyStop> {
    let mut translation = rvrun::Translation::default();
    let set = |place: &mut usize, value: Option<u32>, unit: usize| {
        if let Some(value) = value {
            *place = value as usize * unit;
        }
    };
    set(&mut translation.code_bytes, options.code_memory, 1024);
    set(&mut translation.region_instructions, options.region_limit, 1);
    set(&mut translation.inline_instructions, options.inline_limit, 1);
    translation.threshold = options.hot.unwrap_or(translation.threshold);
    translation.chaos = options.chaos;
    let mut dump = options.dump_region;
    if dump.is_empty() && options.dump_output.is_some() {
        dump.push(rvrun::Translated::All);
    }
    let mut command = options.command.into_iter();
    let Some(program) = command.next() else {
        return Err(EarlyStop::Usage(
            "which program? usage: rvrun [OPTIONS] PROGRAM [ARGS]... (rvrun --help tells more)"
                .into(),
        ));
    };
    let mut environment = Vec::new();
    for setting in &options.env {
        environment.push(split_setting(setting)?);
    }
    environment.extend(options.unset_env.into_iter().map(EnvironmentChange::Remove));
    let mut cache = cache_settings(options.cache_dir, options.cache);
    if let Some(size) = options.cache_size {
        cache.bytes = u64::from(size) << 20;
    }
    Ok(Settings {
        program: program.into(),
        args: command.collect(),
        cache,
        argv0: options.argv0,
        execfn: options.execfn,
        vm_fd: options.vm_fd,
        filters: options.seccomp_filter.iter().map(|filter| filter.to_vec()).collect(),
        sysroot: options.sysroot.or_else(sysroot_from_environment),
        environment,
        cpu: options.cpu,
        strace: options.strace || options.strace_output.is_some(),
        strace_pid: options.strace_pid,
        strace_output: options.strace_output,
        no_aslr: options.no_aslr,
        engine: options.engine.into(),
        translation,
        stats: options.stats,
        dump,
        dump_output: options.dump_output,
        verify: options.verify,
        verify_output: options.verify_output,
    })
}

/// What the environment says of the cache, or these options instead.
fn cache_settings(directory: Option<PathBuf>, used: Option<CacheUse>) -> CacheSettings {
    let mut cache = CacheSettings::from_environment();
    cache.directory = directory.or(cache.directory);
    match used {
        Some(CacheUse::Off) => cache.directory = None,
        Some(CacheUse::Read) => cache.writes = false,
        Some(CacheUse::On) | None => {}
    }
    cache
}

/// Splits `KEY=VALUE`.
pub fn split_setting(setting: &OsStr) -> Result<EnvironmentChange, EarlyStop> {
    let bytes = setting.as_bytes();
    match bytes.iter().position(|b| *b == b'=') {
        Some(at) if at > 0 => Ok(EnvironmentChange::Set(
            OsString::from_vec(bytes[..at].to_vec()),
            OsString::from_vec(bytes[at + 1..].to_vec()),
        )),
        _ => Err(EarlyStop::Usage(format!("`{}` is not KEY=VALUE", setting.display()))),
    }
}

/// The sysroot that the environment names.
pub fn sysroot_from_environment() -> Option<PathBuf> {
    ["RVRUN_SYSROOT", "QEMU_LD_PREFIX"]
        .into_iter()
        .filter_map(std::env::var_os)
        .find(|value| !value.is_empty())
        .map(PathBuf::from)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn arguments(list: &[&str]) -> Vec<OsString> {
        list.iter().map(OsString::from).collect()
    }

    #[test]
    fn a_command_line_with_common_options_means_what_the_parser_finds_in_it() {
        for list in [
            &["./program"][..],
            &["sh", "-c", "--", "--strace"],
            &["a", ""],
            &["--", "--strace", "--", "-a"],
            &["-L", "/rv", "a", "-L", "b"],
            &["--cache=off", "--cache-dir=/c", "a"],
            &["--cache-dir=/c", "--cache", "read", "a"],
            &["--cache", "on", "a"],
            &["--argv0", "-sh", "--execfn", "-x=y", "a"],
            &["--argv0", "", "--execfn", "--", "a"],
            &["--argv0=", "--execfn=--", "--", "a"],
            &["--argv0", "--strace", "--execfn=-L", "--", "a"],
            &["--sysroot", "/rv", "--cache-dir=/a=b", "--argv0", "A=", "--execfn=/x", "--", "a"],
            &["--sysroot=/", "--vm-fd", "200", "--argv0", "a", "--execfn", "/a", "--", "a"],
        ] {
            let quick = with_common_options(&arguments(list)).unwrap();
            let parsed = parse_options("rvrun".into(), arguments(list)).ok().unwrap();
            assert_eq!(quick, parsed);
        }
    }

    #[test]
    fn other_options_are_left_to_the_parser() {
        for list in [
            &[][..],
            &[""],
            &["--strace", "a"],
            &["-E", "A=b", "a"],
            &["-L", "/rv", "--stats", "a"],
            &["-L", "/rv", "--sysroot=/rv", "a"],
            &["-L=/rv", "a"],
            &["--vm-fd", "-1", "a"],
            &["--vm-fd", "x", "a"],
            &["-L/rv", "a"],
            &["-L"],
            &["-L", "--", "a"],
            &["--cache=no", "a"],
            &["--argv0", "a", "--argv0", "a", "a"],
            &["--"],
        ] {
            assert_eq!(with_common_options(&arguments(list)), None, "{list:?}");
        }
    }
}
