"""Exit codes of commands that did their work and found something. Those of errors stand with ``golden_model.errors``, those of
signals follow from ``wuxing.interruption``; ``docs/errors.md`` lists all of them.
"""
from __future__ import annotations

DIFFERS = 1                               # hardware and golden model differ
CLAIM_FAILS = 1                           # a claim of a quick experiment does not hold
UNREAD = 1                                # what reads our output went away
