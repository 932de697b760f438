"""With what the command line ends; ``docs/errors.md`` says what to do about each. Those of errors are of their classes, so that
whoever uses the library can end with them too.
"""
from __future__ import annotations

from golden_model.errors import InputError, InternalError

DONE = 0
DIFFERS = 1                               # hardware and golden model differ
CLAIM_FAILS = 1                           # a claim of a quick experiment does not hold
UNREAD = 1                                # what reads our output went away
UNUSABLE = InputError.exit_code           # a file or memory as well
FAULT = InternalError.exit_code
SIGNALLED = 128                           # and the number of the signal that ended it: 130 for Ctrl-C
