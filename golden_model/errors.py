"""The one exception that means: the input is wrong, and here is the sentence that says how to mend it."""


class InputError(ValueError):
    """What a caller or a file supplied cannot be used.

    The message is one sentence: what must hold, what was found, and the remedy. The command line prints it and exits 2.
    """
