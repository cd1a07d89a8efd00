"""The look of the report's plots, and turning a drawing into an image inside the page."""

from __future__ import annotations

import base64
import functools
import io
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.figure import Figure
from matplotlib.ticker import PercentFormatter

from model_watch.intervals import Interval

INK = "#22303c"
FAINT = "#8a97a3"
GRID = "#e4e8ec"
BLUE = "#1f5fa8"
PALE_BLUE = "#bcd2ea"
RED = "#bf4b32"

WIDTH_INCHES = 8.6

_STYLE: dict[Any, Any] = {
    "font.size": 9,
    "text.color": INK,
    "axes.labelcolor": INK,
    "axes.edgecolor": FAINT,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.titlesize": 9.5,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.8,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8,
    "ytick.labelsize": 8,
    "legend.frameon": False,
    "legend.fontsize": 8,
    "lines.linewidth": 1.6,
    # Letters as shapes look the same on every machine; a fixed salt gives the same file every time.
    "svg.fonttype": "path",
    "svg.hashsalt": "peerloan",
}


@dataclass(frozen=True)
class Plot:
    """A finished drawing: an SVG document, and a text for those who can't see it."""

    svg: str
    alt: str

    @property
    def data_uri(self) -> str:
        """The drawing as a data URI."""
        return "data:image/svg+xml;base64," + base64.b64encode(self.svg.encode()).decode()


def plot(
    alt: str, rows: int = 1, columns: int = 1, *, height: float = 3.0
) -> Callable[[Callable[..., None]], Callable[[Any], Plot]]:
    """Return a decorator that turns a function that draws on axes into one that returns a ``Plot``.

    The same evidence gives the same bytes. ``draw_panels`` is for a number of axes that depends on the evidence.

    Parameters
    ----------
    alt : str
        The plot in words.
    rows, columns : int
        How many axes the function takes after the evidence, row by row.
    height : float
        The plot's height in inches; every plot has the page's width.
    """

    def decorate(draw: Callable[..., None]) -> Callable[[Any], Plot]:
        @functools.wraps(draw)
        def drawn(evidence: Any) -> Plot:
            return draw_panels(lambda *panels: draw(evidence, *panels), alt, rows, columns, height=height)

        return drawn

    return decorate


def draw_panels(draw: Callable[..., None], alt: str, rows: int, columns: int, *, height: float) -> Plot:
    """Return the drawing of a function that draws on ``rows * columns`` axes; see ``plot``."""
    with mpl.rc_context(_STYLE):
        figure = Figure(figsize=(WIDTH_INCHES, height), layout="constrained")
        FigureCanvasSVG(figure)
        draw(*figure.subplots(rows, columns, squeeze=False).ravel())
        file = io.StringIO()
        figure.savefig(file, format="svg", metadata={"Date": None, "Creator": None})
    text = file.getvalue()
    return Plot(text[text.index("<svg") :], alt)


def dots(axes: Axes, places: Any, intervals: Sequence[Interval], colors: str | Sequence[str] = BLUE) -> None:
    """Draw a dot with its interval upright at each place of the horizontal axis."""
    axes.vlines(places, [end.low for end in intervals], [end.high for end in intervals], colors, linewidth=1.4)
    axes.scatter(places, [interval.value for interval in intervals], 20, colors, zorder=2)


def whiskers(
    axes: Axes, intervals: Sequence[Interval], names: Sequence[str], colors: str | Sequence[str] = BLUE
) -> None:
    """Draw a dot with its interval for each name, from top to bottom."""
    places = np.arange(len(names))[::-1]
    axes.hlines(places, [end.low for end in intervals], [end.high for end in intervals], colors, linewidth=1.4)
    axes.scatter([interval.value for interval in intervals], places, 20, colors, zorder=2)
    axes.set_yticks(places, names)
    axes.set_ylim(-0.7, len(names) - 0.3)
    axes.grid(visible=False, axis="y")


def in_percent(axes: Axes, *, x: bool = False, y: bool = False, decimals: int | None = None) -> None:
    """Label an axis of shares in percent."""
    if x:
        axes.xaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))
    if y:
        axes.yaxis.set_major_formatter(PercentFormatter(1.0, decimals=decimals))
