# Singles are held as such, and boxed where memory gets the register.
    flw fa0, 0(a0)
    fmadd.s fa1, fa0, fa0, fa0
    fsqrt.s fa2, fa1
    fcvt.d.s fa3, fa2
    fcvt.w.s a1, fa2, rtz
    ecall
