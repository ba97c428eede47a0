# A quiet NaN is invalid for flt, not for feq; zeros differ for fmin.
    flt.d a0, fa0, fa1
    feq.d a1, fa0, fa1
    fmin.d fa2, fa0, fa1
    fsgnjx.d fa3, fa0, fa1
    ecall
