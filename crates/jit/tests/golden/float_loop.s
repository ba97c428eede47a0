# A loop of floating point: operands that the loop does not change come from memory.
loop:
    fld fa1, 0(a0)
    fmadd.d fa0, fa1, fa2, fa0
    addi a0, a0, 8
    bne a0, a1, loop
    ecall
