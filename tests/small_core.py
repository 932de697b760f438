"""The small core of tests/frame_core.v as a board's core: it speaks the frames, but what it computes is simple."""
from pathlib import Path

from golden_model.network import Network
from hdl import frames

TEXT = Path(__file__).with_name("frame_core.v").read_text("utf-8")


def small_core(network: Network) -> str:
    """Its Verilog for a network of one layer, under the name that the system expects."""
    macros = {"INPUTS": network.layers[0], "OUTPUTS": network.layers[-1],
              "DIGEST": f"64'h{frames.digest_word(network.digest):x}"}
    return ("".join(f"`define {name} {value}\n" for name, value in macros.items())
            + TEXT.replace("module frame_core", "module wuxing_core"))
