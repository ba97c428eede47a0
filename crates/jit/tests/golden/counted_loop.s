# A loop: its registers stay in values, attention is looked at once each time around.
loop:
    lw a2, 0(a0)
    add a3, a3, a2
    addi a0, a0, 4
    addi a1, a1, -1
    bne a1, zero, loop
    ecall
