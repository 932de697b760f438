"""``wuxing info``: what a model file holds."""
from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from json import dumps
from pathlib import Path

from rich.console import Console

from golden_model.network import SECTIONS, Network
from golden_model.sections import brief
from golden_model.storage import model_file
from wuxing import cost, options
from wuxing.cost import LayerMemory
from wuxing.reports import console


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What ``--json`` writes. ``widths``: bits that each exact sum can need. ``record``: what the model file says of its
    training, whatever that is. ``encoding``: of models that have one."""

    model: Path
    digest: str
    arithmetic: str
    network: Network
    layers: Sequence[LayerMemory]
    widths: Mapping[str, int]
    record: Mapping[str, object]
    encoding: Mapping[str, object] | None = field(metadata=console.OPTIONAL)


def info(model: options.ModelArgument, json: options.JsonOption = None) -> None:
    """Show the description, sizes, memory, exact sums and training record of a model."""
    console.check_writable(json)
    content = model_file.load(model)
    network = content.network
    encoding = content.encoding
    sizes, widths = cost.memory(network), network.widths()
    console.write_json(json, Result(model=model, digest=network.digest, arithmetic=content.arithmetic, network=network,
                                    layers=sizes, widths=widths, record=content.record,
                                    encoding=None if encoding.is_identity else encoding.to_dict()))
    screen = console.out(json)
    screen.print(f"[bold]{console.literal(model)}[/bold]: {'-'.join(map(str, network.layers))}, {content.arithmetic}\n"
                 f"digest {network.digest}", soft_wrap=True)

    counted = ("neurons", "links", "biases", "K", "bits")
    table = console.table("Parameters, and bits of memory in the network's formats",
                          right=("layer", "inputs", "neurons", "links", "biases", "K", "bits"))
    for index, layer in enumerate(sizes):
        table.add_row(str(index), *(f"{getattr(layer, key):,}" for key in ("inputs", *counted)))
    table.add_section()
    table.add_row("all", "", *(f"{sum(getattr(layer, key) for layer in sizes):,}" for key in counted))
    screen.print("", table, "", sep="\n")

    _print_pairs(screen, "Bits that each exact sum can need", {name: str(bits) for name, bits in widths.items()})
    description = network.to_dict()
    _print_pairs(screen, "Network", {f"{section}.{key}": dumps(value) for section in SECTIONS
                                     for key, value in description[section].items()} | {"seed": str(network.seed)})
    if not encoding.is_identity:
        entries = {name: brief(value) for name, value in encoding.to_dict().items() if value != []}
        _print_pairs(screen, "Encoding: how what is measured becomes bytes", entries)
    record = dict(content.record)
    epochs = record.pop("epochs", None)
    _print_pairs(screen, "Training record", {
        key: f"{value:.2f} %" if key == "accuracy" and isinstance(value, float) else dumps(value, ensure_ascii=False)
        for key, value in record.items()})
    if isinstance(epochs, list) and all(isinstance(epoch, dict) for epoch in epochs):
        table = console.table("Epochs: per cent right while learning, and of the test images after it",
                              right=("epoch", "online", "test"))
        for epoch in epochs:
            table.add_row(*(console.literal(_hundredths(epoch.get(key)))
                            for key in ("epoch", "online_accuracy", "test_accuracy")))
        screen.print(table)


def _print_pairs(screen: Console, title: str, pairs: dict[str, str]) -> None:
    table = console.table(title, left=("", ""))
    table.show_header = False
    for key, value in pairs.items():
        table.add_row(console.literal(key), console.literal(value))
    screen.print(table, "", sep="\n")


def _hundredths(value: object) -> str:
    """A real number with two decimals, nothing for None, whatever else a record says as it stands."""
    if value is None:
        return ""
    return f"{value:.2f}" if isinstance(value, float) else str(value)
