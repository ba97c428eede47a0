# A callee that is taken in and ends with a jump through a register, as of a linkage table:
# the jump is a call, so that its return is one to the region.
    add s0, zero, ra
    jal ra, callee
    add ra, zero, s0
    jalr zero, 0(ra)
callee:
    beq a0, zero, none
    jalr t1, 0(t3)
none:
    jalr zero, 0(ra)
