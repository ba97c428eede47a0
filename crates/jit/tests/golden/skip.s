# A branch around a few cheap instructions is a choice of values.
    bge a0, a1, done
    add a0, zero, a1
    addi a2, a2, 1
done:
    ecall
