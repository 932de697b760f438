"""The Amaranth generator: a network description in, an array of processing elements that infers and learns out."""
