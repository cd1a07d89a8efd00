"""Train the basic model: the same as ``python -m training basic``, under the name that PeerLoan's people know.

Takes the same options; runs from any folder, whether or not the project is installed.
"""

# ruff: noqa: N999
import os
import sys
from pathlib import Path

_PROJECT = Path(__file__).resolve().parents[1]


def _main() -> int:
    sys.path[:0] = [str(_PROJECT), str(_PROJECT / "layers" / "shared")]
    from training.__main__ import main

    return main(["basic", *sys.argv[1:]], os.environ, sys.stdout, sys.stderr)


if __name__ == "__main__":
    sys.exit(_main())
