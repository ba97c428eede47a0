# Where a fault may be caught: memory has the registers as of the first access.
#! precise
    addi a1, a1, 1
    lw a2, 0(a0)
    add a1, a1, a2
    sw a1, 0(a0)
    addi a1, a1, 1
    sw a1, 4(a0)
    ecall
