"""Charts as SVG: lines over a logarithmic axis, drawn without any library."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape
from math import log10

Points = Sequence[tuple[float, float]]
COLOURS = ("#0b6bcb", "#c2410c", "#15803d", "#7e22ce")
WIDTH, HEIGHT, LEFT, RIGHT, TOP, BOTTOM = 420, 260, 46, 20, 34, 64
MARGIN = 30
"""Room at the right end for the last number of the axis and the last name, which stand out."""

TICKS = 4
STYLE = "text{font:12px sans-serif;fill:#444} .title{font-size:14px;fill:#111} .axis{stroke:#999} .grid{stroke:#ddd}"


def svg(panels: Sequence[tuple[str, Mapping[str, Points]]]) -> str:
    """The panels side by side: each a title, and its lines by name. All x are from 1 on, and no y is negative."""
    drawn = "\n".join(f'<g transform="translate({number * WIDTH} 0)">\n{_panel(*panel)}\n</g>' for number, panel in enumerate(panels))
    width = WIDTH * len(panels) + MARGIN
    size = f'width="{width}" height="{HEIGHT}" viewBox="0 0 {width} {HEIGHT}"'
    paper = '<rect width="100%" height="100%" fill="#fff"/>'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}>\n<style>{STYLE}</style>\n{paper}\n{drawn}\n</svg>\n'


def _panel(title: str, lines: Mapping[str, Points]) -> str:
    xs = sorted({x for points in lines.values() for x, _ in points})
    top = _top(max(y for points in lines.values() for _, y in points))
    parts = [f'<text class="title" x="{LEFT}" y="20">{escape(title)}</text>', *_grid(top), *_below(xs)]
    for number, (name, points) in enumerate(lines.items()):
        parts += _line(name, [_place(x, y, xs, top) for x, y in points], number)
    return "\n".join(parts)


def _top(most: float) -> float:
    """A round number that is not less, and that can be halved twice."""
    size = 10.0 ** int(log10(max(most, 1)))
    return next(size * step for step in (1, 2, 4, 6, 8, 10, 12, 20) if size * step >= most)


def _place(x: float, y: float, xs: Sequence[float], top: float) -> tuple[float, float]:
    first, last = log10(xs[0]), log10(xs[-1])
    across = (log10(x) - first) / (last - first) if last > first else 0.5
    return LEFT + across * (WIDTH - LEFT - RIGHT), HEIGHT - BOTTOM - y / top * (HEIGHT - TOP - BOTTOM)


def _grid(top: float) -> list[str]:
    parts = []
    for tick in range(TICKS + 1):
        value = top * tick / TICKS
        _, y = _place(1, value, (1,), top)
        parts.append(f'<line class="{"grid" if tick else "axis"}" x1="{LEFT}" x2="{WIDTH - RIGHT}" y1="{y:.1f}" y2="{y:.1f}"/>')
        parts.append(f'<text x="{LEFT - 6}" y="{y + 4:.1f}" text-anchor="end">{value:g}</text>')
    return parts


def _below(xs: Sequence[float]) -> list[str]:
    places = [(x, _place(x, 0, xs, 1)[0]) for x in xs]
    return [f'<text x="{at:.1f}" y="{HEIGHT - BOTTOM + 16}" text-anchor="middle">{x:,.0f}</text>' for x, at in places]


def _line(name: str, points: Sequence[tuple[float, float]], number: int) -> list[str]:
    colour = COLOURS[number % len(COLOURS)]
    path = " ".join(f"{x:.1f},{y:.1f}" for x, y in points)
    dots = [f'<circle cx="{x:.1f}" cy="{y:.1f}" r="3" fill="{colour}"/>' for x, y in points]
    x, y = LEFT + number % 2 * 190, HEIGHT - BOTTOM + 36 + number // 2 * 16
    key = f'<rect x="{x}" y="{y - 9}" width="10" height="10" fill="{colour}"/><text x="{x + 15}" y="{y}">{escape(name)}</text>'
    return [f'<polyline fill="none" stroke="{colour}" stroke-width="2" points="{path}"/>', *dots, key]
