//! The places where riscv64's kernel interface differs from x86-64's, all of them.
//!
//! Found by compiling the kernel's public headers (Linux 6.1) for both and
//! comparing sizes, offsets and constants:
//!
//! | what | riscv64 | x86-64 |
//! |---|---|---|
//! | `struct stat` | 128 bytes, `st_mode` before `st_nlink`, both 32 bits | 144 bytes |
//! | `struct epoll_event` | 16 bytes, aligned | 12 bytes, packed |
//! | `struct sigaction` | no restorer | `SA_RESTORER` and a pointer |
//! | `struct semid64_ds` | 88 bytes | 104 bytes, padding behind each time |
//! | `clone` | flags, stack, parent tid, tls, child tid | tls last |
//! | `mmap` | – | `MAP_32BIT`, `MAP_ABOVE4G` |
//!
//! Error numbers, signals, `open`, `mmap` and `ioctl` constants, socket options
//! and all other structures are the same. Conversions work on bytes, as the
//! guest's memory may have any alignment.

pub(crate) mod epoll;
pub(crate) mod semaphore;
pub(crate) mod sigaction;
pub(crate) mod stat;
