"""Print how large each function is with its layer, unzipped, and fail over the budget. Run it after `sam build`.

Lambda refuses a function that exceeds 250 MiB together with its layers, at deployment and not before: this says so
earlier, and keeps 25 MiB for what a later change adds.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence
from pathlib import Path

BUDGET_MIB = 225.0
LAMBDA_LIMIT_MIB = 250.0
_MIB = 1024 * 1024
_LARGEST_SHOWN = 8


def folder_size_bytes(folder: Path) -> int:
    """Return the sum of the sizes of the files in a folder, which is what Lambda counts."""
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


def measure(build_folder: Path) -> dict[str, int]:
    """Return the size in bytes of each function and layer that `sam build` left in a folder.

    Raises
    ------
    FileNotFoundError
        If there is nothing built.
    """
    parts = sorted(path for path in build_folder.iterdir() if path.is_dir()) if build_folder.is_dir() else []
    if not parts:
        raise FileNotFoundError(f"{build_folder} holds no build; run sam build first.")
    return {part.name: folder_size_bytes(part) for part in parts}


def largest_entries(part: Path, count: int = _LARGEST_SHOWN) -> list[tuple[str, int]]:
    """Return the names and sizes in bytes of the largest entries of a folder, largest first."""
    sizes = [
        (entry.name, folder_size_bytes(entry) if entry.is_dir() else entry.stat().st_size) for entry in part.iterdir()
    ]
    return sorted(sizes, key=lambda entry: (-entry[1], entry[0]))[:count]


def packages(build_folder: Path, sizes: dict[str, int]) -> dict[str, int]:
    """Return the size of each function with all layers; a layer has nothing but a folder ``python``."""
    layers = {name for name in sizes if (build_folder / name / "python").is_dir()}
    return {name: sizes[name] + sum(sizes[layer] for layer in layers) for name in sizes if name not in layers}


def report(sizes: dict[str, int], largest_mib: float, budget_mib: float) -> str:
    """Return the lines to print: each part, and the largest function with its layer against the budget."""
    lines = [f"{name:<20} {size_bytes / _MIB:8.1f} MiB" for name, size_bytes in sizes.items()]
    lines.append(
        f"package: {largest_mib:.1f} MiB unzipped, of a budget of {budget_mib:g} MiB (Lambda: {LAMBDA_LIMIT_MIB:g} MiB)"
    )
    return "\n".join(lines) + "\n"


def main(arguments: Sequence[str] | None = None) -> int:
    """Return the exit code: 0 within the budget, 1 over it or if nothing is built."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("build_folder", nargs="?", type=Path, default=Path(".aws-sam/build"))
    parser.add_argument("--budget-mib", type=float, default=BUDGET_MIB)
    options = parser.parse_args(arguments)
    try:
        sizes = measure(options.build_folder)
    except FileNotFoundError as error:
        sys.stderr.write(f"{error}\n")
        return 1
    with_layers = packages(options.build_folder, sizes)
    largest = max(with_layers, key=lambda name: with_layers[name])
    sys.stdout.write(report(sizes, with_layers[largest] / _MIB, options.budget_mib))
    if with_layers[largest] <= options.budget_mib * _MIB:
        return 0
    sys.stderr.write(f"Over the budget. The largest in {largest}:\n")
    for name, size_bytes in largest_entries(options.build_folder / largest):
        sys.stderr.write(f"  {name:<40} {size_bytes / _MIB:8.1f} MiB\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
