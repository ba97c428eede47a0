# Words are compared, chosen, masked and stored as words, and none is extended for that; the
# shifts that scale an index are one.
again:
    lw a2, 0(a1)
    addiw a0, a0, 1
    bgeu a0, a2, more
    addi a0, a2, 0
more:
    andi a3, a0, 255
    slli a4, a3, 32
    srli a4, a4, 30
    add a4, a4, a5
    lw a3, 0(a4)
    sw a0, 4(a1)
    bne a3, a0, again
    ecall
