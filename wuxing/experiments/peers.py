"""Networks of rectified linear units in PyTorch, taught by what the literature has to offer: the peers of a Wuxing network.

    backpropagation               Rumelhart, Hinton, Williams 1986; PyTorch's own gradients
    feedback alignment            Lillicrap et al. 2016: errors come back through fixed random matrices of the same shapes
    direct feedback alignment     Nokland 2016: the output error reaches each hidden layer through one random matrix
    last layer only               hidden layers stay as they were drawn

Stochastic gradient descent on the cross entropy, in batches, with the order of images and the rate schedule of halvings that
``golden_model.training`` has for the same seed. With one hidden layer the two alignments are the same method, and the same
random matrix makes them the same run.
"""
from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import numpy.typing as npt

from golden_model.data.datasets import Dataset
from golden_model.errors import ToolError
from golden_model.network import Learning
from golden_model.training import ORDER_STREAM, percentage

if TYPE_CHECKING:
    from torch import Tensor

METHODS = ("backpropagation", "feedback alignment", "direct feedback alignment", "last layer only")
BATCH = 32


class Peer:
    """An MLP on one thread.

    Parameters
    ----------
    method : one of ``METHODS``
    layers : sizes, inputs first
    seed : int
        Decides weights, feedback and order.

    Raises
    ------
    ToolError
        If PyTorch is not installed.
    """

    def __init__(self, method: str, layers: tuple[int, ...], seed: int) -> None:
        try:
            import torch
        except ImportError:
            raise ToolError("the peers of this experiment must find PyTorch, which is not installed; "
                            "pip install 'wuxing[bench]'") from None
        torch.set_num_threads(1)
        self.torch, self.method, self.seed = torch, method, seed
        random = torch.Generator().manual_seed(seed)

        def drawn(rows: int, columns: int, fan_in: int) -> Tensor:
            bound = (6 / fan_in) ** 0.5                                         # He et al. 2015, uniform
            return (torch.rand((rows, columns), generator=random) * 2 - 1) * bound

        pairs = list(zip(layers, layers[1:], strict=False))
        self.weights = [drawn(outputs, inputs, inputs).requires_grad_() for inputs, outputs in pairs]
        self.biases = [torch.zeros(outputs, requires_grad=True) for _, outputs in pairs]
        if method == "direct feedback alignment":
            self.feedback = [drawn(layers[-1], inputs, inputs) for inputs, _ in pairs[1:]]
        else:
            self.feedback = [drawn(outputs, inputs, inputs) for inputs, outputs in pairs[1:]]
        self._aligned = _aligned(torch)

    def forward(self, x: Tensor) -> tuple[Tensor, list[Tensor]]:
        """Logits, and the sums before every nonlinearity, the logits last."""
        sums: list[Tensor] = []
        for index, (weight, bias) in enumerate(zip(self.weights, self.biases, strict=True)):
            if self.method in ("direct feedback alignment", "last layer only"):
                x = x.detach()
            if index and self.method == "feedback alignment":
                z = self._aligned.apply(x, weight, bias, self.feedback[index - 1])
            else:
                z = x @ weight.T + bias
            sums.append(z)
            x = self.torch.relu(z)
        return sums[-1], sums

    def gradients(self, x: Tensor, labels: Tensor) -> None:
        """Leave in ``grad`` of all weights and biases what the method makes of a batch, mean over its images."""
        logits, sums = self.forward(x)
        if self.method != "direct feedback alignment":
            self.torch.nn.functional.cross_entropy(logits, labels).backward()
            return
        with self.torch.no_grad():
            error = self.torch.softmax(logits, 1)
            error[self.torch.arange(len(labels)), labels] -= 1
            error /= len(labels)
            signals = [(error @ feedback) * (z > 0) for feedback, z in zip(self.feedback, sums, strict=False)]
        self.torch.autograd.backward(sums, [*signals, error])

    def learn(self, data: Dataset, learning_rate: float, learning: Learning, every: int = 0) -> list[list[float]]:
        """All epochs of ``learning``'s rate schedule from ``rate``; [epochs, accuracy on the test images] after ``every``
        images."""
        torch, course, count = self.torch, [], len(data.train_labels)
        images = torch.from_numpy(data.train_images.astype(np.float32) / 256)
        labels = torch.from_numpy(data.train_labels)
        trained = [*self.weights, *self.biases]
        if self.method == "last layer only":
            trained = [self.weights[-1], self.biases[-1]]
        for epoch in range(learning.epochs):
            order = torch.from_numpy(np.random.default_rng([self.seed, ORDER_STREAM, epoch]).permutation(count))
            step = learning_rate / (1 << learning.halvings_before(epoch))
            for start in range(0, count, BATCH):
                part = order[start:start + BATCH]
                for each in trained:
                    each.grad = None
                self.gradients(images[part], labels[part])
                with torch.no_grad():
                    for each in trained:
                        if each.grad is not None:             # as torch declares it; there is one by now
                            each -= step * each.grad
                before, reached = epoch * count + start, epoch * count + start + len(part)
                if every and reached // every > before // every:
                    course.append([reached / count, self.accuracy(data.test_images, data.test_labels)])
        return course

    def predict(self, images: npt.NDArray[np.uint8]) -> npt.NDArray[np.int64]:
        """Classes (images,) of bytes (images, inputs)."""
        with self.torch.no_grad():
            logits, _ = self.forward(self.torch.from_numpy(images.astype(np.float32) / 256))
            result: npt.NDArray[np.int64] = logits.argmax(1).numpy()
        return result

    def accuracy(self, images: npt.NDArray[np.uint8], labels: npt.NDArray[np.int64]) -> float:
        return percentage(self.predict(images) == labels)


def _aligned(torch: Any) -> Any:
    """x W^T + b forward; errors go back through ``feedback`` instead of W."""

    class Aligned(torch.autograd.Function):
        @staticmethod
        def forward(context: Any, x: Tensor, weight: Tensor, bias: Tensor, feedback: Tensor) -> Tensor:
            context.save_for_backward(x, feedback)
            return x @ weight.T + bias

        @staticmethod
        def backward(context: Any, signal: Tensor) -> tuple[Tensor | None, ...]:
            x, feedback = context.saved_tensors
            return signal @ feedback, signal.T @ x, signal.sum(0), None

    return Aligned
