# By zero, and of the least number by -1, RISC-V has results where the host traps.
    div a0, a1, a2
    remu a3, a1, a2
    divw a4, a1, a2
    mulhu a5, a1, a2
    mulhsu a6, a1, a2
    ecall
