"""The likelihood of what customers said, one step ahead, and its slope by everything that it is made of.

The filter is walked once forward; then once backward, which gives the derivative of the loss by each propagator, each
likelihood and the start at once (the adjoint of the recursion, as in reverse-mode differentiation).
"""

from dataclasses import dataclass, fields
from typing import Final

import numpy as np
from scipy.sparse import csr_matrix

from pipeline.mood_model import (
    GONE,
    Floats,
    Integers,
    MoodFilter,
    Parameters,
    run_filter,
    text_evidence,
    tilted_evidence,
)
from pipeline.sequences import Sequences, echo_weights, outcome_shares

_LEAST: Final = 1e-9


def row_evidence(sequences: Sequences, parameters: Parameters, tilt: Floats) -> tuple[Floats, Floats]:
    """Return (N, 6) the chance of each row's outcome in each state, and (N, 6) all that the row says of the state.

    Label and text of one message say the same thing twice, so the text counts with ``rated_text_weight``.
    """
    chance = tilted_evidence(outcome_shares(parameters, sequences.scale), sequences.weights(parameters), tilt)
    text = text_evidence(parameters, sequences.texts(parameters)) ** parameters.rated_text_weight
    said = chance * text
    return chance, np.maximum(said / said.max(1, keepdims=True), _LEAST)


def foresee(sequences: Sequences, parameters: Parameters) -> Floats:
    """Return (N, kinds) probabilities of each row's outcome from what the same customer said before it, and when."""
    course = sequences.course(parameters)
    tilt = sequences.echo(course).tilt(*echo_weights(parameters, sequences.scale), sequences.kindness)
    _, likelihood = row_evidence(sequences, parameters, tilt)
    silent = np.zeros(len(sequences.codes))
    found = run_filter(MoodFilter(parameters), course, likelihood, silent, course.counts)
    return foreseen(found.before, outcome_shares(parameters, sequences.scale), tilt)


def foreseen(states: Floats, shares: Floats, tilt: Floats) -> Floats:
    """Return (N, C), what customers whose states are distributed as ``states`` (N, 6) write, given a tilt (N, C)."""
    odds = np.exp(tilt)
    return np.asarray((states / (odds @ shares.T)) @ shares * odds)


_GRAIN: Final = 0.1
"""Gaps are fitted as if they were the nearest of a grid with steps of 10 %, the seconds among them as one minute."""


@dataclass(frozen=True, slots=True, eq=False)
class Pieces:
    """All that the likelihood of one data set is made of; also, what the objective gains by a little of each."""

    start: Floats
    """(K, 6)"""
    hops: Floats
    """(K, G, 6, 6) from contact to contact, by gap of the grid."""
    turn: Floats
    """(6, 6) from turn to turn."""
    ends: Floats
    """(2, K, E, 6) the chance of the silence at the end, and of having left by then, by state after the last word."""
    chance: Floats
    """(N, 6)"""
    evidence: Floats
    """(N, 6), logarithms."""


class Walk:
    """The likelihood of one data set, and its slope by every piece of it."""

    def __init__(self, sequences: Sequences, start: Parameters) -> None:
        self.sequences, self.course = sequences, sequences.course(start)
        self.echo = sequences.echo(self.course)
        marks = np.round(np.log(self.course.gaps + 1 / 1440) / _GRAIN)
        marks[~self.course.opens] = marks.min(initial=0.0)
        grid, self.bucket = np.unique(marks, return_inverse=True)
        self.grid = np.maximum(np.exp(grid * _GRAIN) - 1 / 1440, 0.0)
        self.timed = sequences.heard is not None
        last = self.course.ends
        heard = sequences.days[last] if sequences.heard is None else sequences.heard
        quiet = np.maximum(heard - sequences.days[last], 0.0)
        ends, self.end = np.unique(np.round(np.log(quiet + 1 / 24) / _GRAIN), return_inverse=True)
        self.quiet = np.maximum(np.exp(ends * _GRAIN) - 1 / 24, 0.0)
        self.left = np.zeros(len(last), dtype=bool) if sequences.left is None else sequences.left
        self.rows, self.order = self.course.steps(), self.course.longest_first()

    def pieces(self, parameters: Parameters) -> Pieces:
        """Return what the likelihood is made of under ``parameters``."""
        return Pieces(**self.moves(parameters), **self.says(parameters))

    def moves(self, parameters: Parameters) -> dict[str, Floats]:
        """Return the pieces that do not look at what was said."""
        machine, six = MoodFilter(parameters), np.eye(GONE + 1)
        ends = machine.waits(self.quiet)
        return {
            "start": parameters.pace_weights[:, None] * parameters.initial,
            "hops": machine.propagators(self.grid),
            "turn": machine.again(six),
            "ends": np.stack([ends.sum(-1), ends[..., GONE]]),
        }

    def says(self, parameters: Parameters, nudged: Floats | float = 0.0) -> dict[str, Floats]:
        """Return the pieces that do; ``nudged`` (kinds) is added to every row's tilt."""
        weights, habit = echo_weights(parameters, self.sequences.scale)
        tilt = self.echo.tilt(weights, habit, self.sequences.kindness) + nudged
        chance, likelihood = row_evidence(self.sequences, parameters, tilt)
        weight = np.where(self.course.opens, 1.0, parameters.turn_weight)[:, None]
        return {"chance": chance, "evidence": np.log(likelihood) * weight}

    def walk(self, pieces: Pieces) -> tuple[float, Pieces]:
        """Return the loss in nats and its slope by each piece."""
        belief, loss = np.repeat(pieces.start[:, None, :], len(self.order), axis=1), 0.0
        track = []
        for step, rows in enumerate(self.rows):
            stride = self._stride(pieces, belief[:, : len(rows)], rows, step > 0)
            belief[:, : len(rows)] = stride.after
            loss -= float(np.log(np.maximum(stride.chance, 1e-300)).sum())
            if self.timed and step:
                loss -= float(np.log(stride.mass[self.course.opens[rows]]).sum())
            track.append(stride)
        slopes = Pieces(*(np.zeros_like(getattr(pieces, one.name)) for one in fields(Pieces)))
        slope = np.zeros_like(belief)
        if self.timed:
            loss += self._end(pieces, slopes, belief, slope)
        for step in reversed(range(len(self.rows))):
            self._back(pieces, slopes, track[step], slope, step)
        return loss, slopes

    def beliefs(self, pieces: Pieces) -> Floats:
        """Return (K, N, 6), the joint distribution of pace and state just after each row."""
        belief = np.repeat(pieces.start[:, None, :], len(self.order), axis=1)
        found = np.empty((len(pieces.start), len(self.course.gaps), GONE + 1))
        for step, rows in enumerate(self.rows):
            stride = self._stride(pieces, belief[:, : len(rows)], rows, step > 0)
            found[:, rows] = belief[:, : len(rows)] = stride.after
        return found

    def _stride(self, pieces: Pieces, before: Floats, rows: Integers, moves: bool) -> "_Stride":
        arrived = self._arrive(pieces, before, rows) if moves else before
        mass = arrived.sum((0, 2))
        predicted = arrived / mass[:, None]
        joint = predicted * np.exp(pieces.evidence[rows])
        total = joint.sum((0, 2))
        chance = (predicted * pieces.chance[rows]).sum((0, 2))
        return _Stride(before.copy(), mass, predicted, chance, total, joint / total[:, None])

    def _arrive(self, pieces: Pieces, before: Floats, rows: Integers) -> Floats:
        opens, arrived = self.course.opens[rows], np.empty_like(before)
        hops = pieces.hops[:, self.bucket[rows[opens]]]
        arrived[:, opens] = np.einsum("kni,knij->knj", before[:, opens], hops)
        arrived[:, ~opens] = before[:, ~opens] @ pieces.turn
        return arrived

    def _end(self, pieces: Pieces, slopes: Pieces, belief: Floats, slope: Floats) -> float:
        """Add the loss of the silence after each customer's last word, and its slopes."""
        left, end = self.left[self.order].astype(np.int64), self.end[self.order]
        chance = np.moveaxis(pieces.ends[left, :, end], 0, 1)
        total = (belief * chance).sum((0, 2))
        slope -= chance / total[:, None]
        paces = np.arange(len(belief))[:, None]
        np.add.at(slopes.ends, (left, paces, end), -belief / total[:, None])
        return -float(np.log(total).sum())

    def _back(self, pieces: Pieces, slopes: Pieces, stride: "_Stride", slope: Floats, step: int) -> None:
        """Carry ``slope`` by the belief after a step to that before it, and book what the pieces in between did."""
        rows = self.rows[step]
        by_after, chance = slope[:, : len(rows)], stride.chance[:, None]
        by_joint = by_after - (by_after * stride.after).sum((0, 2))[:, None]
        slopes.evidence[rows] += (by_joint * stride.after).sum(0)
        slopes.chance[rows] -= stride.predicted.sum(0) / chance
        by_predicted = by_joint * np.exp(pieces.evidence[rows]) / stride.total[:, None] - pieces.chance[rows] / chance
        if not step:
            slopes.start[:] = by_predicted.sum(1)
            return
        by_arrived = by_predicted - (by_predicted * stride.predicted).sum((0, 2))[:, None]
        opens = self.course.opens[rows]
        by_arrived[:, opens] -= float(self.timed)
        by_arrived /= stride.mass[:, None]
        slope[:, : len(rows)] = self._book(pieces, slopes, stride.before, by_arrived, rows)

    def _book(self, pieces: Pieces, slopes: Pieces, before: Floats, by_arrived: Floats, rows: Integers) -> Floats:
        """Book the slopes of hops and turns; return the slope by the belief before them."""
        opens, by_before = self.course.opens[rows], np.empty_like(before)
        places = self.bucket[rows[opens]]
        each = np.einsum("kni,knj->nkij", before[:, opens], by_arrived[:, opens])
        gather = csr_matrix((np.ones(len(places)), (places, np.arange(len(places)))), (len(self.grid), len(places)))
        summed = (gather @ each.reshape(len(places), int(np.prod(each.shape[1:])))).reshape(-1, *each.shape[1:])
        slopes.hops[:] += np.moveaxis(summed, 0, 1)
        slopes.turn[:] += np.einsum("kni,knj->ij", before[:, ~opens], by_arrived[:, ~opens])
        by_before[:, opens] = np.einsum("knj,knij->kni", by_arrived[:, opens], pieces.hops[:, places])
        by_before[:, ~opens] = by_arrived[:, ~opens] @ pieces.turn.T
        return by_before


@dataclass(frozen=True, slots=True, eq=False)
class _Stride:
    """What one step of the walk saw, for the way back: K x n x 6, or n."""

    before: Floats
    mass: Floats
    predicted: Floats
    chance: Floats
    total: Floats
    after: Floats
