/* build: -O1 -static -nostdlib -fno-builtin */
/* Mappings and the heap. Faults are found by a child that dies of them. */
#include "guest.h"
#include <asm/mman.h>
#include <linux/fs.h>
#include <linux/memfd.h>
#include <linux/mman.h>

#define PAGE 4096ul

static char *map(unsigned long len, int prot) {
    return (char *)sys(mmap, 0, len, prot, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
}

/* What a load or a store there does. */
static void touch(const char *what, char *at, int write) {
    long child = fork_child();
    if (child == 0) {
        if (write) *(volatile char *)at = 1;
        quit(write ? 1 : *(volatile char *)at);
    }
    show_status(what, reap(child));
}

static void mappings(void) {
    char *at = map(3 * PAGE, PROT_READ | PROT_WRITE);
    show_ok("mmap", (long)at);
    show_yes("aligned", ((long)at & (PAGE - 1)) == 0);
    at[0] = 11, at[2 * PAGE] = 13;
    touch("load", at, 0);
    show("munmap middle", sys(munmap, at + PAGE, PAGE));
    touch("load from hole", at + PAGE, 0);
    touch("load behind hole", at + 2 * PAGE, 0);
    show("mprotect over hole", sys(mprotect, at, 3 * PAGE, PROT_READ));
    touch("load read-only", at, 0);
    touch("store read-only", at, 1);
    show("mmap into hole", sys(mmap, at + PAGE, PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) - (long)at);
    touch("load without permission", at + PAGE, 0);
    show("mmap no replace", sys(mmap, at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED_NOREPLACE, -1, 0));
    show("read into read-only", sys(read, sys(openat, AT_FDCWD, "/dev/zero", O_RDONLY), at, 1));
    show("write from no permission", sys(write, 1, at + PAGE, 1));
    show("mprotect back", sys(mprotect, at, 3 * PAGE, PROT_READ | PROT_WRITE));
    touch("load after all", at + 2 * PAGE, 0);
    show("munmap all", sys(munmap, at, 3 * PAGE));
    show("munmap again", sys(munmap, at, 3 * PAGE));
}

static void hostile(void) {
    int anonymous = MAP_PRIVATE | MAP_ANONYMOUS;
    show("mmap nothing", sys(mmap, 0, 0, PROT_READ, anonymous, -1, 0));
    show("mmap everything", sys(mmap, 0, ~0ul, PROT_READ, anonymous, -1, 0));
    show("mmap 2^47", sys(mmap, 0, 1ul << 47, PROT_READ, anonymous, -1, 0));
    show("mmap unaligned fixed", sys(mmap, 0x10001, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0));
    show("mmap outside", sys(mmap, OUTSIDE, PAGE, PROT_READ, anonymous | MAP_FIXED, -1, 0));
    show("mmap no kind", sys(mmap, 0, PAGE, PROT_READ, MAP_ANONYMOUS, -1, 0));
    show("mmap bad descriptor", sys(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, -1, 0));
    show("mmap everything, bad descriptor", sys(mmap, 0, ~0ul, PROT_READ, MAP_PRIVATE, -1, 0));
    show("mmap bad offset and descriptor", sys(mmap, 0, ~0ul, PROT_READ, MAP_PRIVATE, -1, 1));
    show("mmap bad offset", sys(mmap, 0, PAGE, PROT_READ, anonymous, -1, 1));
    show("munmap nothing", sys(munmap, 0x10000, 0));
    show("munmap unaligned", sys(munmap, 0x10001, PAGE));
    show("munmap outside", sys(munmap, OUTSIDE, PAGE));
    show("mprotect unaligned", sys(mprotect, 0x10001, PAGE, PROT_READ));
    show("mprotect nothing mapped", sys(mprotect, WILD, PAGE, PROT_READ));
    show("mprotect nothing", sys(mprotect, WILD, 0, PROT_READ));
    show("mprotect overflow", sys(mprotect, PAGE, ~0ul, PROT_READ));
    show("mprotect bad bits", sys(mprotect, WILD, PAGE, 0xff00));
    show("mremap nothing mapped", sys(mremap, WILD, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    show("mremap unaligned", sys(mremap, 0x10001, PAGE, PAGE, MREMAP_MAYMOVE));
    show("mremap bad flags", sys(mremap, WILD, PAGE, PAGE, 0x80));
    show("mremap to nothing", sys(mremap, WILD, PAGE, 0, MREMAP_MAYMOVE));
    show("madvise nothing mapped", sys(madvise, WILD, PAGE, MADV_DONTNEED));
    show("madvise bad advice", sys(madvise, WILD, PAGE, 12345));
    show("madvise unaligned", sys(madvise, 0x10001, PAGE, MADV_DONTNEED));
    show("msync nothing mapped", sys(msync, WILD, PAGE, MS_SYNC));
    show("msync bad flags", sys(msync, WILD, PAGE, 0x100));
    show("mincore nothing mapped", sys(mincore, WILD, PAGE, (char[1]){0}));
    show("mlock nothing mapped", sys(mlock, WILD, PAGE));
}

static void remapping(void) {
    char *at = map(4 * PAGE, PROT_READ | PROT_WRITE);
    at[0] = 21, at[PAGE] = 22;
    char *other = map(4 * PAGE, PROT_READ);
    show("mremap shrink", sys(mremap, at, 4 * PAGE, 2 * PAGE, 0) - (long)at);
    char *moved = (char *)sys(mremap, at, 2 * PAGE, 64 * PAGE, MREMAP_MAYMOVE);
    show_ok("mremap grow", (long)moved);
    touch("load moved", moved + PAGE, 0);
    touch("load grown", moved + 63 * PAGE, 0);
    moved = (char *)sys(mremap, moved, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other);
    show("mremap fixed", moved - other);
    touch("load at fixed", other, 0);
    touch("load behind fixed", other + 3 * PAGE, 0);
    char *tail = map(4 * PAGE, PROT_READ);
    sys(mprotect, tail + 2 * PAGE, PAGE, PROT_READ | PROT_WRITE);
    sys(munmap, tail + 3 * PAGE, PAGE);
    show("mremap shrinks over other mappings and holes", sys(mremap, tail, 4 * PAGE, PAGE, MREMAP_MAYMOVE) - (long)tail);
    touch("load kept", tail, 0);
    touch("load of what went", tail + 2 * PAGE, 0);
    show("mremap grows over holes", sys(mremap, tail, 2 * PAGE, 4 * PAGE, MREMAP_MAYMOVE));
    show("mremap fixed, not to be moved", sys(mremap, tail, PAGE, PAGE, MREMAP_FIXED, other));
    show("mremap overlapping", sys(mremap, other, 2 * PAGE, 2 * PAGE, MREMAP_MAYMOVE | MREMAP_FIXED, other + PAGE));
    show("madvise", sys(madvise, other, 2 * PAGE, MADV_DONTNEED));
    touch("load advised", other, 0);
    unsigned char resident[2] = {9, 9};
    other[0] = 1;
    show("mincore", sys(mincore, other, PAGE, resident));
    show("resident", resident[0] & 1);
    show("mincore wild", sys(mincore, other, PAGE, WILD));
    show("mlock", sys(mlock, other, PAGE));
    show("munlock", sys(munlock, other, PAGE));
}

static void files(void) {
    long fd = sys(openat, AT_FDCWD, "mapped", O_RDWR | O_CREAT, 0600);
    sys(write, fd, "0123456789", 10);
    char *shared = (char *)sys(mmap, 0, 2 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    show_ok("mmap shared", (long)shared);
    char *private = (char *)sys(mmap, 0, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE, fd, 0);
    show_ok("mmap private", (long)private);
    shared[1] = 'X', private[2] = 'Y';
    char text[11] = {0};
    show("pread", sys(pread64, fd, text, 10, 0));
    show_text("file", text);
    show("private byte", private[2]);
    show("msync", sys(msync, shared, PAGE, MS_SYNC));
    touch("load beyond the end", shared + PAGE, 0);
    show("write from beyond the end", sys(write, fd, shared + PAGE, 1));
    show("mmap unaligned offset", sys(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, fd, 100));
    long read_only = sys(openat, AT_FDCWD, "mapped", O_RDONLY);
    show("mmap shared, not writable", sys(mmap, 0, PAGE, PROT_WRITE, MAP_SHARED, read_only, 0));
    long write_only = sys(openat, AT_FDCWD, "mapped", O_WRONLY);
    show("mmap not readable", sys(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, write_only, 0));
    show("mmap directory", sys(mmap, 0, PAGE, PROT_READ, MAP_PRIVATE, sys(openat, AT_FDCWD, ".", O_RDONLY), 0));
    long memory = sys(memfd_create, "name", MFD_CLOEXEC | MFD_ALLOW_SEALING);
    show_ok("memfd_create", memory);
    show("ftruncate", sys(ftruncate, memory, PAGE));
    show("seal", sys(fcntl, memory, 1033, 2 | 4));
    show("ftruncate sealed", sys(ftruncate, memory, 2 * PAGE));
    show("memfd_create bad flags", sys(memfd_create, "name", 0x8000));
    show("memfd_create wild", sys(memfd_create, WILD, 0));
}

static void heap(void) {
    long start = sys(brk, 0);
    show("brk grows", sys(brk, start + 3 * PAGE) - start);
    *(char *)(start + 2 * PAGE) = 31;
    touch("load from heap", (char *)start + 2 * PAGE, 0);
    show("brk refused", sys(brk, ~0ul) - start);
    show("brk below", sys(brk, 1) - start);
    show("brk shrinks", sys(brk, start + 1) - start);
    touch("load behind heap", (char *)start + 2 * PAGE, 0);
    show("brk grows", sys(brk, start + 3 * PAGE) - start);
    touch("load new heap", (char *)start + 2 * PAGE, 0);
}

/* Pages of address space that there are. */
static long pages(void) {
    char text[64] = {0};
    long fd = sys(openat, AT_FDCWD, "/proc/self/statm", O_RDONLY), count = 0;
    sys(read, fd, text, sizeof text - 1);
    sys(close, fd);
    for (char *at = text; *at >= '0' && *at <= '9'; at++) count = count * 10 + *at - '0';
    return count;
}

/* Mappings that a child does not inherit. */
static void forks(void) {
    char *at = map(3 * PAGE, PROT_READ | PROT_WRITE);
    at[PAGE] = 41, at[2 * PAGE] = 42;
    sys(mprotect, at + PAGE, PAGE, PROT_READ);
    long before = pages();
    show("advise against forks", sys(madvise, at + PAGE, PAGE, MADV_DONTFORK));
    long child = fork_child();
    if (child == 0) {
        show("pages that the child lacks", before - pages());
        show("unmapping what is not there", sys(munmap, at + PAGE, PAGE));
        show("protecting it", sys(mprotect, at + PAGE, PAGE, PROT_READ));
        quit(at[2 * PAGE]);
    }
    show_status("child", reap(child));
    touch("load of it in a child", at + PAGE, 0);
    show("parent has", at[PAGE]);
    show("advise for forks", sys(madvise, at + PAGE, PAGE, MADV_DOFORK));
    touch("load of it in a child", at + PAGE, 0);
}

static void sealing(void) {
    char *at = map(2 * PAGE, PROT_READ | PROT_WRITE);
    enum { MSEAL = 462 }; /* younger than the headers */
    show("mseal bad flags", syscall6(MSEAL, (long)at, PAGE, 1, 0, 0, 0));
    show("mseal unaligned", syscall6(MSEAL, (long)at + 1, PAGE, 0, 0, 0, 0));
    show("mseal nothing mapped", syscall6(MSEAL, (long)WILD, PAGE, 0, 0, 0, 0));
    show("mseal no bytes", syscall6(MSEAL, (long)at, 0, 0, 0, 0, 0));
    if (show("mseal", syscall6(MSEAL, (long)at, PAGE, 0, 0, 0, 0)) != 0) return;
    show("munmap sealed", sys(munmap, at, PAGE));
    show("mprotect sealed", sys(mprotect, at, PAGE, PROT_READ));
    show("mmap over sealed", sys(mmap, at, PAGE, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0));
    show("mremap sealed", sys(mremap, at, PAGE, 2 * PAGE, MREMAP_MAYMOVE));
    char *before = map(4 * PAGE, PROT_READ);
    sys(mprotect, before + 2 * PAGE, PAGE, PROT_NONE);
    syscall6(MSEAL, (long)before + 3 * PAGE, PAGE, 0, 0, 0, 0);
    show("munmap all or nothing", sys(munmap, before, 4 * PAGE));
    show("still there", before[0]);
    show("munmap behind sealed", sys(munmap, at + PAGE, PAGE));
    at[0] = 1;
}

static void nonlinear(void) {
    long fd = sys(openat, AT_FDCWD, "nonlinear", O_RDWR | O_CREAT, 0600);
    sys(ftruncate, fd, 3 * PAGE);
    sys(pwrite64, fd, "a", 1, 0), sys(pwrite64, fd, "b", 1, PAGE), sys(pwrite64, fd, "c", 1, 2 * PAGE);
    char *at = (char *)sys(mmap, 0, 3 * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
    show("remap_file_pages", sys(remap_file_pages, at, PAGE, 0, 2, 0));
    show("first", at[0]), show("second", at[PAGE]);
    show("remap_file_pages protected", sys(remap_file_pages, at, PAGE, PROT_READ, 2, 0));
    show("remap_file_pages nothing mapped", sys(remap_file_pages, WILD, PAGE, 0, 2, 0));
    show("remap_file_pages private", sys(remap_file_pages, map(PAGE, PROT_READ), PAGE, 0, 0, 0));
}

int program(int argc, char **argv, char **envp) {
    (void)argc, (void)argv, (void)envp;
    prepare();
    mappings();
    hostile();
    remapping();
    files();
    heap();
    forks();
    sealing();
    nonlinear();
    return 0;
}
