# What compilers write for constants, widths, comparisons and shifts.
    lui a0, 0x12345
    addi a0, a0, 1656
    addiw a1, a1, 1
    slli a2, a2, 32
    srli a2, a2, 32
    sltu a3, zero, a3
    sltiu a4, a4, 1
    xori a5, a5, -1
    sub a6, zero, a6
    sh3add a7, a1, a0
    add.uw t0, a1, a0
    sext.b t1, t1
    zext.h t2, t2
    ecall
