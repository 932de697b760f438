"""One array that does all layers in turn (arrangement ``time-shared``): its description, gateware, timing and cost."""
