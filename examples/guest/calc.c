/* build: -O2 -static -lm */
/* A calculator: reads an expression a line from standard input and prints its
 * value. `+ - * / %`, `^` (power, to the right), parentheses, `sqrt(x)`, and
 * names: `x = 3`. Exit status 1 if a line could not be understood. */
#include <ctype.h>
#include <math.h>
#include <setjmp.h>
#include <stdio.h>
#include <string.h>

static const char *at;
static double names[26];
static jmp_buf mistake;

static double sum(void);

static int next_is(char wanted) {
    while (isspace((unsigned char)*at)) at++;
    if (*at != wanted) return 0;
    at++;
    return 1;
}

static double value(void) {
    double number;
    int length;
    if (next_is('-')) return -value();
    if (next_is('(')) {
        number = sum();
        if (!next_is(')')) longjmp(mistake, 1);
        return number;
    }
    if (!strncmp(at, "sqrt", 4)) {
        at += 4;
        return sqrt(value());
    }
    if (islower((unsigned char)*at)) return names[*at++ - 'a'];
    if (sscanf(at, "%lf%n", &number, &length) != 1) longjmp(mistake, 1);
    at += length;
    return number;
}

static double power(void) {
    double base = value();
    return next_is('^') ? pow(base, power()) : base;
}

static double product(void) {
    double left = power();
    for (;;) {
        if (next_is('*')) left *= power();
        else if (next_is('/')) left /= power();
        else if (next_is('%')) left = fmod(left, power());
        else return left;
    }
}

static double sum(void) {
    double left = product();
    for (;;) {
        if (next_is('+')) left += product();
        else if (next_is('-')) left -= product();
        else return left;
    }
}

/* `name = expression`, or an expression. */
static double line_value(void) {
    const char *start = at;
    if (islower((unsigned char)*at)) {
        double *name = &names[*at++ - 'a'];
        if (next_is('=')) return *name = sum();
        at = start;
    }
    return sum();
}

int main(void) {
    char line[1024];
    int status = 0;
    while (fgets(line, sizeof line, stdin)) {
        at = line;
        if (next_is('\0')) continue;
        if (setjmp(mistake)) {
            fprintf(stderr, "calc: cannot understand: %s", at);
            status = 1;
            continue;
        }
        double result = line_value();
        if (!next_is('\0')) longjmp(mistake, 1);
        printf("%.15g\n", result);
    }
    return status;
}
