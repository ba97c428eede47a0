# What has never run is left to, through its slot.
#! cold rare
    beq a0, zero, rare
    addi a0, a0, 1
    ecall
rare:
    addi a0, a0, 2
    ecall
