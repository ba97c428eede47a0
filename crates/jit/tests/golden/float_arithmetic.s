# Doubles: results are looked at for a NaN once, where the node ends at the latest.
    fld fa0, 0(a0)
    fld fa1, 8(a0)
    fmul.d fa2, fa0, fa1
    fadd.d fa3, fa2, fa1
    fsd fa3, 16(a0)
    ecall
