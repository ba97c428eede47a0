# A far jump whose target the auipc before it says.
    auipc t1, 0x10
    jalr zero, 64(t1)
