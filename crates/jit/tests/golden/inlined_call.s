# A small callee is taken in; its return is compared with where the call wants it.
    add s0, zero, ra
    jal ra, callee
    jal ra, callee
    add ra, zero, s0
    jalr zero, 0(ra)
callee:
    add a0, a0, a1
    jalr zero, 0(ra)
