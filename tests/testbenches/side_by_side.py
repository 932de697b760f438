"""Several components in one top, so that one simulation looks at many widths."""
from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from amaranth.hdl import Module
from amaranth.lib import wiring

from testbenches.flat_ports import FlatPorts


class SideBySide(wiring.Component):
    """Components that share nothing but the clock; port ``p`` of ``components[name]`` is called ``name_p``."""

    def __init__(self, components: Mapping[str, wiring.Component]) -> None:
        self.components = {name: FlatPorts(component) for name, component in components.items()}
        ports: dict[str, Any] = {}
        for name, component in self.components.items():
            ports |= {f"{name}_{port}": member for port, member in component.signature.members.items()}
        super().__init__(ports)

    def elaborate(self, platform: object) -> Module:
        m = Module()
        for name, component in self.components.items():
            m.submodules[name] = component
            for port, member in component.signature.members.items():
                inner, outer = getattr(component, port), getattr(self, f"{name}_{port}")
                m.d.comb += inner.eq(outer) if member.flow == wiring.In else outer.eq(inner)
        return m
