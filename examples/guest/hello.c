/* build: -O2 -static */
/* Says hello, and what it was told. */
#include <stdio.h>

int main(int argc, char **argv) {
    printf("Hello from RISC-V");
    for (int i = 1; i < argc; i++) printf("%s %s", i == 1 ? "," : "", argv[i]);
    puts("!");
    return 0;
}
