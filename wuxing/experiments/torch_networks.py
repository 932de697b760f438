"""Networks of PyTorch, taught by backpropagation: a Wuxing network's sizes with rectified linear units, and a GRU.

Adam at its usual rate on the cross entropy, in batches, the rate falling along a cosine to 0. They see the images that a Wuxing
network sees: in the same order, flipped, shifted, erased and with as many inputs lost.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from golden_model.data.datasets import Dataset
from golden_model.errors import InputError, ToolError
from golden_model.network import Network
from golden_model.training import ORDER_STREAM, changed
from golden_model.wirings import Convolution, Full
from wuxing.experiments.yardsticks import Classes

if TYPE_CHECKING:
    from torch.nn import Module

BATCH = 128
RATE, GRU_RATE = 1e-3, 4e-3


def same_sizes(data: Dataset, network: Network, epochs: int, *, shift: int, flip: bool, erase: int) -> Classes:
    """Classes of the test images, from a network with the layers, the convolutions and the input dropout of ``network``.

    Raises
    ------
    InputError
        If a layer is neither full nor a convolution.
    ToolError
        If PyTorch is not installed.
    """
    torch = _torch(network.seed)
    nn = torch.nn
    modules: list[Module] = [nn.Dropout(network.learning.dropout)] if network.learning.dropout else []
    flat = True
    for wiring, inputs, neurons in zip(network.wirings, network.layers, network.layers[1:], strict=False):
        if isinstance(wiring, Convolution):
            if flat:
                modules += [nn.Unflatten(1, (wiring.height, wiring.width, wiring.depth)), _channels_first(torch)]
            modules.append(nn.Conv2d(wiring.depth, neurons // wiring.positions, wiring.kernel, wiring.stride))
            flat = False
        elif wiring == Full():
            modules += [*([] if flat else [nn.Flatten()]), nn.Linear(inputs, neurons)]
            flat = True
        else:
            raise InputError(f"layers of the peer must be full or convolutions, not {wiring}")
        modules.append(nn.ReLU())
    model = nn.Sequential(*modules[:-1])
    return _taught(torch, model, data, epochs, network.seed, RATE, shift=shift, flip=flip, erase=erase)


def gru(data: Dataset, hidden: int, epochs: int, seed: int) -> Classes:
    """Classes of the test recordings, from what a layer of ``hidden`` gated recurrent units says after the last frame."""
    torch = _torch(seed)
    frames = data.image_shape[0]
    channels = data.train_images.shape[1] // frames

    class Reader(torch.nn.Module):                            # type: ignore[name-defined]
        def __init__(self) -> None:
            super().__init__()
            self.units = torch.nn.GRU(channels, hidden, batch_first=True)
            self.classes = torch.nn.Linear(hidden, data.classes)

        def forward(self, x: Any) -> Any:
            _, last = self.units(x.reshape(len(x), frames, channels))
            return self.classes(last[0])

    return _taught(torch, Reader(), data, epochs, seed, GRU_RATE, shift=0, flip=False, erase=0)


def _channels_first(torch: Any) -> Any:
    class ChannelsFirst(torch.nn.Module):
        def forward(self, x: Any) -> Any:
            return x.permute(0, 3, 1, 2)

    return ChannelsFirst()


def _torch(seed: int) -> Any:
    try:
        import torch
    except ImportError:
        raise ToolError("the networks that are taught by backpropagation must find PyTorch, which is not installed; "
                        "pip install 'wuxing[bench]'") from None
    torch.set_num_threads(1)
    torch.manual_seed(seed)
    return torch


def _taught(torch: Any, model: Any, data: Dataset, epochs: int, seed: int, start_rate: float, *, shift: int,
            flip: bool, erase: int) -> Classes:
    count = len(data.train_labels)
    mean, deviation = data.train_images.mean() / 255, max(data.train_images.std() / 255, 1e-3)

    def reals(images: npt.NDArray[np.uint8]) -> Any:
        return (torch.from_numpy(images).float() / 255 - mean) / deviation

    labels = torch.from_numpy(data.train_labels)
    optimiser = torch.optim.Adam(model.parameters(), lr=start_rate)
    rate_schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, epochs * -(-count // BATCH))
    for epoch in range(epochs):
        order = np.random.default_rng([seed, ORDER_STREAM, epoch]).permutation(count)
        images = changed(data.train_images[order], data.image_shape, seed, epoch, shift=shift, flip=flip, erase=erase)
        model.train()
        for start in range(0, count, BATCH):
            optimiser.zero_grad()
            part = torch.from_numpy(order[start:start + BATCH])
            torch.nn.functional.cross_entropy(model(reals(images[start:start + BATCH])), labels[part]).backward()
            optimiser.step()
            rate_schedule.step()
    model.eval()
    with torch.no_grad():
        answers = [model(reals(data.test_images[start:start + 1000])).argmax(1).numpy()
                 for start in range(0, len(data.test_images), 1000)]
    return np.concatenate(answers).astype(np.int64)
