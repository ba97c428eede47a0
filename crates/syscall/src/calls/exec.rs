//! Executing another program, without help from the host's binfmt_misc.
//!
//! A riscv64 program is executed by executing the VM again with the program as
//! its argument; a script by executing its interpreter; what remains goes to
//! the host's kernel, which runs native programs and refuses the rest.
//! The strings of `argv` and `envp` stay where they are: the host's kernel
//! reads them from the guest's memory, with its own limits and its own `EFAULT`.

use crate::host_signals::Inherited;
use crate::path::Intent;
use crate::program::{self, HEAD, Kind};
use crate::root::{identity, identity_of};
use crate::row::{Args, SysResult};
use crate::task::Task;
use crate::translate::read_link;
use crate::{Errno, guest, raw, strace};
use std::ffi::{CStr, CString, OsStr};
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

/// What users should know of `execve` and `execveat`.
pub(crate) const NOTE: &str = "set-user-ID bits of riscv64 programs have no effect; a program without a name in the file \
     system (memfd) inherits a descriptor of itself";

/// Scripts that may be the interpreters of scripts.
const MAX_SCRIPTS: u32 = 5;
/// Pointers in `argv`: more do not fit the space that the kernel gives to
/// arguments, three quarters of 8 MiB.
const MAX_POINTERS: usize = (6 << 20) / 8;
/// Descriptors that outlive `execve` are put from here on, out of the way.
pub(crate) const HIGH_FD: u64 = 200;

const ENOENT: Errno = Errno(libc::ENOENT);

/// `execve(path, argv, envp)`.
pub(crate) fn execve(task: &mut Task, args: Args) -> SysResult {
    execute(task, libc::AT_FDCWD as u64, args[0], args[1], args[2], 0)
}

/// `execveat(dirfd, path, argv, envp, flags)`.
pub(crate) fn execveat(task: &mut Task, args: Args) -> SysResult {
    execute(task, args[0], args[1], args[2], args[3], args[4] as i32)
}

/// The arguments of a program to be: pointers to strings of the guest's or of `owned`.
struct Arguments {
    pointers: Vec<u64>,
    owned: Vec<CString>,
}

impl Arguments {
    /// Reads the guest's array. A null array is an empty one, and an empty one
    /// holds one empty string (`execve(2)`).
    fn read(addr: u64) -> Result<Self, Errno> {
        let mut arguments = Self { pointers: Vec::new(), owned: Vec::new() };
        let elements = (addr..).step_by(8).take(if addr == 0 { 0 } else { MAX_POINTERS + 1 });
        for at in elements {
            match guest::read_u64(at)? {
                0 => break,
                _ if arguments.pointers.len() == MAX_POINTERS => return Err(Errno(libc::E2BIG)),
                pointer => arguments.pointers.push(pointer),
            }
        }
        if arguments.pointers.is_empty() {
            let empty = arguments.own(b"")?;
            arguments.pointers.push(empty);
        }
        Ok(arguments)
    }

    /// Keeps a string until the program is executed; returns its address.
    fn own(&mut self, bytes: &[u8]) -> Result<u64, Errno> {
        let string = CString::new(bytes).map_err(|_| Errno(libc::EINVAL))?;
        let address = string.as_ptr() as u64;
        self.owned.push(string);
        Ok(address)
    }

    /// Puts a script's interpreter in front (kernel: `load_script`).
    fn interpret(
        &mut self,
        interpreter: &[u8],
        argument: Option<&[u8]>,
        script: &[u8],
    ) -> Result<(), Errno> {
        let mut front = vec![self.own(interpreter)?];
        if let Some(argument) = argument {
            front.push(self.own(argument)?);
        }
        front.push(self.own(script)?);
        self.pointers.splice(..1, front);
        Ok(())
    }
}

/// A descriptor that is closed in the end.
struct Descriptor {
    fd: u64,
}

impl Drop for Descriptor {
    fn drop(&mut self) {
        raw::syscall(libc::SYS_close, [self.fd, 0, 0, 0, 0, 0]);
    }
}

impl Descriptor {
    fn open(dir: u64, path: &CStr, flags: i32) -> Result<Self, Errno> {
        let args = [dir, path.as_ptr() as u64, (flags | libc::O_CLOEXEC) as u64];
        Ok(Self { fd: raw::call(libc::SYS_openat, &args)? })
    }

    /// Reads at an offset until the buffer is full or the file ends.
    fn read_at(&self, buf: &mut [u8], offset: u64) -> Result<usize, Errno> {
        let mut done = 0;
        while let Some(rest) = buf.get_mut(done..).filter(|rest| !rest.is_empty()) {
            let at = offset.wrapping_add(done as u64);
            let args = [self.fd, rest.as_mut_ptr() as u64, rest.len() as u64, at];
            match raw::call(libc::SYS_pread64, &args)? {
                0 => break,
                got => done += got as usize,
            }
        }
        Ok(done)
    }
}

/// A file that is to be executed.
struct File {
    /// For no more than its path (`O_PATH`).
    file: Descriptor,
    /// The directory and the path that led there.
    dir: u64,
    path: CString,
}

impl File {
    /// Opens a file for execution, with the kernel's checks (`do_open_execat`).
    fn open(dir: u64, path: CString, follow: bool) -> Result<Self, Errno> {
        let nofollow = if follow { 0 } else { libc::O_NOFOLLOW };
        let file = Descriptor::open(dir, &path, libc::O_PATH | nofollow)?;
        let empty = c"".as_ptr() as u64;
        let mut stat = std::mem::MaybeUninit::<libc::stat>::zeroed();
        raw::call(libc::SYS_fstat, &[file.fd, stat.as_mut_ptr() as u64])?;
        match crate::abi::stat::assume_filled(stat).st_mode & libc::S_IFMT {
            libc::S_IFREG => {}
            libc::S_IFLNK => return Err(Errno(libc::ELOOP)),
            _ => return Err(Errno(libc::EACCES)),
        }
        let flags = (libc::AT_EMPTY_PATH | libc::AT_EACCESS) as u64;
        raw::call(libc::SYS_faccessat2, &[file.fd, empty, libc::X_OK as u64, flags])?;
        Ok(Self { file, dir, path })
    }

    /// Its path by descriptor, which needs `/proc`.
    fn link(&self) -> String {
        format!("/proc/self/fd/{}", self.file.fd)
    }

    /// Opens it for reading.
    fn reader(&self) -> Result<Descriptor, Errno> {
        let link = CString::new(self.link()).map_err(|_| ENOENT)?;
        match Descriptor::open(libc::AT_FDCWD as u64, &link, libc::O_RDONLY) {
            Err(ENOENT) => {}
            opened => return opened,
        }
        // There is no `/proc` in this root.
        let again = Descriptor::open(self.dir, &self.path, libc::O_RDONLY)?;
        let same = identity_of(again.fd) == identity_of(self.file.fd);
        if same { Ok(again) } else { Err(ENOENT) }
    }

    /// A path by which another program can open it: its real one if it still
    /// names this file, else that of a descriptor which survives `execve`.
    fn lasting_path(&self) -> Result<Vec<u8>, Errno> {
        let Some(real) = read_link(self.link().as_bytes()) else {
            // Without `/proc` it has the path that led there. Who was shown no more than a
            // directory's descriptor has none.
            let path = self.path.as_bytes();
            let named = self.dir as i32 == libc::AT_FDCWD || path.starts_with(b"/");
            return if named { Ok(path.to_vec()) } else { Err(ENOENT) };
        };
        if real.starts_with(b"/") && same_file(&real, &self.link()) {
            return Ok(real);
        }
        let reader = self.reader()?;
        let copy = raw::call(libc::SYS_fcntl, &[reader.fd, libc::F_DUPFD as u64, HIGH_FD])?;
        Ok(format!("/proc/self/fd/{copy}").into_bytes())
    }
}

fn same_file(path: &[u8], link: &str) -> bool {
    let real = identity(Path::new(OsStr::from_bytes(path)));
    real.is_some() && real == identity(link.as_ref())
}

fn execute(task: &mut Task, dir: u64, path: u64, argv: u64, envp: u64, flags: i32) -> SysResult {
    let given = guest::read_path(path)?;
    if given.is_empty() && flags & libc::AT_EMPTY_PATH == 0 {
        return Err(ENOENT);
    }
    if flags & !(libc::AT_EMPTY_PATH | libc::AT_SYMLINK_NOFOLLOW) != 0 {
        return Err(Errno(libc::EINVAL));
    }
    let follow = flags & libc::AT_SYMLINK_NOFOLLOW == 0;
    let intent = if follow { Intent::Follow } else { Intent::NoFollow };
    let by_descriptor = dir as i32 != libc::AT_FDCWD && !given.starts_with(b"/");
    let host = if given.is_empty() {
        let link = if by_descriptor {
            format!("/proc/self/fd/{}", dir as i32)
        } else {
            "/proc/self/cwd".into()
        };
        CString::new(link).ok()
    } else {
        task.host_path(dir, path, intent)?
    };
    let host = match host {
        Some(host) => host,
        None => CString::new(given.as_slice()).map_err(|_| ENOENT)?,
    };
    let mut file =
        File::open(dir, host, follow).map_err(|error| match (given.is_empty(), error) {
            (true, ENOENT) if !is_open(dir) => Errno(libc::EBADF),
            (_, error) => error,
        })?;
    // The name that the program learns (`AT_EXECFN`).
    let name = match (by_descriptor, given.is_empty()) {
        (false, _) => given,
        (true, true) => format!("/dev/fd/{}", dir as i32).into_bytes(),
        (true, false) => [format!("/dev/fd/{}/", dir as i32).as_bytes(), &given].concat(),
    };
    let mut arguments = Arguments::read(argv)?;
    let mut current = name.clone();
    for _ in 0..=MAX_SCRIPTS {
        let mut head = [0; HEAD];
        let (kind, head, reader) = match file.reader() {
            Ok(reader) => {
                let length = reader.read_at(&mut head, 0)?;
                (program::kind(&head[..length])?, &head[..length], Some(reader))
            }
            // Executable but not readable: only the host's kernel can run it.
            Err(_) => (Kind::Host, &head[..0], None),
        };
        match kind {
            Kind::Script { interpreter, argument } => {
                if current == name && by_descriptor && closes_on_exec(dir) {
                    return Err(ENOENT);
                }
                arguments.interpret(&interpreter, argument.as_deref(), &current)?;
                file = open_interpreter(task, &interpreter)?;
                current = interpreter;
            }
            Kind::Guest => {
                if let Some(reader) = reader
                    && let Some(linker) =
                        program::interpreter(head, |buf, at| reader.read_at(buf, at))?
                {
                    open_interpreter(task, &linker)?;
                }
                let path = file.lasting_path()?;
                return enter_vm(task, &path, &name, arguments, envp);
            }
            Kind::Host => {
                // Filters speak of riscv64's calls.
                if task.sandbox.is_on() {
                    return Err(Errno(libc::EACCES));
                }
                let path = file.lasting_path()?;
                let address = arguments.own(&path)?;
                return enter(task, address, None, &mut arguments.pointers, envp);
            }
        }
    }
    Err(Errno(libc::ELOOP))
}

/// Opens a script's interpreter or a program's dynamic linker, a path of the guest.
fn open_interpreter(task: &Task, path: &[u8]) -> Result<File, Errno> {
    let translated =
        if path.starts_with(b"/") { task.host_path_of(path, Intent::Follow)? } else { None };
    let host = match translated {
        Some(host) => host,
        None => CString::new(path).map_err(|_| ENOENT)?,
    };
    File::open(libc::AT_FDCWD as u64, host, true)
}

fn is_open(fd: u64) -> bool {
    raw::call(libc::SYS_fcntl, &[fd, libc::F_GETFD as u64]).is_ok()
}

fn closes_on_exec(fd: u64) -> bool {
    raw::call(libc::SYS_fcntl, &[fd, libc::F_GETFD as u64])
        .is_ok_and(|flags| flags & libc::FD_CLOEXEC as u64 != 0)
}

/// Executes the VM with a riscv64 program.
fn enter_vm(
    task: &mut Task,
    program: &[u8],
    name: &[u8],
    mut arguments: Arguments,
    envp: u64,
) -> SysResult {
    let process = task.process.clone();
    let exec = &process.config.exec;
    let mut pointers = Vec::with_capacity(arguments.pointers.len() + exec.prefix.len() + 11);
    for word in &exec.prefix {
        pointers.push(arguments.own(word.as_bytes())?);
    }
    let sysroot = task.fs.sysroot().map_or(&b"/"[..], |root| root.root().as_os_str().as_bytes());
    pointers.push(arguments.own(&[b"--sysroot=", sysroot].concat())?);
    let vm_fd = process.vm_file.instead_of(&exec.vm);
    if let Some(fd) = vm_fd {
        let number = fd.to_string();
        pointers.extend([arguments.own(b"--vm-fd")?, arguments.own(number.as_bytes())?]);
    }
    // There is always an argv[0]: see `Arguments::read`.
    let (argv0, rest) = arguments.pointers.split_first().ok_or(Errno(libc::EINVAL))?;
    let (argv0, rest) = (*argv0, rest.to_vec());
    for filter in task.sandbox.filters() {
        let digits: String = filter.iter().map(|byte| format!("{byte:02x}")).collect();
        let option = arguments.own(b"--seccomp-filter")?;
        pointers.extend([option, arguments.own(digits.as_bytes())?]);
    }
    pointers.extend([arguments.own(b"--argv0")?, argv0]);
    pointers.extend([arguments.own(b"--execfn")?, arguments.own(name)?]);
    pointers.extend([arguments.own(b"--")?, arguments.own(program)?]);
    pointers.extend(rest);
    let Some(fd) = vm_fd else {
        let vm = arguments.own(exec.vm.as_os_str().as_bytes())?;
        return enter(task, vm, None, &mut pointers, envp);
    };
    let empty = arguments.own(b"")?;
    process.vm_file.close_on_exec(false);
    let result = enter(task, empty, Some(fd), &mut pointers, envp);
    process.vm_file.close_on_exec(true);
    result
}

/// Has the host execute a program, of a descriptor with an empty path; returns only if that fails.
fn enter(task: &mut Task, path: u64, fd: Option<i32>, argv: &mut Vec<u64>, envp: u64) -> SysResult {
    argv.push(0);
    if let Some(pending) = &task.pending {
        strace::emit(task, &pending.endless("0"));
    }
    if let Some(act) = &task.process.config.before_exec {
        act();
    }
    let inherited = Inherited::new(&task.process, task.blocked)?;
    let argv = argv.as_ptr() as u64;
    let (number, args) = match fd {
        None => (libc::SYS_execve, [path, argv, envp, 0, 0, 0]),
        Some(fd) => {
            (libc::SYS_execveat, [fd as u64, path, argv, envp, libc::AT_EMPTY_PATH as u64, 0])
        }
    };
    let result = raw::check(raw::guarded(number, args));
    drop(inherited);
    task.set_host_mask();
    result
}
