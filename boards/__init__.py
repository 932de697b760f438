"""FPGA boards: what they are, what fits them, bitstreams for them, and the link to a host."""
