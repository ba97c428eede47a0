# With two targets: comparisons.
#! jumps one two
    jalr zero, 0(a5)
one:
    addi a0, a0, 1
    ecall
two:
    addi a0, a0, 2
    ecall
