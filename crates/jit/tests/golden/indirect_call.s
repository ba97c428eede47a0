# Through the jump cache.
    add s0, zero, ra
    jalr ra, 0(a5)
    jalr zero, 0(s0)
