"""Loading a bitstream: the first program that is there does it, and what it says of a failure is passed on."""
import re
import sys

import pytest

from boards import platforms, programming
from golden_model.errors import ToolError


def test_the_first_program_that_is_there_loads_the_bitstream(tmp_path, monkeypatch):
    platform, bitstream = platforms.by_name("icebreaker"), tmp_path / "wuxing.bin"
    monkeypatch.setenv("PATH", str(tmp_path))
    text = (f"openFPGALoader or iceprog must be on PATH to load {bitstream} onto the iCEBreaker, but is not; install "
            f"openFPGALoader, on Debian with `apt-get install openfpgaloader`")
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        programming.program(platform, bitstream)
    for name in ("iceprog", "openFPGALoader"):
        program = tmp_path / name
        program.write_text(f"#!{sys.executable}\nimport sys\n"
                           f"open({str(tmp_path / 'called')!r}, 'w').write(' '.join(sys.argv[1:]))\n", "utf-8")
        program.chmod(0o755)
        assert programming.program(platform, bitstream) == name
        arguments = {"iceprog": f"{bitstream}", "openFPGALoader": f"--board ice40_generic {bitstream}"}
        assert (tmp_path / "called").read_text("utf-8") == arguments[name]


def test_a_program_that_cannot_load_is_quoted(tmp_path, monkeypatch):
    program = tmp_path / "openFPGALoader"
    program.write_text(f"#!{sys.executable}\nimport sys\nsys.exit('unable to open ftdi device')\n")
    program.chmod(0o755)
    monkeypatch.setenv("PATH", str(tmp_path))
    text = ("openFPGALoader must load x.bit onto the ULX3S 12F, but it ended with 1: unable to open ftdi device; is the board "
            "plugged in, and may you use it?")
    with pytest.raises(ToolError, match=f"^{re.escape(text)}$"):
        programming.program(platforms.by_name("ulx3s-12f"), tmp_path.__class__("x.bit"))
