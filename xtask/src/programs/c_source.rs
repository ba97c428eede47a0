//! A C file of more than 1,000 lines for compilers to chew on. It is made, so that it
//! holds every construct many times over with other numbers, and needs no header.

use std::fmt::Write;

/// How often the constructs come; 26 lines each.
const ROUNDS: u32 = 40;

/// The file's text.
pub fn text() -> String {
    let mut text = String::from(
        "typedef unsigned long word;\n\
         struct node { struct node *next; int key; double weight; char tag[12]; };\n\
         union bits { double d; word w; };\n\
         extern int report(const char *format, ...);\n",
    );
    for n in 0..ROUNDS {
        round(&mut text, n).expect("a String takes all");
    }
    text
}

fn round(text: &mut String, n: u32) -> std::fmt::Result {
    let (a, b, c) = (n * 7 + 3, n % 5 + 2, n * n + 11);
    let order = if n.is_multiple_of(2) { "<" } else { ">" };
    writeln!(
        text,
        "static const short table_{n}[8] = {{ {a}, -{b}, {c}, 0, {n}, -{a}, {b}{b}, 1 }};
static word mix_{n}(word x, unsigned k)
{{
    x ^= x >> {b};
    x *= 0x{c:x}9e3779b9ul;
    return (x << (k & 63)) | (x >> (-k & 63));
}}
double fold_{n}(const struct node *list, double limit)
{{
    double sum = {a}.{b};
    for (; list && sum < limit; list = list->next)
        sum += list->key {order} {c} ? list->weight * {b}.5 : -list->weight / {a};
    return sum;
}}
int step_{n}(struct node *at, int kind, unsigned char *out, int length)
{{
    union bits u = {{ .d = at->weight }};
    switch (kind) {{
    case 0: at->key += table_{n}[length & 7]; break;
    case {b}: case {a}: at->key = (int)mix_{n}(u.w, (unsigned)length); /* on */
    case {c}: for (int i = 0; i < length; i++) out[i] = (unsigned char)(out[i] * {a} + i % {b}); break;
    default: return report(\"%d of round {n}: %s\\n\", kind, at->tag);
    }}
    return at->key / {a} + (fold_{n}(at->next, {c}) > u.d) - __builtin_popcountl(u.w % {c});
}}
"
    )
}
