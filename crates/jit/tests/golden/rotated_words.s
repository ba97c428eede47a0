# A rotation of words by two shifts is one, in a loop where it is a doubleword next time.
again:
    xor a0, a0, a1
    srliw a2, a0, 7
    slliw a0, a0, 25
    or a0, a0, a2
    addiw a1, a1, 1
    bne a1, a3, again
    ecall
