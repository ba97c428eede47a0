# Words that are read byte by byte, the first one with its highest byte first: each is read at
# once. The third one is copied.
    lbu a1, 0(a0)
    lbu a2, 1(a0)
    lbu a3, 2(a0)
    slli a1, a1, 24
    lbu a4, 3(a0)
    slli a2, a2, 16
    or a1, a1, a2
    slli a3, a3, 8
    or a3, a3, a4
    or a1, a1, a3
    addiw a1, a1, 0
    lbu a2, 5(s0)
    lbu a3, 4(s0)
    slli a2, a2, 8
    or a2, a2, a3
    lhu a3, 8(s0)
    lhu a4, 10(s0)
    lhu a5, 12(s0)
    lhu a6, 14(s0)
    sh a3, 24(s1)
    sh a5, 28(s1)
    sh a6, 30(s1)
    sh a4, 26(s1)
    addi a3, zero, 0
    addi a4, zero, 0
    addi a5, zero, 0
    addi a6, zero, 0
    ecall
