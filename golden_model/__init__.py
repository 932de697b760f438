"""The golden model: what a Wuxing network is, in float and in the exact integers of the hardware. Start at ``model``."""
