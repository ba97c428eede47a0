# A call that stays a call is a call of the host's; the callee's return address is
# compared with what its translation returns.
#! inline 0
    addi sp, sp, -16
    sd ra, 8(sp)
    jal ra, callee
    ld ra, 8(sp)
    addi sp, sp, 16
    jalr zero, 0(ra)
callee:
    addi a0, a0, 1
    jalr zero, 0(ra)
