"""What the engine compiles: the definition's loops once more, for integers of 32 or 64 bits and for reals alike.

``learn`` has the order of learning; what a layer does in a way of its own is in ``links`` (full, random and one-to-one),
``taps`` (windows of convolutions and of locally connected layers) and ``exchange`` (reciprocal links of recurrent layers).
They and ``circuit`` are compiled once for each type of words, and only if a network needs them: ``learn`` calls them by their
addresses (``calls``), which ``golden_model.addresses`` chooses. Kernels get all their room from the engine and allocate
nothing.
"""
