# All widths; what is read again after a store may have changed.
    lb a1, 0(a0)
    lhu a2, 2(a0)
    lw a3, 4(a0)
    ld a4, 8(a0)
    sb a1, 0(a5)
    sh a2, 2(a5)
    sw a3, -4(a5)
    sd a4, 2047(a5)
    ld a4, 8(a0)
    ecall
