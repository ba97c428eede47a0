# The host's locked instructions, a branch before each for the misaligned address
# that is a trap; store-conditional compares with what load-reserved has read.
    amoadd.w a0, a1, (a2)
    amoswap.d.aqrl a3, a4, (a2)
    amomaxu.w a5, a1, (a2)
retry:
    lr.w a6, (a2)
    addi a6, a6, 1
    sc.w a7, a6, (a2)
    bne a7, zero, retry
    fence rw, rw
    ecall
