"""What the engine compiles: the definition's loops once more, for integers of 32 or 64 bits and for reals alike.

``learn`` has the order of learning; what a layer does in a way of its own is in ``links`` (full, random and one-to-one),
``taps`` (windows of convolutions and of locally connected layers) and ``exchange`` (reciprocal links of recurrent layers).
Tables that a network does not need are None, and the loops that would read them are not compiled for it.
"""
