# A sum that a loop carries from round to round, tested behind the loop only.
beq a0, zero, .+20
fadd.d fa1, fa1, fa2
fmul.d fa2, fa2, fa3
addi a0, a0, -1
jal zero, .-16
addi a1, zero, 1
fmv.d.x fa1, zero
ecall
