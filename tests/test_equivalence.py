"""The proof that two texts are one circuit holds for other names and orders, and for nothing that differs."""
import pytest

from equivalence import changed, unproven

OLD = """module inner(clk, a, q);
  input clk; input [3:0] a; output reg [3:0] q;
  initial q = 0;
  wire [3:0] _1_ = a + 4'd1;
  always @(posedge clk) q <= _1_;
endmodule
module top(clk, a, b, q);
  input clk; input [3:0] a; input b; output [3:0] q;
  wire [3:0] held;
  reg late;
  initial late = 0;
  always @(posedge clk) late <= b;
  inner within (.clk(clk), .a(a), .q(held));
  assign q = late ? held : 4'd0;
endmodule
"""
RENAMED = OLD.replace("_1_", "_7_").replace("a + 4'd1", "4'd1 + a").replace("late ? held : 4'd0", "held & {4{late}}")


def test_other_names_and_another_order_are_the_same_circuit(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert changed(OLD, RENAMED) == ["inner", "top"]
    assert unproven(OLD, RENAMED) == {"inner": 0, "top": 0}
    assert unproven(OLD, OLD) == {}


@pytest.mark.parametrize(("right", "wrong"), [
    ("a + 4'd1", "a + 4'd2"), ("late ? held", "b ? held"), ("initial late = 0", "initial late = 1")])
def test_a_planted_difference_is_not_proven(tmp_path, monkeypatch, right, wrong):
    monkeypatch.chdir(tmp_path)
    assert OLD.count(right) == 1
    assert any(unproven(OLD, OLD.replace(right, wrong)).values())


def test_a_module_that_is_gone_is_sought_in_the_whole():
    assert changed(OLD, OLD.replace("inner", "core")) == ["core"]
