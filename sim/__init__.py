"""Running the emitted Verilog against the golden model."""
