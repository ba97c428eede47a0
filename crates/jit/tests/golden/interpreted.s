# A CSR is the interpreter's: all registers are in memory before.
    addi a0, a0, 1
    csrrs a1, fcsr, zero
    add a0, a0, a1
    ecall
