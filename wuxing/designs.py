"""What the commands that make a core have in common: the network they are given, and its processing elements."""
from __future__ import annotations

from pathlib import Path

from golden_model import model_file, parameters
from golden_model.errors import InputError
from golden_model.network import Network
from golden_model.parameters import Parameters
from wuxing.evaluate import converted

DESCRIPTIONS = {".toml": Network.from_toml, ".json": Network.from_json}


def read(model: Path) -> tuple[Network, Parameters, str]:
    """Network, integer parameters, and what is to be said of them, from a model file or a description."""
    parse = DESCRIPTIONS.get(model.suffix.lower())
    if parse is None:
        loaded = model_file.load(model)
        note = "a float model: its parameters were rounded to the formats of its network" * (loaded.arithmetic == "float")
        return loaded.network, converted(loaded, "fixed"), note
    try:
        network = parse(model.read_text("utf-8"))
        return network, parameters.initial(network, "fixed"), ""
    except OSError as error:
        raise InputError(f"network description {model} must be a file that can be read, but: {error.strerror}; give the path "
                         f"of a TOML or JSON file, or of a model file") from None
    except UnicodeDecodeError:
        raise InputError(f"network description {model} must be text in UTF-8, but is not; give the path of a TOML or JSON "
                         f"file, or of a model file that ends in .npz") from None
    except InputError as error:
        raise InputError(f"network description {model}: {error}") from None


def check_learn(learn: int | None, learning: bool) -> None:
    """Refuse images to learn for a core that cannot."""
    if learn and not learning:
        raise InputError(f"--learn must be 0 with --no-learning, not {learn}; leave out one of them")


def counts(text: str | None, layers: int) -> tuple[int, ...]:
    """``"128,10"`` to numbers; one number for all layers; none: left to the design."""
    if text is None:
        return ()
    try:
        counts = tuple(int(count) for count in text.split(","))
    except ValueError:
        raise InputError(f"--elements must be whole numbers with commas between them, as 128,10, not {text[:80]!r}") from None
    return counts * layers if len(counts) == 1 else counts


def elements(network: Network, text: str | None, most: int | None, arrangement: str) -> tuple[int, ...]:
    """Processing elements of each layer, from ``--elements`` or ``--most-elements``."""
    from hdl.design import elements_within
    layers = len(network.layers) - 1
    if text is not None and most is not None:
        raise InputError("--elements and --most-elements must not both be given; choose one")
    if most is None:
        return counts(text, layers)
    return (most,) * layers if arrangement == "shared" else elements_within(network, most)
