"""cocotb testbenches: modules that run inside a simulator, and the plain tops that they drive."""
