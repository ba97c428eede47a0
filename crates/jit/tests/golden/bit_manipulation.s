# Zbb, Zbs and Zicond: one host instruction each where the host has one.
    clz a0, a0
    ctz a1, a1
    cpop a2, a2
    andn a3, a3, a4
    rol a4, a4, a5
    rori a5, a5, 7
    rev8 a6, a6
    max a7, a0, a1
    minu t0, a0, a1
    bext t1, t1, a0
    bseti t2, t2, 40
    orc.b t3, t3
    czero.eqz t4, a0, a1
    ecall
