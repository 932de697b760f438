"""The theory of one neuron and of associative memory, in real numbers."""
