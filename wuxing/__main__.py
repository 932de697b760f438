"""``python -m wuxing``."""
import sys

from wuxing.cli import main

if __name__ == "__main__":
    sys.exit(main())
