"""Text files that people write: UTF-8 with and without a byte order mark, and a sentence for anything else."""
import re

import pytest

from golden_model.errors import InputError
from golden_model.network import Network
from wuxing import designs, grid, options
from wuxing.experiments import description

NETWORK = Network(layers=(6, 4, 3), seed=7)
GRID = 'dataset = "digits"\nhold_out = 9\n[grid]\n"learning.batch" = [1, 2]\n'
EXPERIMENT = (description.FOLDER / "neuron.toml").read_text("utf-8")
READERS = {                               # a text, its reader, what the file is called, and the remedy
    "config.toml": (NETWORK.to_toml(), options.read_description, "configuration file", "give the path of a TOML file"),
    "network.toml": (NETWORK.to_toml(), designs.read, "network description",
                     "give the path of a TOML or JSON file, or of a model file that ends in .npz"),
    "network.json": (NETWORK.to_json(), designs.read, "network description",
                     "give the path of a TOML or JSON file, or of a model file that ends in .npz"),
    "grid.toml": (GRID, grid.read, "grid", "give the path of a TOML file"),
    "experiment.toml": (EXPERIMENT, lambda path: description.load(str(path)), "experiment", "give the path of a TOML file"),
}


@pytest.mark.parametrize("name", READERS)
def test_a_byte_order_mark_changes_nothing(tmp_path, name):
    text, read, *_ = READERS[name]
    plain, marked = tmp_path / "plain" / name, tmp_path / "marked" / name
    for path, encoding in ((plain, "utf-8"), (marked, "utf-8-sig")):
        path.parent.mkdir()
        path.write_text(text, encoding)
    assert marked.read_bytes().startswith(b"\xef\xbb\xbf")
    assert repr(read(marked)) == repr(read(plain))


@pytest.mark.parametrize("name", READERS)
def test_other_encodings(tmp_path, name):
    text, read, what, remedy = READERS[name]
    path = tmp_path / name
    for encoding, sentence in (("utf-16", f"{what} {path} must be text in UTF-8, not UTF-16; save it as UTF-8"),
                               ("latin-1", f"{what} {path} must be text in UTF-8, but is not; {remedy}")):
        path.write_text("# \u00e9\n" + text, encoding)
        with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
            read(path)


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"experiment.toml"}))     # whose names are looked up first
def test_what_cannot_be_read(tmp_path, name):
    _, read, what, remedy = READERS[name]
    sentence = f"{what} {tmp_path / name} must be a file that can be read, but: No such file or directory; {remedy}"
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read(tmp_path / name)


@pytest.mark.parametrize("name", sorted(READERS.keys() - {"experiment.toml"}))
def test_a_device_that_goes_on_for_ever(tmp_path, name):
    _, read, what, remedy = READERS[name]
    (tmp_path / name).symlink_to("/dev/zero")
    sentence = f"{what} {tmp_path / name} must have at most 16777216 bytes, but has more; {remedy}"
    with pytest.raises(InputError, match=f"^{re.escape(sentence)}$"):
        read(tmp_path / name)


def test_a_mark_in_a_text_that_somebody_else_read():
    assert Network.from_toml("\ufeff" + NETWORK.to_toml()) == NETWORK
    assert Network.from_json("\ufeff" + NETWORK.to_json()) == NETWORK
