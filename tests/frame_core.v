// A core for the tests of sim: it speaks the frames of docs/registers.md, but what it computes is simple. One layer; an
// output is the link sum plus the bias, 32 bits; the class is the first greatest; learning adds one to the bias of the
// label if the class was wrong. The argument of RESET plants a fault: 1 hangs, 2 calls $finish, 3 changes replies that wait.
`ifndef INPUTS
`define INPUTS 6
`endif
`ifndef OUTPUTS
`define OUTPUTS 3
`endif
`ifndef EXTRA
`define EXTRA 0
`endif
`ifndef DIGEST
`define DIGEST 64'h0
`endif

module frame_core (
  input clk, input rst,
  input [31:0] s_axis_tdata, input s_axis_tvalid, output s_axis_tready, input s_axis_tlast,
  output [31:0] m_axis_tdata, output m_axis_tvalid, input m_axis_tready, output m_axis_tlast
);
  localparam COUNT = `INPUTS + 1 + `EXTRA;            // parameters of a neuron
  localparam WORDS = (`INPUTS + 3) / 4;
  localparam RECEIVE = 0, DECODE = 1, EXECUTE = 2, REPLY = 3;

  reg signed [31:0] parameters [0:`OUTPUTS * COUNT - 1];
  reg [31:0] frame [0:511];
  reg [31:0] reply [0:511];
  reg [9:0] received, length, sent;
  reg [1:0] state;
  reg [7:0] status, last_error;
  reg [31:0] inferred, learnt, changed, refused, cycles;
  reg [15:0] rates;
  reg [9:0] step;
  reg [15:0] winner;
  reg fickle;
  wire done;

  wire [7:0] opcode = frame[0][7:0], layer = frame[0][15:8];
  wire [15:0] argument = frame[0][31:16], index = frame[1][15:0], neuron = frame[1][31:16];
  wire is_image = opcode == 4 || opcode == 5;
  wire [9:0] wanted = opcode == 2 ? 2 + (argument > 255 ? 0 : argument) : opcode == 3 || opcode == 6 ? 2
                      : is_image ? 1 + WORDS : 1;

  wire signed [31:0] sum;
  output_unit unit (.clk(clk), .start(state == DECODE), .run(state == EXECUTE && is_image), .sum(sum), .done(done),
                    .parameter_at(parameters[unit.at]), .value(frame[1 + unit.input_index / 4] >> 8 * (unit.input_index % 4)));

  reg signed [31:0] best;
  integer k;
  initial begin
    for (k = 0; k < `OUTPUTS * COUNT; k = k + 1) parameters[k] = 0;
`ifdef HEX
    $readmemh("start.hex", parameters);
`endif
    state = RECEIVE; received = 0; sent = 0; cycles = 0; inferred = 0; learnt = 0; changed = 0; refused = 0; rates = 0;
    last_error = 0; length = 0; fickle = 0;
  end

  assign s_axis_tready = state == RECEIVE;
  assign m_axis_tvalid = state == REPLY;
  assign m_axis_tdata = reply[sent] ^ (fickle ? cycles : 0);
  assign m_axis_tlast = sent + 1 == length;

  always @(posedge clk) begin
    cycles <= cycles + 1;
    case (state)
      RECEIVE: if (s_axis_tvalid) begin
        if (received < 511) begin frame[received] <= s_axis_tdata; received <= received + 1; end
        if (s_axis_tlast) state <= DECODE;
      end
      DECODE: begin
        status = 0;
        if (opcode == 0 || opcode > 7) status = 1;
        else if (opcode == 5 && received == 1) status = 6;
        else if (received < wanted) status = 2;
        else if (received > wanted) status = 3;
        else if ((opcode == 2 || opcode == 3) && (layer != 0 || neuron >= `OUTPUTS || argument == 0 || argument > 255
                                                  || index + argument > COUNT)) status = 4;
        else if (opcode == 5 && argument >= `OUTPUTS) status = 5;
        else if (opcode == 6 && ((frame[1][7:0] > 15 && frame[1][7:0] != 255) || frame[1][15:8] > 15)) status = 7;
        step <= 0;
        best <= 32'h80000000;
        winner <= 0;
        sent <= 0;
        length <= 1;
        reply[0] <= {16'd0, status, opcode | 8'h80};
        state <= status == 0 ? EXECUTE : REPLY;
        if (status != 0) begin refused <= refused + 1; last_error <= status; end
        if (opcode == 7 && argument == 1) state <= DECODE;
        if (opcode == 7 && argument == 2) $finish;
        if (opcode == 7 && argument == 3) fickle <= 1;
      end
      EXECUTE: case (opcode)
        1: begin
          reply[1] <= 32'h31585557; reply[2] <= `DIGEST; reply[3] <= `DIGEST >> 32; reply[4] <= inferred; reply[5] <= learnt;
          reply[6] <= changed; reply[7] <= refused; reply[8] <= cycles; reply[9] <= rates; reply[10] <= last_error;
          reply[11] <= {8'd1, 22'd0, `EXTRA == 15, 1'b1}; reply[12] <= 32'h0f000f00;
          length <= 13;
          state <= REPLY;
        end
        2, 3: begin
          step <= step + 1;
          if (opcode == 2) parameters[neuron * COUNT + index + step] <= frame[2 + step];
          else reply[1 + step] <= parameters[neuron * COUNT + index + step];
          if (step + 1 == argument) begin
            reply[0][31:16] <= argument;
            if (opcode == 3) length <= 1 + argument;
            state <= REPLY;
          end
        end
        4, 5: if (done) begin
          if (layer[0]) begin reply[1 + step] <= sum; length <= 2 + step; end
          if (sum > best) begin best <= sum; winner <= step; end
          step <= step + 1;
          if (step + 1 == `OUTPUTS) begin
            reply[0][31:16] <= sum > best ? step : winner;
            if (opcode == 4) inferred <= inferred + 1;
            else begin
              learnt <= learnt + 1;
              if ((sum > best ? step : winner) != argument) begin
                changed <= changed + 1;
                parameters[argument * COUNT + `INPUTS] <= parameters[argument * COUNT + `INPUTS] + 1;
              end
            end
            state <= REPLY;
          end
        end
        6: begin rates <= frame[1]; state <= REPLY; end
        default: begin
          inferred <= 0; learnt <= 0; changed <= 0; refused <= 0; cycles <= 0; rates <= 0; last_error <= 0;
          state <= REPLY;
        end
      endcase
      REPLY: if (m_axis_tready) begin
        sent <= sent + 1;
        if (m_axis_tlast) begin state <= RECEIVE; received <= 0; end
      end
    endcase
    if (rst) begin
      state <= RECEIVE; received <= 0; sent <= 0; cycles <= 0; inferred <= 0; learnt <= 0; changed <= 0; refused <= 0;
      rates <= 0; last_error <= 0; fickle <= 0;
    end
  end
endmodule

// One product a clock: done in the clock after the last product of a neuron, with its sum.
module output_unit (
  input clk, input start, input run, input signed [31:0] parameter_at, input [7:0] value, output signed [31:0] sum,
  output done
);
  localparam COUNT = `INPUTS + 1 + `EXTRA;
  reg signed [31:0] total;
  reg [15:0] input_index, base;
  wire signed [12:0] narrow = sum[12:0];
  wire [99:0] wide = {sum, base, input_index, sum, 4'd9};
  wire [15:0] at = base + input_index;
  assign sum = total + parameter_at;
  assign done = run && input_index == `INPUTS;
  always @(posedge clk) begin
    if (start) begin total <= 0; input_index <= 0; base <= 0; end
    else if (done) begin total <= 0; input_index <= 0; base <= base + COUNT; end
    else if (run) begin total <= total + parameter_at * $signed({1'b0, value}); input_index <= input_index + 1; end
  end
endmodule
