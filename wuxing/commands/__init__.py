"""The commands of ``wuxing``, one file each; ``wuxing.cli`` puts them together. None is a library of another."""
