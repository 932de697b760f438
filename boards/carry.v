// $alu of constant carry-in and inversion for ECP5, in place of the one of Yosys: for "techmap" of synth_ecp5's map_gates.
//
// The carry-in is set by the half of a CCU2C that would otherwise lie idle or give the lowest bit, and the last carry-out stays
// open. boards/synthesis.py then disconnects both ends of a chain, so that nextpnr adds no cells that feed it in and out: it
// would add two CCU2C to every chain. In each half, cout = LUT4 ? cin : LUT2, and LUT2 is the table's entries 0 to 3.
(* techmap_celltype = "$alu" *)
module _70_open_ended_alu (A, B, CI, BI, X, Y, CO);
  parameter A_SIGNED = 0;
  parameter B_SIGNED = 0;
  parameter A_WIDTH = 1;
  parameter B_WIDTH = 1;
  parameter Y_WIDTH = 1;
  parameter _TECHMAP_CONSTMSK_CI_ = 0;
  parameter _TECHMAP_CONSTVAL_CI_ = 0;
  parameter _TECHMAP_CONSTMSK_BI_ = 0;
  parameter _TECHMAP_CONSTVAL_BI_ = 0;
  (* force_downto *) input [A_WIDTH-1:0] A;
  (* force_downto *) input [B_WIDTH-1:0] B;
  (* force_downto *) output [Y_WIDTH-1:0] X, Y;
  input CI, BI;
  (* force_downto *) output [Y_WIDTH-1:0] CO;
  wire _TECHMAP_FAIL_ = Y_WIDTH <= 4 || !_TECHMAP_CONSTMSK_CI_ || !_TECHMAP_CONSTMSK_BI_;

  (* force_downto *) wire [Y_WIDTH-1:0] a, b;
  \$pos #(.A_SIGNED(A_SIGNED), .A_WIDTH(A_WIDTH), .Y_WIDTH(Y_WIDTH)) a_extended (.A(A), .Y(a));
  \$pos #(.A_SIGNED(B_SIGNED), .A_WIDTH(B_WIDTH), .Y_WIDTH(Y_WIDTH)) b_extended (.A(B), .Y(b));
  (* force_downto *) wire [Y_WIDTH-1:0] bb = _TECHMAP_CONSTVAL_BI_ ? ~b : b;
  assign X = a ^ bb;

  // Odd widths: one half sets the carry, then all bits. Even widths: the first half sets the carry out of bit 0, whose sum is a LUT.
  localparam MERGED = Y_WIDTH % 2 == 0;
  localparam SLICES = (Y_WIDTH + 1) / 2;
  localparam SET = !MERGED ? (_TECHMAP_CONSTVAL_CI_ ? 16'h000F : 16'h0000)
    : _TECHMAP_CONSTVAL_CI_ ? (_TECHMAP_CONSTVAL_BI_ ? 16'h000B : 16'h000E)     // a | bb
    : (_TECHMAP_CONSTVAL_BI_ ? 16'h0002 : 16'h0008);                            // a & bb
  localparam SUM = 16'h96AA;                                                    // a ^ b ^ inverted, carries a
  wire [SLICES-1:0] carry;                                                      // out of slice k
  genvar k, i;
  generate
    if (MERGED) begin
      assign Y[0] = X[0] ^ CI;
      assign CO[0] = (a[0] & bb[0]) | (CI & (a[0] | bb[0]));
      CCU2C #(.INIT0(SET), .INIT1(SUM), .INJECT1_0("NO"), .INJECT1_1("NO")) first (
        .A0(a[0]), .B0(b[0]), .C0(1'b1), .D0(1'b1), .A1(a[1]), .B1(b[1]), .C1(BI), .D1(1'b1), .S1(Y[1]), .COUT(carry[0]));
    end else begin
      assign CO[0] = carry[0];
      CCU2C #(.INIT0(SET), .INIT1(SUM), .INJECT1_0("NO"), .INJECT1_1("NO")) first (
        .A0(1'b1), .B0(1'b1), .C0(1'b1), .D0(1'b1), .A1(a[0]), .B1(b[0]), .C1(BI), .D1(1'b1), .S1(Y[0]), .COUT(carry[0]));
    end
    for (k = 1; k < SLICES; k = k + 1) begin:slice
      localparam LOW = 2 * k - !MERGED;
      if (k < SLICES - 1)
        CCU2C #(.INIT0(SUM), .INIT1(SUM), .INJECT1_0("NO"), .INJECT1_1("NO")) middle (.CIN(carry[k-1]),
          .A0(a[LOW]), .B0(b[LOW]), .C0(BI), .D0(1'b1), .A1(a[LOW+1]), .B1(b[LOW+1]), .C1(BI), .D1(1'b1),
          .S0(Y[LOW]), .S1(Y[LOW+1]), .COUT(carry[k]));
      else
        CCU2C #(.INIT0(SUM), .INIT1(SUM), .INJECT1_0("NO"), .INJECT1_1("NO")) last (.CIN(carry[k-1]),
          .A0(a[LOW]), .B0(b[LOW]), .C0(BI), .D0(1'b1), .A1(a[LOW+1]), .B1(b[LOW+1]), .C1(BI), .D1(1'b1),
          .S0(Y[LOW]), .S1(Y[LOW+1]));
    end
    for (i = 1; i < Y_WIDTH; i = i + 1) begin:out
      if (i % 2 == MERGED && i < Y_WIDTH - 1)
        assign CO[i] = carry[i / 2];
      else
        assign CO[i] = (a[i] & bb[i]) | (CO[i-1] & (a[i] | bb[i]));
    end
  endgenerate
endmodule
