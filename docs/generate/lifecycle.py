"""The life of a server, as a drawing and as tables, from ``perijove.servers.lifecycle``."""

import ast
import inspect
from enum import Enum
from html import escape

from perijove.domain.servers import State
from perijove.servers.lifecycle import MOVES, Move, sources, target

BOX_W, BOX_H, GAP, TOP, DOWN = 104, 40, 76, 30, 150


def sentences(kind: type[Enum]) -> dict[str, str]:
    """Member name -> the sentence that stands under it in the source."""
    (definition,) = ast.parse(inspect.getsource(kind)).body
    assert isinstance(definition, ast.ClassDef)
    found: dict[str, str] = {}
    for member, text in zip(definition.body, definition.body[1:], strict=False):
        if isinstance(member, ast.Assign) and isinstance(text, ast.Expr):
            assert isinstance(member.targets[0], ast.Name)
            assert isinstance(text.value, ast.Constant)
            found[member.targets[0].id] = " ".join(str(text.value.value).split())
    return found


def tables() -> str:
    """Two Markdown tables: the states, and the moves between them."""
    states, moves = sentences(State), sentences(Move)
    lines = ["| state | meaning |", "|---|---|"]
    lines += [f"| `{state.value}` | {states[state.name]} |" for state in State]
    lines += ["", "| move | from | to | when |", "|---|---|---|---|"]
    for move in Move:
        before = ", ".join(f"`{s.value}`" for s in State if s in sources(move))
        lines.append(f"| {move.value} | {before} | `{target(move).value}` | {moves[move.name]} |")
    return "\n".join(lines) + "\n"


def _places() -> dict[State, tuple[float, float]]:
    """Upper left corners: the way up in one row, what is not on it in the row below."""
    way, state = [State.STOPPED], State.STOPPED
    while True:
        onward = [
            target(move)
            for move in MOVES
            if state in sources(move) and len(sources(move)) == 1 and target(move) not in way
        ]
        if not onward:
            break
        state = onward[0]
        way.append(state)
    places = {state: (10.0 + i * (BOX_W + GAP), float(TOP)) for i, state in enumerate(way)}
    rest = [state for state in State if state not in places]
    middle = (len(way) - 1) / 2 * (BOX_W + GAP)
    for i, state in enumerate(rest):
        places[state] = (10 + middle + i * (BOX_W + GAP), float(TOP + DOWN))
    return places


def _arrow(start: tuple[float, float], end: tuple[float, float], label: str) -> str:
    """A straight arrow with its name at the middle."""
    (x1, y1), (x2, y2) = start, end
    text = ""
    if label:
        # Above a level arrow, beside a slanted one.
        level = y1 == y2
        place = f'x="{(x1 + x2) / 2 - (0 if level else 14):g}" y="{(y1 + y2) / 2 - 6 * level:g}"'
        anchor = "middle" if level else "end"
        text = f'<text class="move" {place} text-anchor="{anchor}">{escape(label)}</text>'
    return f'<line x1="{x1:g}" y1="{y1:g}" x2="{x2:g}" y2="{y2:g}" marker-end="url(#tip)"/>{text}'


def _edge(places: dict[State, tuple[float, float]], start: State, end: State, label: str) -> str:
    """The arrow of one move between two boxes; a move to itself has none."""
    if start is end:
        return ""
    (x1, y1), (x2, y2) = places[start], places[end]
    if y1 == y2:
        return _arrow((x1 + BOX_W, y1 + BOX_H / 2), (x2, y2 + BOX_H / 2), label)
    upward = y2 < y1
    begin = (x1 if upward else x1 + BOX_W / 2, y1 + BOX_H / 2 if upward else y1 + BOX_H)
    finish = (x2 + BOX_W / 2, y2 + BOX_H if upward else y2)
    return _arrow(begin, finish, label)


def drawing() -> str:
    """The diagram as SVG, readable on light and dark pages."""
    places = _places()
    width = max(x for x, _ in places.values()) + BOX_W + 10
    height = max(y for _, y in places.values()) + BOX_H + 20
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width:g} {height:g}" role="img">',
        "<title>States of a server and the moves between them</title>",
        "<style>text{font:13px sans-serif;fill:#767676}text.state{font-weight:bold;fill:#1a1a1a}"
        "rect{fill:#f4d9c6;stroke:#a5532a}line{stroke:#767676}</style>",
        '<defs><marker id="tip" markerWidth="9" markerHeight="8" refX="8" refY="4" orient="auto">'
        '<path d="M0,0 L9,4 L0,8 z" fill="#767676"/></marker></defs>',
    ]
    for move in Move:
        named = False
        for state in sorted(sources(move), key=lambda s: places[s]):
            one = _edge(places, state, target(move), "" if named else move.value)
            named = named or bool(one)
            parts.append(one)
    for state, (x, y) in places.items():
        parts.append(f'<rect x="{x:g}" y="{y:g}" width="{BOX_W}" height="{BOX_H}" rx="6"/>')
        place = f'x="{x + BOX_W / 2:g}" y="{y + BOX_H / 2 + 5:g}"'
        parts.append(f'<text class="state" {place} text-anchor="middle">{state.value}</text>')
    return "\n".join([*parts, "</svg>", ""])
