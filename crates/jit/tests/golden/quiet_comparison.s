# A comparison between a read of the flags and a write of that: they are written only if it was of
# what is unordered.
    csrrs a2, fflags, zero
    flt.d a3, fa0, fa1
    csrrw zero, fflags, a2
    ecall
