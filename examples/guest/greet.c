/* build: -O2 */
/* A dynamically linked program: it needs the C library of a riscv64 system, and
 * says which one it found. */
#include <gnu/libc-version.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/utsname.h>

int main(void) {
    struct utsname machine;
    if (uname(&machine)) {
        perror("uname");
        return 1;
    }
    const char *user = getenv("USER");
    printf("Hello, %s, on %s with glibc %s\n", user ? user : "whoever you are", machine.machine,
           gnu_get_libc_version());
    return 0;
}
