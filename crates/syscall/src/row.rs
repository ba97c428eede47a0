//! The vocabulary of the table: rows, kinds of arguments, handlers, support notes.

use crate::task::Task;
use crate::{Errno, Outcome};
use rvrun_hart::Hart;
use std::ffi::c_long;

/// The six argument registers, `a0` to `a5`.
pub type Args = [u64; 6];

/// What a handler gives back: the guest's new `a0`, or an error number.
pub type SysResult = Result<u64, Errno>;

/// One system call of riscv64 Linux.
pub struct Row {
    /// Its number.
    pub number: u16,
    /// Its name in `asm/unistd.h`.
    pub name: &'static str,
    /// Its arguments.
    pub args: &'static [Arg],
    /// Who carries it out.
    pub handler: Handler,
    /// How well.
    pub support: Support,
}

/// One argument of a system call.
#[derive(Clone, Copy, Debug)]
pub struct Arg {
    /// Its name in the manual page.
    pub name: &'static str,
    /// What the register holds.
    pub kind: Kind,
}

/// How well a system call is supported.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Support {
    /// As the kernel does it.
    Full,
    /// As the kernel does it, but for what the note says.
    Partial(&'static str),
    /// Always `ENOSYS` (or the error that the note names), for the reason in the note.
    Stub(&'static str),
}

/// Who carries out a system call.
#[derive(Clone, Copy)]
pub enum Handler {
    /// The host's kernel, with the same arguments: the two ABIs are equal.
    Host(c_long),
    /// The host's kernel, after the guest's paths have been translated.
    Paths(c_long, &'static [PathArg]),
    /// A function that needs the task only.
    Call(fn(&mut Task, Args) -> SysResult),
    /// A function that reads or writes registers other than `a0`, or ends the program.
    Control(fn(&mut Task, &mut Hart, Args) -> Result<Flow, Errno>),
    /// Nobody: `ENOSYS`.
    Missing,
}

/// What a [`Handler::Control`] function wants to happen.
#[derive(Clone, Copy, Debug)]
pub enum Flow {
    /// Set `a0` and go on.
    Return(u64),
    /// Make the call again, once the signal that came first has been delivered.
    Restart,
    /// Leave the registers alone and stop, if that is what the outcome wants.
    Stop(Outcome),
}

/// Where a path argument and the directory that it is relative to are found.
#[derive(Clone, Copy, Debug)]
pub struct PathArg {
    /// Index of the directory's descriptor; none where that is always the working directory.
    pub dir: Option<u8>,
    /// Index of the path.
    pub path: u8,
    /// How its last component is meant.
    pub last: Last,
}

/// What a call does with the last component of a path.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Last {
    /// Follows it if it is a symbolic link.
    Follow,
    /// Takes it as it is.
    NoFollow,
    /// Makes it.
    Create,
    /// Makes it or replaces it by another file.
    Replace,
    /// Follows it unless the flags in this argument have `AT_SYMLINK_NOFOLLOW`.
    UnlessFlag(u8),
    /// Follows it if the flags in this argument have `AT_SYMLINK_FOLLOW`.
    IfFlag(u8),
}

/// What an argument register holds, for the strace line.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// A file descriptor.
    Fd,
    /// A descriptor of a directory, or `AT_FDCWD`.
    DirFd,
    /// A path, NUL-terminated.
    Path,
    /// Any other NUL-terminated string.
    Str,
    /// A NULL-terminated array of strings.
    StrArray,
    /// Bytes that go into the call; the length is the argument with this index.
    In(u8),
    /// Bytes that come out of the call, as many as it returns.
    Out,
    /// A string that comes out of the call, as many bytes as it returns.
    OutStr,
    /// Two descriptors that come out of the call.
    OutFds,
    /// A 32-bit signed number.
    Int,
    /// A 32-bit unsigned number.
    Uint,
    /// A 64-bit signed number: an offset.
    Off,
    /// A 64-bit unsigned number: a size.
    Size,
    /// A number best read in hexadecimal.
    Hex,
    /// An address.
    Ptr,
    /// A `struct timespec` that goes into the call.
    Timespec,
    /// A signal's number.
    Sig,
    /// A set of signals that goes into the call.
    SigSet,
    /// A user's or group's number, where -1 means none.
    Id,
    /// Permission bits, in octal.
    Mode,
    /// A value or a set of bits with names.
    Names(&'static crate::strace::names::Names),
}

/// Shorthand of the table.
pub(crate) const fn host(number: c_long) -> Handler {
    Handler::Host(number)
}

/// Shorthand of the table.
pub(crate) const fn call(function: fn(&mut Task, Args) -> SysResult) -> Handler {
    Handler::Call(function)
}

/// Shorthand of the table.
pub(crate) const fn control(
    function: fn(&mut Task, &mut Hart, Args) -> Result<Flow, Errno>,
) -> Handler {
    Handler::Control(function)
}

/// Shorthand of the table.
pub(crate) const fn paths(number: c_long, paths: &'static [PathArg]) -> Handler {
    Handler::Paths(number, paths)
}

/// Shorthand of the table: a path that is relative to the working directory.
pub(crate) const fn cwd(path: u8, last: Last) -> PathArg {
    PathArg { dir: None, path, last }
}

/// Shorthand of the table: a path that is relative to the directory in the argument before it.
pub(crate) const fn at(path: u8, last: Last) -> PathArg {
    PathArg { dir: Some(path - 1), path, last }
}

/// Shorthand of the table.
pub(crate) const fn partial(note: &'static str) -> Support {
    Support::Partial(note)
}

/// Shorthand of the table.
pub(crate) const fn stub(why: &'static str) -> Support {
    Support::Stub(why)
}

/// Expands the table into an array of [`Row`].
macro_rules! rows {
    ($(#[$meta:meta])* $vis:vis static $table:ident =
     $($number:literal $name:ident($($arg:ident: $kind:expr),*) => $handler:expr, $support:expr;)*) => {
        $(#[$meta])*
        $vis static $table: &[Row] = &[$(Row {
            number: $number,
            name: stringify!($name),
            args: &[$(Arg { name: stringify!($arg), kind: $kind }),*],
            handler: $handler,
            support: $support,
        }),*];
    };
}
pub(crate) use rows;
