# Both ways look for a NaN before their loop, and leave for the interpreter with the same branch.
    beq a3, zero, both
    ld a3, 0(a3)
    ld a3, 0(a3)
    ld a3, 0(a3)
    ld a3, 0(a3)
both:
    beq a0, zero, second
first:
    fld fa5, 0(a2)
    fmul.d fa5, fa5, fa3
    fadd.d fa4, fa4, fa5
    addi a1, a1, -1
    bne a1, zero, first
    ecall
second:
    fld fa5, 8(a2)
    fmul.d fa5, fa5, fa3
    fsub.d fa4, fa4, fa5
    addi a1, a1, -1
    bne a1, zero, second
    ecall
