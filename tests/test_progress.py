"""Progress of a training: a few lines where nobody watches a bar."""
import pytest

from golden_model.training import Epoch
from wuxing.reports.progress import TrainingProgress


@pytest.mark.parametrize(("epochs", "lines"), [(1, [1]), (3, [1, 2, 3]), (15, [1, 2, 4, 8, 15]),
                                               (60, [1, 2, 4, 8, 16, 32, 60]), (64, [1, 2, 4, 8, 16, 32, 64])])
def test_a_training_is_a_few_lines(epochs, lines, capsys):
    with TrainingProgress() as progress:
        progress.begin("fixed", epochs, 100)
        for epoch in range(epochs):
            progress.on_progress(epoch, 100, 100, 90)
            progress.on_epoch(Epoch(epoch=epoch, online_accuracy=90.0, test_accuracy=91.5, images_per_second=5.0))
    output = capsys.readouterr()
    assert output.out == ""
    assert output.err.splitlines() == [f"fixed, epoch {number}/{epochs}: 90.00 % right while learning, 91.50 % of the test "
                                     f"images after it, 5 images/s" for number in lines]


def test_quiet_says_nothing(capsys):
    with TrainingProgress(quiet=True) as progress:
        progress.begin("fixed", 1, 100)
        progress.on_epoch(Epoch(epoch=0, online_accuracy=90.0, test_accuracy=None, images_per_second=5.0))
    assert capsys.readouterr() == ("", "")
