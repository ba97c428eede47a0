//! The instruction table: the one source of truth for every instruction.
//!
//! A row of the first group reads: opcode, name (its mnemonic, with `_` for
//! `.`), the extensions any of which provides it, its kind, its operands in
//! assembly order, and its bit pattern in the manual's order (`.` is a bit that
//! an operand fills). A row of the second group is a compressed, hint or
//! reserved form: it has no kind of its own but names the opcode of the first
//! group that it stands for, into whose operands it decodes.
//!
//! `for_each_instruction!` hands all rows to a macro of the caller's, so that
//! an engine's table of handlers cannot miss one. The checks in
//! [`crate::check`] reject, at compile time, rows that overlap and patterns
//! whose free bits do not match their operands.

/// Calls the macro `$callback` with every row of the instruction table.
#[macro_export]
macro_rules! for_each_instruction {
    ($($callback:tt)+) => {
        $($callback)+! {
        base {
            // RV64I
            Lui lui I Alu [RD IMM_U] ".................... ..... 0110111";
            Auipc auipc I Alu [RD IMM_U] ".................... ..... 0010111";
            Jal jal I Jump [RD IMM_J] ".................... ..... 1101111";
            Jalr jalr I Jump [RD DISP_I BASE] "............ ..... 000 ..... 1100111";
            Beq beq I Branch [RS1 RS2 IMM_B] "....... ..... ..... 000 ..... 1100011";
            Bne bne I Branch [RS1 RS2 IMM_B] "....... ..... ..... 001 ..... 1100011";
            Blt blt I Branch [RS1 RS2 IMM_B] "....... ..... ..... 100 ..... 1100011";
            Bge bge I Branch [RS1 RS2 IMM_B] "....... ..... ..... 101 ..... 1100011";
            Bltu bltu I Branch [RS1 RS2 IMM_B] "....... ..... ..... 110 ..... 1100011";
            Bgeu bgeu I Branch [RS1 RS2 IMM_B] "....... ..... ..... 111 ..... 1100011";
            Lb lb I Load [RD DISP_I BASE] "............ ..... 000 ..... 0000011";
            Lh lh I Load [RD DISP_I BASE] "............ ..... 001 ..... 0000011";
            Lw lw I Load [RD DISP_I BASE] "............ ..... 010 ..... 0000011";
            Ld ld I Load [RD DISP_I BASE] "............ ..... 011 ..... 0000011";
            Lbu lbu I Load [RD DISP_I BASE] "............ ..... 100 ..... 0000011";
            Lhu lhu I Load [RD DISP_I BASE] "............ ..... 101 ..... 0000011";
            Lwu lwu I Load [RD DISP_I BASE] "............ ..... 110 ..... 0000011";
            Sb sb I Store [RS2 DISP_S BASE] "....... ..... ..... 000 ..... 0100011";
            Sh sh I Store [RS2 DISP_S BASE] "....... ..... ..... 001 ..... 0100011";
            Sw sw I Store [RS2 DISP_S BASE] "....... ..... ..... 010 ..... 0100011";
            Sd sd I Store [RS2 DISP_S BASE] "....... ..... ..... 011 ..... 0100011";
            Addi addi I Alu [RD RS1 IMM_I] "............ ..... 000 ..... 0010011";
            Slti slti I Alu [RD RS1 IMM_I] "............ ..... 010 ..... 0010011";
            Sltiu sltiu I Alu [RD RS1 IMM_I] "............ ..... 011 ..... 0010011";
            Xori xori I Alu [RD RS1 IMM_I] "............ ..... 100 ..... 0010011";
            Ori ori I Alu [RD RS1 IMM_I] "............ ..... 110 ..... 0010011";
            Andi andi I Alu [RD RS1 IMM_I] "............ ..... 111 ..... 0010011";
            Slli slli I Alu [RD RS1 SHAMT6] "000000 ...... ..... 001 ..... 0010011";
            Srli srli I Alu [RD RS1 SHAMT6] "000000 ...... ..... 101 ..... 0010011";
            Srai srai I Alu [RD RS1 SHAMT6] "010000 ...... ..... 101 ..... 0010011";
            Add add I Alu [RD RS1 RS2] "0000000 ..... ..... 000 ..... 0110011";
            Sub sub I Alu [RD RS1 RS2] "0100000 ..... ..... 000 ..... 0110011";
            Sll sll I Alu [RD RS1 RS2] "0000000 ..... ..... 001 ..... 0110011";
            Slt slt I Alu [RD RS1 RS2] "0000000 ..... ..... 010 ..... 0110011";
            Sltu sltu I Alu [RD RS1 RS2] "0000000 ..... ..... 011 ..... 0110011";
            Xor xor I Alu [RD RS1 RS2] "0000000 ..... ..... 100 ..... 0110011";
            Srl srl I Alu [RD RS1 RS2] "0000000 ..... ..... 101 ..... 0110011";
            Sra sra I Alu [RD RS1 RS2] "0100000 ..... ..... 101 ..... 0110011";
            Or or I Alu [RD RS1 RS2] "0000000 ..... ..... 110 ..... 0110011";
            And and I Alu [RD RS1 RS2] "0000000 ..... ..... 111 ..... 0110011";
            Addiw addiw I Alu [RD RS1 IMM_I] "............ ..... 000 ..... 0011011";
            Slliw slliw I Alu [RD RS1 SHAMT5] "0000000 ..... ..... 001 ..... 0011011";
            Srliw srliw I Alu [RD RS1 SHAMT5] "0000000 ..... ..... 101 ..... 0011011";
            Sraiw sraiw I Alu [RD RS1 SHAMT5] "0100000 ..... ..... 101 ..... 0011011";
            Addw addw I Alu [RD RS1 RS2] "0000000 ..... ..... 000 ..... 0111011";
            Subw subw I Alu [RD RS1 RS2] "0100000 ..... ..... 000 ..... 0111011";
            Sllw sllw I Alu [RD RS1 RS2] "0000000 ..... ..... 001 ..... 0111011";
            Srlw srlw I Alu [RD RS1 RS2] "0000000 ..... ..... 101 ..... 0111011";
            Sraw sraw I Alu [RD RS1 RS2] "0100000 ..... ..... 101 ..... 0111011";
            Fence fence I Fence [FENCE_SETS] "0000 ........ 00000 000 00000 0001111";
            FenceTso fence_tso I Fence [] "1000 00110011 00000 000 00000 0001111";
            Ecall ecall I System [] "000000000000 00000 000 00000 1110011";
            Ebreak ebreak I System [] "000000000001 00000 000 00000 1110011";
            // Zifencei
            FenceI fence_i ZIFENCEI Fence [] "000000000000 00000 001 00000 0001111";
            // Zicsr
            Csrrw csrrw ZICSR Csr [RD CSR RS1] "............ ..... 001 ..... 1110011";
            Csrrs csrrs ZICSR Csr [RD CSR RS1] "............ ..... 010 ..... 1110011";
            Csrrc csrrc ZICSR Csr [RD CSR RS1] "............ ..... 011 ..... 1110011";
            Csrrwi csrrwi ZICSR Csr [RD CSR ZIMM] "............ ..... 101 ..... 1110011";
            Csrrsi csrrsi ZICSR Csr [RD CSR ZIMM] "............ ..... 110 ..... 1110011";
            Csrrci csrrci ZICSR Csr [RD CSR ZIMM] "............ ..... 111 ..... 1110011";
            // M
            Mul mul M Alu [RD RS1 RS2] "0000001 ..... ..... 000 ..... 0110011";
            Mulh mulh M Alu [RD RS1 RS2] "0000001 ..... ..... 001 ..... 0110011";
            Mulhsu mulhsu M Alu [RD RS1 RS2] "0000001 ..... ..... 010 ..... 0110011";
            Mulhu mulhu M Alu [RD RS1 RS2] "0000001 ..... ..... 011 ..... 0110011";
            Div div M Alu [RD RS1 RS2] "0000001 ..... ..... 100 ..... 0110011";
            Divu divu M Alu [RD RS1 RS2] "0000001 ..... ..... 101 ..... 0110011";
            Rem rem M Alu [RD RS1 RS2] "0000001 ..... ..... 110 ..... 0110011";
            Remu remu M Alu [RD RS1 RS2] "0000001 ..... ..... 111 ..... 0110011";
            Mulw mulw M Alu [RD RS1 RS2] "0000001 ..... ..... 000 ..... 0111011";
            Divw divw M Alu [RD RS1 RS2] "0000001 ..... ..... 100 ..... 0111011";
            Divuw divuw M Alu [RD RS1 RS2] "0000001 ..... ..... 101 ..... 0111011";
            Remw remw M Alu [RD RS1 RS2] "0000001 ..... ..... 110 ..... 0111011";
            Remuw remuw M Alu [RD RS1 RS2] "0000001 ..... ..... 111 ..... 0111011";
            // A (Zalrsc, Zaamo)
            LrW lr_w A Atomic [AQRL RD BASE] "00010 .. 00000 ..... 010 ..... 0101111";
            ScW sc_w A Atomic [AQRL RD RS2 BASE] "00011 .. ..... ..... 010 ..... 0101111";
            LrD lr_d A Atomic [AQRL RD BASE] "00010 .. 00000 ..... 011 ..... 0101111";
            ScD sc_d A Atomic [AQRL RD RS2 BASE] "00011 .. ..... ..... 011 ..... 0101111";
            AmoswapW amoswap_w A Atomic [AQRL RD RS2 BASE] "00001 .. ..... ..... 010 ..... 0101111";
            AmoswapD amoswap_d A Atomic [AQRL RD RS2 BASE] "00001 .. ..... ..... 011 ..... 0101111";
            AmoaddW amoadd_w A Atomic [AQRL RD RS2 BASE] "00000 .. ..... ..... 010 ..... 0101111";
            AmoaddD amoadd_d A Atomic [AQRL RD RS2 BASE] "00000 .. ..... ..... 011 ..... 0101111";
            AmoxorW amoxor_w A Atomic [AQRL RD RS2 BASE] "00100 .. ..... ..... 010 ..... 0101111";
            AmoxorD amoxor_d A Atomic [AQRL RD RS2 BASE] "00100 .. ..... ..... 011 ..... 0101111";
            AmoandW amoand_w A Atomic [AQRL RD RS2 BASE] "01100 .. ..... ..... 010 ..... 0101111";
            AmoandD amoand_d A Atomic [AQRL RD RS2 BASE] "01100 .. ..... ..... 011 ..... 0101111";
            AmoorW amoor_w A Atomic [AQRL RD RS2 BASE] "01000 .. ..... ..... 010 ..... 0101111";
            AmoorD amoor_d A Atomic [AQRL RD RS2 BASE] "01000 .. ..... ..... 011 ..... 0101111";
            AmominW amomin_w A Atomic [AQRL RD RS2 BASE] "10000 .. ..... ..... 010 ..... 0101111";
            AmominD amomin_d A Atomic [AQRL RD RS2 BASE] "10000 .. ..... ..... 011 ..... 0101111";
            AmomaxW amomax_w A Atomic [AQRL RD RS2 BASE] "10100 .. ..... ..... 010 ..... 0101111";
            AmomaxD amomax_d A Atomic [AQRL RD RS2 BASE] "10100 .. ..... ..... 011 ..... 0101111";
            AmominuW amominu_w A Atomic [AQRL RD RS2 BASE] "11000 .. ..... ..... 010 ..... 0101111";
            AmominuD amominu_d A Atomic [AQRL RD RS2 BASE] "11000 .. ..... ..... 011 ..... 0101111";
            AmomaxuW amomaxu_w A Atomic [AQRL RD RS2 BASE] "11100 .. ..... ..... 010 ..... 0101111";
            AmomaxuD amomaxu_d A Atomic [AQRL RD RS2 BASE] "11100 .. ..... ..... 011 ..... 0101111";
            // Zabha
            AmoswapB amoswap_b ZABHA Atomic [AQRL RD RS2 BASE] "00001 .. ..... ..... 000 ..... 0101111";
            AmoswapH amoswap_h ZABHA Atomic [AQRL RD RS2 BASE] "00001 .. ..... ..... 001 ..... 0101111";
            AmoaddB amoadd_b ZABHA Atomic [AQRL RD RS2 BASE] "00000 .. ..... ..... 000 ..... 0101111";
            AmoaddH amoadd_h ZABHA Atomic [AQRL RD RS2 BASE] "00000 .. ..... ..... 001 ..... 0101111";
            AmoxorB amoxor_b ZABHA Atomic [AQRL RD RS2 BASE] "00100 .. ..... ..... 000 ..... 0101111";
            AmoxorH amoxor_h ZABHA Atomic [AQRL RD RS2 BASE] "00100 .. ..... ..... 001 ..... 0101111";
            AmoandB amoand_b ZABHA Atomic [AQRL RD RS2 BASE] "01100 .. ..... ..... 000 ..... 0101111";
            AmoandH amoand_h ZABHA Atomic [AQRL RD RS2 BASE] "01100 .. ..... ..... 001 ..... 0101111";
            AmoorB amoor_b ZABHA Atomic [AQRL RD RS2 BASE] "01000 .. ..... ..... 000 ..... 0101111";
            AmoorH amoor_h ZABHA Atomic [AQRL RD RS2 BASE] "01000 .. ..... ..... 001 ..... 0101111";
            AmominB amomin_b ZABHA Atomic [AQRL RD RS2 BASE] "10000 .. ..... ..... 000 ..... 0101111";
            AmominH amomin_h ZABHA Atomic [AQRL RD RS2 BASE] "10000 .. ..... ..... 001 ..... 0101111";
            AmomaxB amomax_b ZABHA Atomic [AQRL RD RS2 BASE] "10100 .. ..... ..... 000 ..... 0101111";
            AmomaxH amomax_h ZABHA Atomic [AQRL RD RS2 BASE] "10100 .. ..... ..... 001 ..... 0101111";
            AmominuB amominu_b ZABHA Atomic [AQRL RD RS2 BASE] "11000 .. ..... ..... 000 ..... 0101111";
            AmominuH amominu_h ZABHA Atomic [AQRL RD RS2 BASE] "11000 .. ..... ..... 001 ..... 0101111";
            AmomaxuB amomaxu_b ZABHA Atomic [AQRL RD RS2 BASE] "11100 .. ..... ..... 000 ..... 0101111";
            AmomaxuH amomaxu_h ZABHA Atomic [AQRL RD RS2 BASE] "11100 .. ..... ..... 001 ..... 0101111";
            // Zacas (with Zabha: bytes and halfwords)
            AmocasB amocas_b ZACAS Atomic [AQRL RD RS2 BASE] "00101 .. ..... ..... 000 ..... 0101111";
            AmocasH amocas_h ZACAS Atomic [AQRL RD RS2 BASE] "00101 .. ..... ..... 001 ..... 0101111";
            AmocasW amocas_w ZACAS Atomic [AQRL RD RS2 BASE] "00101 .. ..... ..... 010 ..... 0101111";
            AmocasD amocas_d ZACAS Atomic [AQRL RD RS2 BASE] "00101 .. ..... ..... 011 ..... 0101111";
            AmocasQ amocas_q ZACAS Atomic [AQRL RD_EVEN RS2_EVEN BASE] "00101 .. ..... ..... 100 ..... 0101111";
            // F
            Flw flw F Load [FRD DISP_I BASE] "............ ..... 010 ..... 0000111";
            Fsw fsw F Store [FRS2 DISP_S BASE] "....... ..... ..... 010 ..... 0100111";
            FmaddS fmadd_s F Float [FRD FRS1 FRS2 FRS3 RM] "..... 00 ..... ..... ... ..... 1000011";
            FmsubS fmsub_s F Float [FRD FRS1 FRS2 FRS3 RM] "..... 00 ..... ..... ... ..... 1000111";
            FnmsubS fnmsub_s F Float [FRD FRS1 FRS2 FRS3 RM] "..... 00 ..... ..... ... ..... 1001011";
            FnmaddS fnmadd_s F Float [FRD FRS1 FRS2 FRS3 RM] "..... 00 ..... ..... ... ..... 1001111";
            FaddS fadd_s F Float [FRD FRS1 FRS2 RM] "00000 00 ..... ..... ... ..... 1010011";
            FsubS fsub_s F Float [FRD FRS1 FRS2 RM] "00001 00 ..... ..... ... ..... 1010011";
            FmulS fmul_s F Float [FRD FRS1 FRS2 RM] "00010 00 ..... ..... ... ..... 1010011";
            FdivS fdiv_s F Float [FRD FRS1 FRS2 RM] "00011 00 ..... ..... ... ..... 1010011";
            FsqrtS fsqrt_s F Float [FRD FRS1 RM] "01011 00 00000 ..... ... ..... 1010011";
            FsgnjS fsgnj_s F Float [FRD FRS1 FRS2] "00100 00 ..... ..... 000 ..... 1010011";
            FsgnjnS fsgnjn_s F Float [FRD FRS1 FRS2] "00100 00 ..... ..... 001 ..... 1010011";
            FsgnjxS fsgnjx_s F Float [FRD FRS1 FRS2] "00100 00 ..... ..... 010 ..... 1010011";
            FminS fmin_s F Float [FRD FRS1 FRS2] "00101 00 ..... ..... 000 ..... 1010011";
            FmaxS fmax_s F Float [FRD FRS1 FRS2] "00101 00 ..... ..... 001 ..... 1010011";
            FeqS feq_s F Float [RD FRS1 FRS2] "10100 00 ..... ..... 010 ..... 1010011";
            FltS flt_s F Float [RD FRS1 FRS2] "10100 00 ..... ..... 001 ..... 1010011";
            FleS fle_s F Float [RD FRS1 FRS2] "10100 00 ..... ..... 000 ..... 1010011";
            FclassS fclass_s F Float [RD FRS1] "11100 00 00000 ..... 001 ..... 1010011";
            FcvtWS fcvt_w_s F Float [RD FRS1 RM] "11000 00 00000 ..... ... ..... 1010011";
            FcvtWuS fcvt_wu_s F Float [RD FRS1 RM] "11000 00 00001 ..... ... ..... 1010011";
            FcvtLS fcvt_l_s F Float [RD FRS1 RM] "11000 00 00010 ..... ... ..... 1010011";
            FcvtLuS fcvt_lu_s F Float [RD FRS1 RM] "11000 00 00011 ..... ... ..... 1010011";
            FcvtSW fcvt_s_w F Float [FRD RS1 RM] "11010 00 00000 ..... ... ..... 1010011";
            FcvtSWu fcvt_s_wu F Float [FRD RS1 RM] "11010 00 00001 ..... ... ..... 1010011";
            FcvtSL fcvt_s_l F Float [FRD RS1 RM] "11010 00 00010 ..... ... ..... 1010011";
            FcvtSLu fcvt_s_lu F Float [FRD RS1 RM] "11010 00 00011 ..... ... ..... 1010011";
            FmvXW fmv_x_w F Float [RD FRS1] "11100 00 00000 ..... 000 ..... 1010011";
            FmvWX fmv_w_x F Float [FRD RS1] "11110 00 00000 ..... 000 ..... 1010011";
            // D
            Fld fld D Load [FRD DISP_I BASE] "............ ..... 011 ..... 0000111";
            Fsd fsd D Store [FRS2 DISP_S BASE] "....... ..... ..... 011 ..... 0100111";
            FmaddD fmadd_d D Float [FRD FRS1 FRS2 FRS3 RM] "..... 01 ..... ..... ... ..... 1000011";
            FmsubD fmsub_d D Float [FRD FRS1 FRS2 FRS3 RM] "..... 01 ..... ..... ... ..... 1000111";
            FnmsubD fnmsub_d D Float [FRD FRS1 FRS2 FRS3 RM] "..... 01 ..... ..... ... ..... 1001011";
            FnmaddD fnmadd_d D Float [FRD FRS1 FRS2 FRS3 RM] "..... 01 ..... ..... ... ..... 1001111";
            FaddD fadd_d D Float [FRD FRS1 FRS2 RM] "00000 01 ..... ..... ... ..... 1010011";
            FsubD fsub_d D Float [FRD FRS1 FRS2 RM] "00001 01 ..... ..... ... ..... 1010011";
            FmulD fmul_d D Float [FRD FRS1 FRS2 RM] "00010 01 ..... ..... ... ..... 1010011";
            FdivD fdiv_d D Float [FRD FRS1 FRS2 RM] "00011 01 ..... ..... ... ..... 1010011";
            FsqrtD fsqrt_d D Float [FRD FRS1 RM] "01011 01 00000 ..... ... ..... 1010011";
            FsgnjD fsgnj_d D Float [FRD FRS1 FRS2] "00100 01 ..... ..... 000 ..... 1010011";
            FsgnjnD fsgnjn_d D Float [FRD FRS1 FRS2] "00100 01 ..... ..... 001 ..... 1010011";
            FsgnjxD fsgnjx_d D Float [FRD FRS1 FRS2] "00100 01 ..... ..... 010 ..... 1010011";
            FminD fmin_d D Float [FRD FRS1 FRS2] "00101 01 ..... ..... 000 ..... 1010011";
            FmaxD fmax_d D Float [FRD FRS1 FRS2] "00101 01 ..... ..... 001 ..... 1010011";
            FeqD feq_d D Float [RD FRS1 FRS2] "10100 01 ..... ..... 010 ..... 1010011";
            FltD flt_d D Float [RD FRS1 FRS2] "10100 01 ..... ..... 001 ..... 1010011";
            FleD fle_d D Float [RD FRS1 FRS2] "10100 01 ..... ..... 000 ..... 1010011";
            FclassD fclass_d D Float [RD FRS1] "11100 01 00000 ..... 001 ..... 1010011";
            FcvtWD fcvt_w_d D Float [RD FRS1 RM] "11000 01 00000 ..... ... ..... 1010011";
            FcvtWuD fcvt_wu_d D Float [RD FRS1 RM] "11000 01 00001 ..... ... ..... 1010011";
            FcvtLD fcvt_l_d D Float [RD FRS1 RM] "11000 01 00010 ..... ... ..... 1010011";
            FcvtLuD fcvt_lu_d D Float [RD FRS1 RM] "11000 01 00011 ..... ... ..... 1010011";
            FcvtDW fcvt_d_w D Float [FRD RS1 RM] "11010 01 00000 ..... ... ..... 1010011";
            FcvtDWu fcvt_d_wu D Float [FRD RS1 RM] "11010 01 00001 ..... ... ..... 1010011";
            FcvtDL fcvt_d_l D Float [FRD RS1 RM] "11010 01 00010 ..... ... ..... 1010011";
            FcvtDLu fcvt_d_lu D Float [FRD RS1 RM] "11010 01 00011 ..... ... ..... 1010011";
            FmvXD fmv_x_d D Float [RD FRS1] "11100 01 00000 ..... 000 ..... 1010011";
            FmvDX fmv_d_x D Float [FRD RS1] "11110 01 00000 ..... 000 ..... 1010011";
            FcvtSD fcvt_s_d D Float [FRD FRS1 RM] "01000 00 00001 ..... ... ..... 1010011";
            FcvtDS fcvt_d_s D Float [FRD FRS1 RM] "01000 01 00000 ..... ... ..... 1010011";
            // Zfh, Zfhmin
            Flh flh ZFH|ZFHMIN Load [FRD DISP_I BASE] "............ ..... 001 ..... 0000111";
            Fsh fsh ZFH|ZFHMIN Store [FRS2 DISP_S BASE] "....... ..... ..... 001 ..... 0100111";
            FmaddH fmadd_h ZFH Float [FRD FRS1 FRS2 FRS3 RM] "..... 10 ..... ..... ... ..... 1000011";
            FmsubH fmsub_h ZFH Float [FRD FRS1 FRS2 FRS3 RM] "..... 10 ..... ..... ... ..... 1000111";
            FnmsubH fnmsub_h ZFH Float [FRD FRS1 FRS2 FRS3 RM] "..... 10 ..... ..... ... ..... 1001011";
            FnmaddH fnmadd_h ZFH Float [FRD FRS1 FRS2 FRS3 RM] "..... 10 ..... ..... ... ..... 1001111";
            FaddH fadd_h ZFH Float [FRD FRS1 FRS2 RM] "00000 10 ..... ..... ... ..... 1010011";
            FsubH fsub_h ZFH Float [FRD FRS1 FRS2 RM] "00001 10 ..... ..... ... ..... 1010011";
            FmulH fmul_h ZFH Float [FRD FRS1 FRS2 RM] "00010 10 ..... ..... ... ..... 1010011";
            FdivH fdiv_h ZFH Float [FRD FRS1 FRS2 RM] "00011 10 ..... ..... ... ..... 1010011";
            FsqrtH fsqrt_h ZFH Float [FRD FRS1 RM] "01011 10 00000 ..... ... ..... 1010011";
            FsgnjH fsgnj_h ZFH Float [FRD FRS1 FRS2] "00100 10 ..... ..... 000 ..... 1010011";
            FsgnjnH fsgnjn_h ZFH Float [FRD FRS1 FRS2] "00100 10 ..... ..... 001 ..... 1010011";
            FsgnjxH fsgnjx_h ZFH Float [FRD FRS1 FRS2] "00100 10 ..... ..... 010 ..... 1010011";
            FminH fmin_h ZFH Float [FRD FRS1 FRS2] "00101 10 ..... ..... 000 ..... 1010011";
            FmaxH fmax_h ZFH Float [FRD FRS1 FRS2] "00101 10 ..... ..... 001 ..... 1010011";
            FeqH feq_h ZFH Float [RD FRS1 FRS2] "10100 10 ..... ..... 010 ..... 1010011";
            FltH flt_h ZFH Float [RD FRS1 FRS2] "10100 10 ..... ..... 001 ..... 1010011";
            FleH fle_h ZFH Float [RD FRS1 FRS2] "10100 10 ..... ..... 000 ..... 1010011";
            FclassH fclass_h ZFH Float [RD FRS1] "11100 10 00000 ..... 001 ..... 1010011";
            FcvtWH fcvt_w_h ZFH Float [RD FRS1 RM] "11000 10 00000 ..... ... ..... 1010011";
            FcvtWuH fcvt_wu_h ZFH Float [RD FRS1 RM] "11000 10 00001 ..... ... ..... 1010011";
            FcvtLH fcvt_l_h ZFH Float [RD FRS1 RM] "11000 10 00010 ..... ... ..... 1010011";
            FcvtLuH fcvt_lu_h ZFH Float [RD FRS1 RM] "11000 10 00011 ..... ... ..... 1010011";
            FcvtHW fcvt_h_w ZFH Float [FRD RS1 RM] "11010 10 00000 ..... ... ..... 1010011";
            FcvtHWu fcvt_h_wu ZFH Float [FRD RS1 RM] "11010 10 00001 ..... ... ..... 1010011";
            FcvtHL fcvt_h_l ZFH Float [FRD RS1 RM] "11010 10 00010 ..... ... ..... 1010011";
            FcvtHLu fcvt_h_lu ZFH Float [FRD RS1 RM] "11010 10 00011 ..... ... ..... 1010011";
            FmvXH fmv_x_h ZFH|ZFHMIN Float [RD FRS1] "11100 10 00000 ..... 000 ..... 1010011";
            FmvHX fmv_h_x ZFH|ZFHMIN Float [FRD RS1] "11110 10 00000 ..... 000 ..... 1010011";
            FcvtSH fcvt_s_h ZFH|ZFHMIN Float [FRD FRS1 RM] "01000 00 00010 ..... ... ..... 1010011";
            FcvtHS fcvt_h_s ZFH|ZFHMIN Float [FRD FRS1 RM] "01000 10 00000 ..... ... ..... 1010011";
            FcvtDH fcvt_d_h ZFH|ZFHMIN Float [FRD FRS1 RM] "01000 01 00010 ..... ... ..... 1010011";
            FcvtHD fcvt_h_d ZFH|ZFHMIN Float [FRD FRS1 RM] "01000 10 00001 ..... ... ..... 1010011";
            // Zfa
            FliS fli_s ZFA Float [FRD FLI] "11110 00 00001 ..... 000 ..... 1010011";
            FminmS fminm_s ZFA Float [FRD FRS1 FRS2] "00101 00 ..... ..... 010 ..... 1010011";
            FmaxmS fmaxm_s ZFA Float [FRD FRS1 FRS2] "00101 00 ..... ..... 011 ..... 1010011";
            FroundS fround_s ZFA Float [FRD FRS1 RM] "01000 00 00100 ..... ... ..... 1010011";
            FroundnxS froundnx_s ZFA Float [FRD FRS1 RM] "01000 00 00101 ..... ... ..... 1010011";
            FleqS fleq_s ZFA Float [RD FRS1 FRS2] "10100 00 ..... ..... 100 ..... 1010011";
            FltqS fltq_s ZFA Float [RD FRS1 FRS2] "10100 00 ..... ..... 101 ..... 1010011";
            FliD fli_d ZFA Float [FRD FLI] "11110 01 00001 ..... 000 ..... 1010011";
            FminmD fminm_d ZFA Float [FRD FRS1 FRS2] "00101 01 ..... ..... 010 ..... 1010011";
            FmaxmD fmaxm_d ZFA Float [FRD FRS1 FRS2] "00101 01 ..... ..... 011 ..... 1010011";
            FroundD fround_d ZFA Float [FRD FRS1 RM] "01000 01 00100 ..... ... ..... 1010011";
            FroundnxD froundnx_d ZFA Float [FRD FRS1 RM] "01000 01 00101 ..... ... ..... 1010011";
            FleqD fleq_d ZFA Float [RD FRS1 FRS2] "10100 01 ..... ..... 100 ..... 1010011";
            FltqD fltq_d ZFA Float [RD FRS1 FRS2] "10100 01 ..... ..... 101 ..... 1010011";
            FliH fli_h ZFA Float [FRD FLI] "11110 10 00001 ..... 000 ..... 1010011";
            FminmH fminm_h ZFA Float [FRD FRS1 FRS2] "00101 10 ..... ..... 010 ..... 1010011";
            FmaxmH fmaxm_h ZFA Float [FRD FRS1 FRS2] "00101 10 ..... ..... 011 ..... 1010011";
            FroundH fround_h ZFA Float [FRD FRS1 RM] "01000 10 00100 ..... ... ..... 1010011";
            FroundnxH froundnx_h ZFA Float [FRD FRS1 RM] "01000 10 00101 ..... ... ..... 1010011";
            FleqH fleq_h ZFA Float [RD FRS1 FRS2] "10100 10 ..... ..... 100 ..... 1010011";
            FltqH fltq_h ZFA Float [RD FRS1 FRS2] "10100 10 ..... ..... 101 ..... 1010011";
            FcvtmodWD fcvtmod_w_d ZFA Float [RD FRS1] "11000 01 01000 ..... 001 ..... 1010011";
            // Zba
            AddUw add_uw ZBA Alu [RD RS1 RS2] "0000100 ..... ..... 000 ..... 0111011";
            Sh1add sh1add ZBA Alu [RD RS1 RS2] "0010000 ..... ..... 010 ..... 0110011";
            Sh1addUw sh1add_uw ZBA Alu [RD RS1 RS2] "0010000 ..... ..... 010 ..... 0111011";
            Sh2add sh2add ZBA Alu [RD RS1 RS2] "0010000 ..... ..... 100 ..... 0110011";
            Sh2addUw sh2add_uw ZBA Alu [RD RS1 RS2] "0010000 ..... ..... 100 ..... 0111011";
            Sh3add sh3add ZBA Alu [RD RS1 RS2] "0010000 ..... ..... 110 ..... 0110011";
            Sh3addUw sh3add_uw ZBA Alu [RD RS1 RS2] "0010000 ..... ..... 110 ..... 0111011";
            SlliUw slli_uw ZBA Alu [RD RS1 SHAMT6] "000010 ...... ..... 001 ..... 0011011";
            // Zbb
            Andn andn ZBB|ZBKB Alu [RD RS1 RS2] "0100000 ..... ..... 111 ..... 0110011";
            Orn orn ZBB|ZBKB Alu [RD RS1 RS2] "0100000 ..... ..... 110 ..... 0110011";
            Xnor xnor ZBB|ZBKB Alu [RD RS1 RS2] "0100000 ..... ..... 100 ..... 0110011";
            Clz clz ZBB Alu [RD RS1] "0110000 00000 ..... 001 ..... 0010011";
            Clzw clzw ZBB Alu [RD RS1] "0110000 00000 ..... 001 ..... 0011011";
            Ctz ctz ZBB Alu [RD RS1] "0110000 00001 ..... 001 ..... 0010011";
            Ctzw ctzw ZBB Alu [RD RS1] "0110000 00001 ..... 001 ..... 0011011";
            Cpop cpop ZBB Alu [RD RS1] "0110000 00010 ..... 001 ..... 0010011";
            Cpopw cpopw ZBB Alu [RD RS1] "0110000 00010 ..... 001 ..... 0011011";
            Max max ZBB Alu [RD RS1 RS2] "0000101 ..... ..... 110 ..... 0110011";
            Maxu maxu ZBB Alu [RD RS1 RS2] "0000101 ..... ..... 111 ..... 0110011";
            Min min ZBB Alu [RD RS1 RS2] "0000101 ..... ..... 100 ..... 0110011";
            Minu minu ZBB Alu [RD RS1 RS2] "0000101 ..... ..... 101 ..... 0110011";
            SextB sext_b ZBB Alu [RD RS1] "0110000 00100 ..... 001 ..... 0010011";
            SextH sext_h ZBB Alu [RD RS1] "0110000 00101 ..... 001 ..... 0010011";
            Rol rol ZBB|ZBKB Alu [RD RS1 RS2] "0110000 ..... ..... 001 ..... 0110011";
            Rolw rolw ZBB|ZBKB Alu [RD RS1 RS2] "0110000 ..... ..... 001 ..... 0111011";
            Ror ror ZBB|ZBKB Alu [RD RS1 RS2] "0110000 ..... ..... 101 ..... 0110011";
            Rorw rorw ZBB|ZBKB Alu [RD RS1 RS2] "0110000 ..... ..... 101 ..... 0111011";
            Rori rori ZBB|ZBKB Alu [RD RS1 SHAMT6] "011000 ...... ..... 101 ..... 0010011";
            Roriw roriw ZBB|ZBKB Alu [RD RS1 SHAMT5] "0110000 ..... ..... 101 ..... 0011011";
            OrcB orc_b ZBB Alu [RD RS1] "001010000111 ..... 101 ..... 0010011";
            Rev8 rev8 ZBB|ZBKB Alu [RD RS1] "011010111000 ..... 101 ..... 0010011";
            // Zbs
            Bclr bclr ZBS Alu [RD RS1 RS2] "0100100 ..... ..... 001 ..... 0110011";
            Bclri bclri ZBS Alu [RD RS1 SHAMT6] "010010 ...... ..... 001 ..... 0010011";
            Bext bext ZBS Alu [RD RS1 RS2] "0100100 ..... ..... 101 ..... 0110011";
            Bexti bexti ZBS Alu [RD RS1 SHAMT6] "010010 ...... ..... 101 ..... 0010011";
            Binv binv ZBS Alu [RD RS1 RS2] "0110100 ..... ..... 001 ..... 0110011";
            Binvi binvi ZBS Alu [RD RS1 SHAMT6] "011010 ...... ..... 001 ..... 0010011";
            Bset bset ZBS Alu [RD RS1 RS2] "0010100 ..... ..... 001 ..... 0110011";
            Bseti bseti ZBS Alu [RD RS1 SHAMT6] "001010 ...... ..... 001 ..... 0010011";
            // Zbc
            Clmul clmul ZBC Alu [RD RS1 RS2] "0000101 ..... ..... 001 ..... 0110011";
            Clmulr clmulr ZBC Alu [RD RS1 RS2] "0000101 ..... ..... 010 ..... 0110011";
            Clmulh clmulh ZBC Alu [RD RS1 RS2] "0000101 ..... ..... 011 ..... 0110011";
            // Zbkb
            Pack pack ZBKB Alu [RD RS1 RS2] "0000100 ..... ..... 100 ..... 0110011";
            Packh packh ZBKB Alu [RD RS1 RS2] "0000100 ..... ..... 111 ..... 0110011";
            Packw packw ZBB|ZBKB Alu [RD RS1 RS2] "0000100 ..... ..... 100 ..... 0111011";
            Brev8 brev8 ZBKB Alu [RD RS1] "011010000111 ..... 101 ..... 0010011";
            // Zicond
            CzeroEqz czero_eqz ZICOND Alu [RD RS1 RS2] "0000111 ..... ..... 101 ..... 0110011";
            CzeroNez czero_nez ZICOND Alu [RD RS1 RS2] "0000111 ..... ..... 111 ..... 0110011";
            // Zimop
            MopR mop_r ZIMOP Alu [MOP_R RD RS1] "1.00..0111.. ..... 100 ..... 1110011";
            MopRr mop_rr ZIMOP Alu [MOP_RR RD RS1 RS2] "1.00..1 ..... ..... 100 ..... 1110011";
            // Zawrs
            WrsNto wrs_nto ZAWRS System [] "000000001101 00000 000 00000 1110011";
            WrsSto wrs_sto ZAWRS System [] "000000011101 00000 000 00000 1110011";
            // Zicbom, Zicboz
            CboInval cbo_inval ZICBOM Store [BASE] "000000000000 ..... 010 00000 0001111";
            CboClean cbo_clean ZICBOM Store [BASE] "000000000001 ..... 010 00000 0001111";
            CboFlush cbo_flush ZICBOM Store [BASE] "000000000010 ..... 010 00000 0001111";
            CboZero cbo_zero ZICBOZ Store [BASE] "000000000100 ..... 010 00000 0001111";
        }
        alias {
            // Reserved forms that the manual wants executed as the plain one (section "Memory Ordering Instructions").
            FenceReserved fence_reserved I [RD RS1 IMM_I] "............ ..... 000 ..... 0001111" => Fence;
            FenceIReserved fence_i_reserved ZIFENCEI [RD RS1 IMM_I] "............ ..... 001 ..... 0001111" => FenceI;
            // Zihintpause, Zihintntl, Zicbop
            Pause pause ZIHINTPAUSE [IMM_PAUSE] "0000 00010000 00000 000 00000 0001111" => Fence;
            NtlP1 ntl_p1 ZIHINTNTL [RS2_IS_2] "0000000 00010 00000 000 00000 0110011" => Add;
            NtlPall ntl_pall ZIHINTNTL [RS2_IS_3] "0000000 00011 00000 000 00000 0110011" => Add;
            NtlS1 ntl_s1 ZIHINTNTL [RS2_IS_4] "0000000 00100 00000 000 00000 0110011" => Add;
            NtlAll ntl_all ZIHINTNTL [RS2_IS_5] "0000000 00101 00000 000 00000 0110011" => Add;
            PrefetchI prefetch_i ZICBOP [DISP_PREFETCH BASE] "....... 00000 ..... 110 00000 0010011" => Ori;
            PrefetchR prefetch_r ZICBOP [DISP_PREFETCH BASE] "....... 00001 ..... 110 00000 0010011" => Ori;
            PrefetchW prefetch_w ZICBOP [DISP_PREFETCH BASE] "....... 00011 ..... 110 00000 0010011" => Ori;
            // Zbb
            ZextH zext_h ZBB [RD RS1] "0000100 00000 ..... 100 ..... 0111011" => Packw;
            // C, quadrant 0
            CAddi4spn c_addi4spn C [C_RD_LO RS1_IS_SP C_IMM_ADDI4SPN] "000 ........ ... 00" => Addi;
            CFld c_fld C [C_FRD_LO C_DISP_D C_BASE] "001 ... ... .. ... 00" => Fld;
            CLw c_lw C [C_RD_LO C_DISP_W C_BASE] "010 ... ... .. ... 00" => Lw;
            CLd c_ld C [C_RD_LO C_DISP_D C_BASE] "011 ... ... .. ... 00" => Ld;
            CFsd c_fsd C [C_FRS2_LO C_DISP_D C_BASE] "101 ... ... .. ... 00" => Fsd;
            CSw c_sw C [C_RS2_LO C_DISP_W C_BASE] "110 ... ... .. ... 00" => Sw;
            CSd c_sd C [C_RS2_LO C_DISP_D C_BASE] "111 ... ... .. ... 00" => Sd;
            // C, quadrant 1
            CNop c_nop C [] "000 0 00000 00000 01" => Addi;
            CAddi c_addi C [C_RD_RS1 C_IMM] "000 . ..... ..... 01" => Addi;
            CAddiw c_addiw C [C_RD_RS1_NONZERO C_IMM] "001 . ..... ..... 01" => Addiw;
            CLi c_li C [C_RD RS1_IS_ZERO C_IMM] "010 . ..... ..... 01" => Addi;
            CAddi16sp c_addi16sp C [RD_RS1_IS_SP C_IMM_ADDI16SP] "011 . 00010 ..... 01" => Addi;
            CLui c_lui C [C_RD C_IMM_LUI] "011 . ..... ..... 01" => Lui;
            CSrli c_srli C [C_RD_RS1_LO C_SHAMT] "100 . 00 ... ..... 01" => Srli;
            CSrai c_srai C [C_RD_RS1_LO C_SHAMT] "100 . 01 ... ..... 01" => Srai;
            CAndi c_andi C [C_RD_RS1_LO C_IMM] "100 . 10 ... ..... 01" => Andi;
            CSub c_sub C [C_RD_RS1_LO C_RS2_LO] "100 0 11 ... 00 ... 01" => Sub;
            CXor c_xor C [C_RD_RS1_LO C_RS2_LO] "100 0 11 ... 01 ... 01" => Xor;
            COr c_or C [C_RD_RS1_LO C_RS2_LO] "100 0 11 ... 10 ... 01" => Or;
            CAnd c_and C [C_RD_RS1_LO C_RS2_LO] "100 0 11 ... 11 ... 01" => And;
            CSubw c_subw C [C_RD_RS1_LO C_RS2_LO] "100 1 11 ... 00 ... 01" => Subw;
            CAddw c_addw C [C_RD_RS1_LO C_RS2_LO] "100 1 11 ... 01 ... 01" => Addw;
            CJ c_j C [RD_IS_ZERO C_IMM_J] "101 ........... 01" => Jal;
            CBeqz c_beqz C [C_RS1_LO RS2_IS_ZERO C_IMM_B] "110 ... ... ..... 01" => Beq;
            CBnez c_bnez C [C_RS1_LO RS2_IS_ZERO C_IMM_B] "111 ... ... ..... 01" => Bne;
            // C, quadrant 2
            CSlli c_slli C [C_RD_RS1 C_SHAMT] "000 . ..... ..... 10" => Slli;
            CFldsp c_fldsp C [C_FRD C_DISP_DSP SP_BASE] "001 . ..... ..... 10" => Fld;
            CLwsp c_lwsp C [C_RD_NONZERO C_DISP_WSP SP_BASE] "010 . ..... ..... 10" => Lw;
            CLdsp c_ldsp C [C_RD_NONZERO C_DISP_DSP SP_BASE] "011 . ..... ..... 10" => Ld;
            CJr c_jr C [RD_IS_ZERO C_RS1_NONZERO] "100 0 ..... 00000 10" => Jalr;
            CMv c_mv C [C_RD RS1_IS_ZERO C_RS2_NONZERO] "100 0 ..... ..... 10" => Add;
            CEbreak c_ebreak C [] "100 1 00000 00000 10" => Ebreak;
            CJalr c_jalr C [RD_IS_RA C_RS1_NONZERO] "100 1 ..... 00000 10" => Jalr;
            CAdd c_add C [C_RD_RS1 C_RS2_NONZERO] "100 1 ..... ..... 10" => Add;
            CFsdsp c_fsdsp C [C_FRS2 C_DISP_SDSP SP_BASE] "101 ...... ..... 10" => Fsd;
            CSwsp c_swsp C [C_RS2 C_DISP_SWSP SP_BASE] "110 ...... ..... 10" => Sw;
            CSdsp c_sdsp C [C_RS2 C_DISP_SDSP SP_BASE] "111 ...... ..... 10" => Sd;
            // Zcb
            CLbu c_lbu ZCB [C_RD_LO C_DISP_B C_BASE] "100000 ... .. ... 00" => Lbu;
            CLhu c_lhu ZCB [C_RD_LO C_DISP_H C_BASE] "100001 ... 0. ... 00" => Lhu;
            CLh c_lh ZCB [C_RD_LO C_DISP_H C_BASE] "100001 ... 1. ... 00" => Lh;
            CSb c_sb ZCB [C_RS2_LO C_DISP_B C_BASE] "100010 ... .. ... 00" => Sb;
            CSh c_sh ZCB [C_RS2_LO C_DISP_H C_BASE] "100011 ... 0. ... 00" => Sh;
            CZextB c_zext_b ZCB [C_RD_RS1_LO IMM_IS_255] "100 1 11 ... 11 000 01" => Andi;
            CSextB c_sext_b ZCB [C_RD_RS1_LO] "100 1 11 ... 11 001 01" => SextB;
            CZextH c_zext_h ZCB [C_RD_RS1_LO RS2_IS_ZERO] "100 1 11 ... 11 010 01" => Packw;
            CSextH c_sext_h ZCB [C_RD_RS1_LO] "100 1 11 ... 11 011 01" => SextH;
            CZextW c_zext_w ZCB [C_RD_RS1_LO RS2_IS_ZERO] "100 1 11 ... 11 100 01" => AddUw;
            CNot c_not ZCB [C_RD_RS1_LO IMM_IS_MINUS_1] "100 1 11 ... 11 101 01" => Xori;
            CMul c_mul ZCB [C_RD_RS1_LO C_RS2_LO] "100 1 11 ... 10 ... 01" => Mul;
            // Zcmop
            CMop c_mop ZCMOP [C_MOP] "011 0 0...1 00000 01" => Addi;
            // Zihintntl, compressed
            CNtlP1 c_ntl_p1 ZIHINTNTL [RS2_IS_2] "100 1 00000 00010 10" => Add;
            CNtlPall c_ntl_pall ZIHINTNTL [RS2_IS_3] "100 1 00000 00011 10" => Add;
            CNtlS1 c_ntl_s1 ZIHINTNTL [RS2_IS_4] "100 1 00000 00100 10" => Add;
            CNtlAll c_ntl_all ZIHINTNTL [RS2_IS_5] "100 1 00000 00101 10" => Add;
        }
        }
    };
}
