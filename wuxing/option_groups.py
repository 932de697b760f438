"""Options that several commands take are fields of a dataclass, each declared once; a command takes the dataclass."""
from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, fields, is_dataclass
from inspect import Parameter
from typing import Any, get_type_hints


def flattened(command: Callable[..., None]) -> Callable[..., None]:
    """The command as Typer sees it: in place of each parameter that is a dataclass, the fields of it, each an option.

    Every field is annotated as an option of Typer and has a default. No two groups have a field of one name.
    """
    hints = get_type_hints(command, include_extras=True)
    groups = {name: hints[name] for name in inspect.signature(command).parameters if is_dataclass(hints[name])}
    parameters: list[Parameter] = []
    for name, parameter in inspect.signature(command).parameters.items():
        if name in groups:
            types = get_type_hints(groups[name], include_extras=True)
            parameters += [Parameter(field.name, Parameter.KEYWORD_ONLY, annotation=types[field.name],
                                     default=Parameter.empty if field.default is MISSING else field.default)
                           for field in fields(groups[name])]
        else:
            parameters.append(parameter.replace(kind=Parameter.KEYWORD_ONLY, annotation=hints[name]))

    def flat(**values: Any) -> None:
        members = {name: group(**{field.name: values.pop(field.name) for field in fields(group)})
                   for name, group in groups.items()}
        command(**values, **members)
    flat.__name__ = command.__name__
    flat.__signature__ = inspect.Signature(parameters)         # type: ignore[attr-defined]
    flat.__annotations__ = {parameter.name: parameter.annotation for parameter in parameters}
    return flat
