"""The Amaranth generator: a network description in, an array of processing units that infers and learns out."""
