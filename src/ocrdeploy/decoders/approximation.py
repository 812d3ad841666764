"""Polygons with fewer vertices: the algorithm of Ramer (1972), Douglas and Peucker (1973) on many contours at once.

This is `cv2.approxPolyDP` of OpenCV up to 4.12, vertex by vertex. It is written out here because OpenCV 4.13 measures
the distance to the chord itself where older versions measure it to the line through the chord: on the probability
maps of a trained DBNet one quadrilateral in a hundred comes out otherwise (intersection over union below 0.99), so the
installed version of OpenCV would decide what a model finds.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .polygons import Rings, make_rings

FARTHEST_POINT_ROUNDS = 3
"""How often the farthest point is looked for, each time from the last one found, to find two points far apart."""

_Floats = NDArray[np.float64]
_Indices = NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class _Chains:
    """The contours as open chains that end where they begin, so that no index wraps around.

    Chain i is `x[starts[i]:ends[i] + 1]`, and `middles[i]` is the vertex of it that is farthest from its beginning.
    """

    x: _Floats
    y: _Floats
    starts: _Indices
    middles: _Indices
    ends: _Indices


def approximate(contours: Rings, tolerances: NDArray[np.float64], min_vertices: int) -> Rings:
    """Leave out the vertices of closed contours without which they stay within a tolerance.

    The vertices that remain are those of OpenCV up to 4.12, in its order.

    Args:
        contours: The contours; not changed.
        tolerances: Shape (R,), in pixels, none below zero: how far a vertex that is left out may be from the line
            through its neighbours that remain.
        min_vertices: Contours of which fewer vertices would remain are left out. At least 3.

    Returns:
        The contours that remain, in order.
    """
    kept = np.flatnonzero(np.diff(contours.offsets) >= min_vertices)
    if not len(kept):
        return make_rings([])
    rings = contours.split()
    contours = make_rings([rings[index] for index in kept])
    squares = tolerances[kept] ** 2
    chains = _open_chains(contours)
    return _clean_up(chains, _split_chains(chains, squares), squares, min_vertices)


def _open_chains(contours: Rings) -> _Chains:
    """Cut each contour at one end of what is, roughly, its longest diagonal."""
    x, y = contours.points.T.astype(np.float64)
    first, count = contours.offsets[:-1], np.diff(contours.offsets)
    ring = np.repeat(np.arange(len(contours)), count)
    place = np.arange(len(x)) - first[ring]
    cut = np.zeros_like(count)
    step = np.zeros_like(count)
    for _ in range(FARTHEST_POINT_ROUNDS):
        cut = (cut + step) % count
        squares = (x - x[first + cut][ring]) ** 2 + (y - y[first + cut][ring]) ** 2
        reach = np.maximum.reduceat(squares, first)
        # Of several farthest vertices it is the first one on the way around from the cut.
        steps = place - cut[ring]
        steps += (steps < 0) * count[ring]
        steps[squares < reach[ring]] = len(x)
        step = np.where(reach > 0, np.minimum.reduceat(steps, first), step)
    starts = first + np.arange(len(contours))
    ring = np.repeat(np.arange(len(contours)), count + 1)
    turn = np.arange(len(ring)) - starts[ring] + cut[ring]
    turn -= (turn >= count[ring]) * count[ring]
    source = first[ring] + turn
    return _Chains(x[source], y[source], starts, starts + step, starts + count)


def _split_chains(chains: _Chains, squares: _Floats) -> NDArray[np.bool_]:
    """Mark the vertices that remain: all chains are split at once, level by level."""
    x, y = chains.x, chains.y
    remaining = np.zeros(len(x), bool)
    remaining[chains.starts] = remaining[chains.middles] = True
    start = np.concatenate([chains.starts, chains.middles])
    end = np.concatenate([chains.middles, chains.ends])
    limit = np.concatenate([squares, squares])
    while True:
        inner = end - start - 1
        has_inner = inner > 0
        if not has_inner.any():
            return remaining
        start, end, limit, inner = start[has_inner], end[has_inner], limit[has_inner], inner[has_inner]
        x_start, y_start = x[start], y[start]
        dx, dy = x[end] - x_start, y[end] - y_start
        chord = np.repeat(np.arange(len(start)), inner)
        first = np.cumsum(inner) - inner
        vertex = np.arange(len(chord)) + (start + 1 - first)[chord]
        # Twice the area of the triangle of vertex and chord, an exact integer.
        doubled = np.abs((y[vertex] - y_start[chord]) * dx[chord] - (x[vertex] - x_start[chord]) * dy[chord])
        largest = np.maximum.reduceat(doubled, first)
        is_far = largest * largest > limit * (dx * dx + dy * dy)
        hits = np.flatnonzero(doubled == largest[chord])
        farthest = vertex[hits[np.searchsorted(chord[hits], np.flatnonzero(is_far))]]
        remaining[farthest] = True
        start, end = np.concatenate([start[is_far], farthest]), np.concatenate([farthest, end[is_far]])
        limit = np.concatenate([limit[is_far], limit[is_far]])


def _clean_up(chains: _Chains, remaining: NDArray[np.bool_], squares: _Floats, min_vertices: int) -> Rings:
    """Remove vertices between neighbours on an almost straight line, and contours with too few vertices."""
    count = np.add.reduceat(remaining, chains.starts, dtype=np.intp)
    enough = count >= min_vertices
    remaining &= np.repeat(enough, chains.ends - chains.starts + 1)
    points = np.stack([chains.x[remaining], chains.y[remaining]], axis=1).astype(np.int32)
    rings = Rings(points, np.concatenate([[0], np.cumsum(count[enough])]))
    if not len(rings):
        return rings
    limits = 0.5 * squares[enough]
    affected = _has_flat_vertex(rings, limits)
    if not affected.any():
        return rings
    polygons = rings.split()
    for index in np.flatnonzero(affected).tolist():
        polygons[index] = np.array(_without_flat_vertices(polygons[index].tolist(), limits[index]), np.int32)
    return make_rings([polygon for polygon in polygons if len(polygon) >= min_vertices])


def _has_flat_vertex(rings: Rings, limits: _Floats) -> NDArray[np.bool_]:
    """Tell which rings `_without_flat_vertices` would change; most stay as they are."""
    first, last = rings.offsets[:-1], rings.offsets[1:] - 1
    points = rings.points.astype(np.int64)
    before, after = np.roll(points, 1, axis=0), np.roll(points, -1, axis=0)
    before[first], after[last] = points[last], points[first]
    incoming, outgoing, chord = points - before, after - points, after - before
    doubled = incoming[:, 0] * chord[:, 1] - incoming[:, 1] * chord[:, 0]
    limit = np.repeat(limits, np.diff(rings.offsets))
    is_flat = (
        (doubled * doubled <= limit * (chord * chord).sum(axis=1))
        & (chord != 0).all(axis=1)
        & ((incoming * outgoing).sum(axis=1) >= 0)
    )
    return np.logical_or.reduceat(is_flat, first)


def _without_flat_vertices(vertices: list[list[int]], limit: float) -> list[list[int]]:
    """Remove vertices on almost straight slanted lines; after each one OpenCV skips a vertex, and so does this."""
    kept: list[list[int]] = []
    before, vertex = vertices[-1], vertices[0]
    left = len(vertices)
    index = 0
    while index < len(vertices) and left > 2:
        index += 1
        after = vertices[index] if index < len(vertices) else kept[0]
        dx, dy = after[0] - before[0], after[1] - before[1]
        x_in, y_in = vertex[0] - before[0], vertex[1] - before[1]
        doubled = x_in * dy - y_in * dx
        goes_on = x_in * (after[0] - vertex[0]) + y_in * (after[1] - vertex[1]) >= 0
        if doubled * doubled <= limit * (dx * dx + dy * dy) and dx and dy and goes_on:
            left -= 1
            index += 1
            kept.append(after)
            before, vertex = after, vertices[index % len(vertices)]
        else:
            kept.append(vertex)
            before, vertex = vertex, after
    return kept[:left]
