"""Plots: drawn by matplotlib, as SVG that is part of the page.

Colours are stand-ins that become the page's CSS variables, so that one drawing is right on light and dark; text stays
text, in the page's font; the same numbers give the same bytes.
"""

import io
import math
import re
import warnings
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

INK, MUTED, GRID = "#000001", "#000002", "#000003"
SERIES = ("#000011", "#000012", "#000013", "#000014", "#000015", "#000016")  # --c1 to --c6 of report.css
BLUE, ORANGE, GREEN, RED, PURPLE, GREY = SERIES
_VARIABLES = {INK: "ink", MUTED: "muted", GRID: "line"} | {c: f"c{n}" for n, c in enumerate(SERIES, start=1)}

# The colour of each verdict wherever verdicts are drawn; report.css has the same for the rows' tags.
VERDICTS = {
    "match": GREEN, "lucky": ORANGE, "mismatch": RED, "error": PURPLE, "no_sql": BLUE,
    "timeout": GREY, "too_big": GREY, "unsafe": GREY, "gold_broken": GREY, "not_judged": GREY,
}  # fmt: skip

WIDTH = 4.8  # inches at 72 points each: what half of the page's width shows at a readable size
_LABEL = 28  # characters
_COLUMNS = 5  # of a legend
_LINE = 15.0  # points; a line of text with its distance
_PAD = 9.0  # points at each side: half a number, which is centred at the end of its axis
_STYLE = {
    "svg.fonttype": "none",
    "svg.hashsalt": "sql-rl",
    "text.parse_math": False,  # a label may hold a dollar sign
    "font.size": 9.5,
    "text.color": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.axisbelow": True,
    "xtick.color": GRID,
    "ytick.color": GRID,
    "xtick.labelcolor": MUTED,
    "ytick.labelcolor": MUTED,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "legend.frameon": False,
    "legend.fontsize": 9,
}


@dataclass(frozen=True, slots=True)
class Plot:
    """A drawing. caption: one sentence that says what it shows."""

    title: str
    caption: str
    svg: str


@dataclass(frozen=True, slots=True)
class Bar:
    """One bar. note: written at its end. interval: low and high of its 95 % interval, in the unit of its value."""

    label: str
    value: float
    note: str = ""
    interval: tuple[float, float] | None = None
    colour: str = BLUE


def bars(title: str, caption: str, unit: str, found: Sequence[Bar], top: float | None = None) -> Plot:
    """Horizontal bars, the first at the top. top: the end of the axis; None leaves room for the longest."""

    def draw(axes: Any) -> _Margins:
        places = range(len(found))
        axes.barh(places, [b.value for b in found], height=0.62, color=[b.colour for b in found])
        end = top or max((b.value for b in found), default=0) or 1
        if known := [(place, *bar.interval) for place, bar in zip(places, found, strict=True) if bar.interval]:
            axes.hlines(*zip(*known, strict=True), color=INK, linewidth=1)
        for place, bar in zip(places, found, strict=True):
            reach = max(bar.value, bar.interval[1]) if bar.interval else bar.value
            axes.text(reach + end * 0.015, place, bar.note, va="center")
        left = _names(axes, [b.label for b in found])
        axes.set_xlim(0, end * 1.02)
        axes.set_xlabel(unit)
        axes.set_xticks(_ticks(end))
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.spines["bottom"].set_bounds(0, end)
        return left, max((_width(b.note) for b in found), default=0.0)

    return _plot(title, caption, draw, 0.95 + 0.24 * len(found))


def shares(title: str, caption: str, groups: Mapping[str, Mapping[str, int]], noun: str) -> Plot:
    """For each group a bar of 100 %, parted by verdict. groups: name -> verdict -> how many."""
    present = [verdict for verdict in VERDICTS if any(counts.get(verdict) for counts in groups.values())]

    def draw(axes: Any) -> _Margins:
        names = list(groups)
        left = [0.0] * len(names)
        for verdict in present:
            parts = [100 * groups[n].get(verdict, 0) / max(1, sum(groups[n].values())) for n in names]
            axes.barh(range(len(names)), parts, left=left, height=0.62, color=VERDICTS[verdict], label=_words(verdict))
            left = [a + b for a, b in zip(left, parts, strict=True)]
        axes.set_xlim(0, 100)
        axes.set_xlabel(f"% of {noun}")
        _legend(axes, len(present), least=1)
        return _names(axes, [with_count(n, sum(groups[n].values())) for n in names]), 0.0

    return _plot(title, caption, draw, 1.25 + 0.24 * len(groups))


def histogram(title: str, caption: str, unit: str, noun: str, values: Mapping[str, Sequence[float]]) -> Plot:
    """How many have which value, stacked by name. Beyond the 99th percentile all are in the last bin."""
    import numpy as np

    everything = np.concatenate([np.asarray(v, float) for v in values.values()])
    end = max(1.0, float(np.percentile(everything, 99)))
    colours = {"accepted": GREEN, "rejected": RED}

    def draw(axes: Any) -> _Margins:
        axes.hist(
            [np.minimum(v, end) for v in values.values()],
            bins=30,
            range=(0, end),
            stacked=True,
            color=[colours.get(name, SERIES[n]) for n, name in enumerate(values)],
            label=list(values),
        )
        axes.set(xlabel=unit, ylabel=noun)
        axes.xaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_formatter("{x:,.0f}")
        axes.yaxis.set_major_locator(_whole())
        axes.grid(axis="y")
        _legend(axes, len(values), least=1)
        return _numbers(axes), 0.0

    return _plot(title, caption, draw)


Points = Sequence[tuple[float, float]]


def lines(
    title: str,
    caption: str,
    across: str,
    unit: str,
    series: Mapping[str, Points],
    colours: Mapping[str, str] | None = None,
) -> Plot:
    """Curves over steps or seconds."""

    def draw(axes: Any) -> _Margins:
        for n, (name, points) in enumerate(series.items()):
            xs, ys = zip(*points, strict=True)
            colour = (colours or {}).get(name, SERIES[n % len(SERIES)])
            marker = "o" if len(points) < 12 else None
            axes.plot(xs, ys, label=_words(name), color=colour, linewidth=1.3, marker=marker, markersize=3)
        axes.set(xlabel=across, ylabel=unit)
        lowest, highest = _span([y for points in series.values() for _, y in points])
        axes.set_ylim(lowest, highest + 0.05 * (highest - lowest))
        axes.grid()
        axes.xaxis.set_major_locator(_whole())
        _legend(axes, len(series))
        return _numbers(axes), 0.0

    return _plot(title, caption, draw)


def _span(values: Sequence[float]) -> tuple[float, float]:
    """The ends of an axis that has 0 on it; (0, 1) where all is 0. A loss may be no number."""
    known = [value for value in values if math.isfinite(value)]
    low, high = min([0.0, *known]), max([0.0, *known])
    return (low, high) if high > low else (0.0, 1.0)


def _ticks(end: float) -> list[float]:
    """Round numbers from 0 to the end, whole ones."""
    from matplotlib.ticker import MaxNLocator

    return [at for at in MaxNLocator(nbins=4, integer=True).tick_values(0, end) if 0 <= at <= end]


def _whole() -> Any:
    from matplotlib.ticker import MaxNLocator

    return MaxNLocator(nbins=7, integer=True)


def _names(axes: Any, names: Sequence[str]) -> float:
    """Writes the names of the bars, the first at the top, and gives the points that they take left of the axes."""
    axes.set_ylim(len(names) - 0.45, -0.55)
    axes.set_yticks([])  # texts instead, at a fraction of a tick's cost
    axes.spines["left"].set_visible(False)
    axes.grid(axis="x")
    for place, name in enumerate(names):
        axes.text(-0.015, place, name, transform=axes.get_yaxis_transform(), ha="right", va="center", color=MUTED)
    return max(map(_width, names), default=0.0)


def _numbers(axes: Any) -> float:
    """The points that the numbers of the vertical axis take, and its unit."""
    return _LINE + max(map(_width, axes.yaxis.get_major_formatter().format_ticks(axes.get_yticks())))


def _legend(axes: Any, entries: int, least: int = 2) -> None:
    """least: entries without which there is none; one is enough where a colour has a meaning."""
    if entries >= least:
        axes.figure.legend(loc="lower left", ncols=min(entries, _COLUMNS), handlelength=1.1, columnspacing=1.2)


_Margins = tuple[float, float]


def _plot(title: str, caption: str, draw: Callable[[Any], _Margins], height: float = 2.7) -> Plot:
    """draw: draws, and gives the points that it needs left of the axes and right of them."""
    import matplotlib
    from matplotlib.backends.backend_svg import FigureCanvasSVG
    from matplotlib.figure import Figure

    with matplotlib.rc_context(_STYLE), warnings.catch_warnings():
        warnings.filterwarnings("ignore", "Glyph", UserWarning)  # the page's font draws the labels, not matplotlib
        figure = Figure(figsize=(WIDTH, height))
        axes = figure.add_axes((0, 0, 1, 1))
        _place(axes, *draw(axes))
        file = io.StringIO()
        # Not savefig, which draws twice; nor a layout of matplotlib's, which draws twice more to measure.
        FigureCanvasSVG(figure).print_svg(file, metadata=dict.fromkeys(("Date", "Creator", "Format", "Type")))
    return Plot(title, caption, _inline(file.getvalue(), f"{title}. {caption}"))


def _place(axes: Any, left: float, right: float) -> None:
    """Gives the axes what is left of the figure by the points at both sides, their numbers and unit, and the legend."""
    width, height = (72 * inches for inches in axes.figure.get_size_inches())
    left, right = left + _PAD, right + _PAD
    bottom = _PAD + 2 * _LINE
    for legend in axes.figure.legends:
        bottom += _LINE * -(-len(legend.texts) // _COLUMNS)
    axes.set_position(
        (left / width, bottom / height, (width - left - right) / width, (height - bottom - _PAD) / height)
    )


def _width(text: str) -> float:
    """Points that a text takes in the plots' size."""
    from matplotlib.font_manager import FontProperties
    from matplotlib.textpath import text_to_path

    return text_to_path.get_text_width_height_descent(text, FontProperties(size=_STYLE["font.size"]), ismath=False)[0]


def _inline(svg: str, description: str) -> str:
    """An SVG file as part of a page: no prolog, no ids that another drawing has too, the page's colours and font."""
    from markupsafe import escape

    svg = svg[svg.index("<svg") :]
    svg = re.sub(r"<metadata>.*?</metadata>\s*", "", svg, flags=re.DOTALL)
    svg = re.sub(r"<style.*?</style>\s*", "", svg, flags=re.DOTALL)  # it would hold for the whole page
    svg = re.sub(r'<g id="[^"]*"', "<g", svg).replace("xlink:href", "href")
    svg = re.sub(
        r'<svg [^>]*?viewBox="([^"]*)"[^>]*>',
        rf'<svg viewBox="\1" role="img" aria-label="{escape(description)}">',
        svg,
        count=1,
    )
    svg = re.sub(r" font-family: [^;\"]*;?", "", svg)  # the page has one
    svg = re.sub(r"(\d\.\d\d)\d+(?!\d*<)", r"\1", svg)  # of places, and not of what a label says
    svg = re.sub(
        r"#0000[01]\d", lambda m: f"var(--{_VARIABLES[m.group()]})" if m.group() in _VARIABLES else m.group(), svg
    )
    return re.sub(r"\s*\n\s*", "\n", svg).strip()


def _words(name: str) -> str:
    return name.replace("_", " ")


def with_count(name: str, count: int) -> str:
    """The label of a group, and in brackets how many it has."""
    name = " ".join(name.split()) or "not told"
    return f"{name if len(name) <= _LABEL else name[: _LABEL - 1] + '…'} ({count:,})"
