"""The reference of the public names, ``docs/api.md``, from signatures and docstrings. ``bench/documents.py`` writes it."""
from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Iterator
from typing import Any

import wuxing

GROUPS = {
    "Description": ("Network", "Neuron", "Integration", "Formats", "Format", "Initialisation", "Learning", "Wiring"),
    "Learners": ("Learner", "Model", "CompiledModel", "Layer", "Parameters", "initial_parameters"),
    "Data and training": ("Dataset", "load_dataset", "Reading", "Split", "Samples", "encoded_dataset", "Encoding", "Recipe",
                          "train", "Training", "Epoch", "accuracy"),
    "Estimator": ("WuxingClassifier",),
    "Model files": ("ModelFile", "load_model", "save_model"),
    "Hardware": ("Design", "to_verilog", "core_files", "estimate_clocks", "estimate_cells", "RtlModel", "cosim"),
    "Boards": ("PLATFORMS", "network_for", "VirtualBoard", "Connection"),
    "Errors": ("WuxingError", "InputError", "ToolError", "DeviceError", "InternalError"),
}
VALUES = {
    "Parameters": "`list[Layer]`: one for each layer of neurons, from the inputs on.",
    "PLATFORMS": "The boards that `wuxing boards` lists, by name: their FPGA, clock, pins and serial line, and their `target` "
                 "and `arrangement` for a `Design`.",
}
PACKAGES = ("golden_model", "hdl", "sim", "boards", "wuxing")
SECTION = re.compile(r"^(\w+)\n-+\n", re.MULTILINE)
ENTRY = re.compile(r"^(\S[^\n]*?)(?: : ([^\n]+))?\n((?:    [^\n]*(?:\n|$)|\n(?=    ))*)", re.MULTILINE)

HEAD = """# Python

Everything that `from wuxing import ...` has. Written from the docstrings by `make documents`.

In Python the chain from data to hardware is a few lines, each of which can be a program's own:

```python
import numpy as np
from wuxing import CompiledModel, Design, Learning, Network, RtlModel, accuracy, load_dataset, to_verilog, train

data = load_dataset("digits")                             # 8x8 pixels, bytes; a folder of IDX files likewise
network = Network(layers=(64, 8, 10), learning=Learning(epochs=4))
training = train(network, "fixed", data)                  # in integers; "float" in reals
model = CompiledModel(network, "fixed", training.parameters)
print(f"{accuracy(model, data.test_images, data.test_labels):.1f} % right")

core = RtlModel(network, to_verilog(Design(network=network, units=(2, 2))))   # compiled by Verilator
core.load_parameters(training.parameters)
images, labels = data.train_images[:20], data.train_labels[:20]
assert np.array_equal(core.learn(images, labels), model.learn(images, labels))    # it learns, and so does the model
assert np.array_equal(core.outputs(images), model.outputs(images))                # every word is the same
```
"""


def page() -> str:
    """The whole page."""
    names = [name for group in GROUPS.values() for name in group]
    missing = sorted(set(wuxing.__all__) ^ set(names))
    if missing or len(names) != len(set(names)):
        raise ValueError(f"every public name must be in one group of the reference, but {missing or 'one'} is not")
    contents = "\n".join(f"- {group}: {', '.join(f'[{name}](#{name.lower()})' for name in members)}"
                         for group, members in GROUPS.items())
    parts = [HEAD, contents]
    for group, members in GROUPS.items():
        parts += [f"## {group}", *(described(name, getattr(wuxing, name)) for name in members)]
    return "\n\n".join(part.strip("\n") for part in parts) + "\n"


def described(name: str, value: Any) -> str:
    """Heading, signature, docstring and, of a class, what it has."""
    if name in VALUES:
        return f"### {name}\n\n{VALUES[name]}"
    parts = [f"### {name}"]
    if not (inspect.isclass(value) and (issubclass(value, Exception) or getattr(value, "_is_protocol", False))):
        parts.append(fenced(name, value))
    parts.append(markdown(documented(name, value)))
    if inspect.isclass(value):
        parts += members(name, value)
    return "\n\n".join(parts)


def documented(name: str, value: Any) -> str:
    text = inspect.getdoc(value)
    if not text:
        raise ValueError(f"{name} must have a docstring")
    return text


def members(name: str, value: type) -> Iterator[str]:
    """Public methods and properties that have a docstring, in the order of the source: those of a class, then those that it has
    from another class of ours."""
    of_ours = [base for base in value.__mro__ if base is value or base.__module__.partition(".")[0] in PACKAGES]
    result = {each: member for base in reversed(of_ours) for each, member in vars(base).items()}
    for each in dict.fromkeys(each for base in of_ours for each in vars(base)):
        member = result[each]
        if each.startswith("_"):
            continue
        function = member.__func__ if isinstance(member, (classmethod, staticmethod)) else member
        called = f"{name}.{each}"
        if isinstance(function, property) or type(function).__name__ == "cached_property":
            getter = function.fget if isinstance(function, property) else function.func     # type: ignore[attr-defined]
            if text := inspect.getdoc(getter):
                yield f"#### `{called}`\n\n{markdown(text)}"
        elif inspect.isfunction(function) and (text := inspect.getdoc(function)):
            yield f"#### `{called}`\n\n{fenced(each, function, bound=not isinstance(member, staticmethod))}\n\n{markdown(text)}"


def fenced(name: str, value: Callable[..., Any], bound: bool = False) -> str:
    """The signature as code, one argument a line if it does not fit."""
    signature = inspect.signature(value)
    arguments = list(signature.parameters.values())[1 if bound else 0:]
    content = [plain(str(argument), value) for argument in arguments]
    for at, argument in enumerate(arguments):
        if argument.kind is argument.KEYWORD_ONLY and all(each.kind is not each.KEYWORD_ONLY for each in arguments[:at]):
            content.insert(at, "*")
    gives = signature.return_annotation
    ending = "" if inspect.isclass(value) or gives is signature.empty else f" -> {plain(str(gives), value)}"
    line = f"{name}({', '.join(content)}){ending}"
    if len(line) > 100:
        line = f"{name}(\n" + "".join(f"    {each},\n" for each in content) + f"){ending}"
    return f"```text\n{line}\n```"


def plain(text: str, value: Any) -> str:
    """A part of a signature without what only the interpreter needs: modules, quotes, addresses of defaults."""
    text = re.sub(r"<(\w+\.\w+): [^>]*>", r"\1", text)         # members of an Enum
    text = re.sub(r"<factory>|<function <lambda> at 0x[0-9a-f]+>", "...", text.replace("'", '"'))
    text = re.sub(r": \"([^\"]*)\"", r": \1", text)
    text = re.sub(r"^\"([^\"]*)\"$", r"\1", text)
    text = re.sub(r"<class \"(?:\w+\.)*(\w+)\">", r"\1", text)
    return text.replace("npt.", "").replace("golden_model.", "")


def markdown(text: str) -> str:
    """A docstring of this project in Markdown: sections become bold words, their entries lists."""
    text = re.sub(r"``([^`]+)``", r"`\1`", text)
    parts = SECTION.split(text + "\n")
    done = [prose(parts[0])]
    for title, body in zip(parts[1::2], parts[2::2], strict=True):
        done.append(f"**{title}**\n\n{entries(body) if title != 'Returns' else prose(returned(body))}")
    return "\n\n".join(part for part in done if part)


def entries(body: str) -> str:
    """``name : type`` lines with indented text below, as a list."""
    listing = []
    for names, kind, meaning in ENTRY.findall(body.strip("\n") + "\n"):
        sentence = " ".join(meaning.split())
        typed = f" ({kind})" if kind and sentence else ""
        listing.append(f"- `{names}`{typed}: {sentence or kind}".rstrip(": "))
    return "\n".join(listing)


def returned(body: str) -> str:
    """The type before its sentences, if there are some, and those not indented."""
    head, _, rest = body.strip("\n").partition("\n")
    return body if not rest.startswith("    ") else f"`{head}`. {inspect.cleandoc(rest)}"


def prose(text: str) -> str:
    """Paragraphs as they are; drawings, which follow ``::``, as code."""
    blocks, drawing = [], False
    for block in text.strip("\n").split("\n\n"):
        if drawing and block.startswith("    "):
            blocks.append(f"```text\n{inspect.cleandoc(block)}\n```")
            continue
        drawing = block.rstrip().endswith("::")
        if kept := re.sub(r":?:\s*$", ":" if block.strip() != "::" else "", block).strip():
            blocks.append(kept)
    return "\n\n".join(blocks)
