"""A component with plain port names, as testbenches and AXI4-Stream models expect them."""
from __future__ import annotations

from collections.abc import Collection
from typing import Any

from amaranth.hdl import Module, Shape, Value
from amaranth.lib import data, wiring
from amaranth.lib.wiring import In, Out


class FlatPorts(wiring.Component):
    """``component`` with its streams taken apart: ``name_field``, ``name_valid``, ``name_ready``.

    A stream called ``*_axis`` gets the names of AXI4-Stream: ``tdata``, ``tlast``, ``tvalid``, ``tready``. Payloads are
    structures of flat fields or plain words (``name_data``). Fields without bits have no port. An array of ports becomes
    ``name_0``, ``name_1``, and so on. ``without``: outputs that get no port.
    """

    def __init__(self, component: wiring.Component, without: Collection[str] = ()) -> None:
        self.component = component
        ports: dict[str, Any] = {}
        self.joined: list[tuple[str, bool, Any]] = []                     # port, whether it is an input, inner value
        for name, member in component.signature.members.items():
            if name in without:
                continue
            inner = getattr(component, name)
            inward = member.flow == In
            if member.is_port and member.dimensions:
                for place, item in enumerate(inner):
                    self._add(ports, f"{name}_{place}", inward, item)
                continue
            if member.is_port:
                self._add(ports, name, inward, inner)
                continue
            letter = "t" if name.endswith("_axis") else ""
            payload = inner.payload
            if isinstance(payload, data.View):
                for field in payload.shape().members:
                    self._add(ports, f"{name}_{letter}{field}", inward, payload[field])
            else:
                self._add(ports, f"{name}_{letter}data", inward, payload)
            self._add(ports, f"{name}_{letter}valid", inward, inner.valid)
            self._add(ports, f"{name}_{letter}ready", not inward, inner.ready)
        super().__init__(ports)

    def _add(self, ports: dict[str, Any], name: str, inward: bool, inner: Any) -> None:
        width = Shape.cast(Value.cast(inner).shape()).width
        if width:
            ports[name] = (In if inward else Out)(width)
            self.joined.append((name, inward, Value.cast(inner)))

    def elaborate(self, platform: object) -> Module:
        m = Module()
        m.submodules.component = self.component
        for name, inward, inner in self.joined:
            port = getattr(self, name)
            m.d.comb += inner.eq(port) if inward else port.eq(inner)
        return m
