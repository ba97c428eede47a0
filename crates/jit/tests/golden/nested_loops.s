# The inner loop does not write a1 and a2: memory gets them before it.
outer:
    addi a2, a2, 3
    addi a3, zero, 10
inner:
    add a0, a0, a2
    addi a3, a3, -1
    bne a3, zero, inner
    addi a1, a1, -1
    bne a1, zero, outer
    ecall
