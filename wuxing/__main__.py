"""``python -m wuxing``, and where the program ``wuxing`` begins: before anything large is imported."""
import sys


def main() -> int:
    """The command line of this process. Ctrl-C is one sentence from the start, while modules are imported too."""
    try:
        from wuxing import cli
    except KeyboardInterrupt:
        print("wuxing: interrupted: nothing was done", file=sys.stderr)
        return 130
    return cli.main()


if __name__ == "__main__":
    sys.exit(main())
