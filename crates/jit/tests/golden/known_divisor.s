# What the loop divides by is most likely what it was when this was translated.
#! divisor 12 998244353
loop:
    remu a0, a0, a2
    add a0, a0, a1
    addi a1, a1, -1
    bne a1, zero, loop
    ecall
