"""The way of many customers through what they wrote and what happened to them, ready for the filter; parts of it, too.

A state of one day can be kept as a label: as the filter takes classes that never change (the paces), six labels times
the K paces are 6K classes, label by label. Walked on from there, a belief (6K, n, 6) is the joint distribution of the
state then, the pace and the state now, which smoothing would need a second pass for.
"""

from dataclasses import dataclass, replace
from typing import Final

import numpy as np

from pipeline.histories import DAY, Histories
from pipeline.mood_model import (
    SALE,
    Course,
    Filtered,
    Floats,
    Integers,
    MoodFilter,
    Parameters,
    lead_evidence,
    message_evidence,
    run_filter,
)
from pipeline.records import STATES

_LABELS: Final = len(STATES)


@dataclass(frozen=True, slots=True, eq=False)
class Walk:
    """N messages and events of C customers as the filter takes them."""

    course: Course
    likelihood: Floats
    """N x 6."""
    said: Floats
    """N, how likely the message states a departure, where it is labelled so; else 0."""
    sold: Floats
    """C, the day of the last sale before the first message; minus infinity for none."""

    @classmethod
    def of(cls, histories: Histories, parameters: Parameters) -> "Walk":
        """Weigh what was read and find contacts."""
        labelled = histories.says_leave
        usual = np.where(labelled, 1.0, parameters.leave_usual)
        voiced = np.where(np.isnan(histories.leaving), usual, histories.leaving)
        likelihood = message_evidence(parameters, histories.mood, histories.rating, voiced, histories.channels)
        sold, days = _sold(histories), histories.sent_at / DAY
        course = Course.of(histories.codes, days, histories.threads, parameters, histories.events, sold)
        course = replace(course, lead=_lead(histories, course, parameters))
        return cls(course, likelihood, np.where(labelled, voiced, 0.0), sold)

    def part(self, begin: Integers, end: Integers) -> "Walk":
        """Return the messages ``begin`` to before ``end`` (C each) of every customer; who has none is left out."""
        counts = end - begin
        chosen = counts > 0
        rows = spread(self.course.starts[chosen] + begin[chosen], counts[chosen])
        starts = np.cumsum(counts[chosen]) - counts[chosen]
        course = self.course
        per_row = (course.gaps[rows], course.opens[rows], course.threaded[rows], course.events[rows])
        lead = None if course.lead is None else course.lead[chosen]
        part = Course(starts, counts[chosen], *per_row, course.probation[rows], course.probation_left[chosen], lead)
        return Walk(part, self.likelihood[rows], self.said[rows], self.sold[chosen])

    def without(self, left_out: Integers, customers: Integers, histories: Histories, parameters: Parameters) -> "Walk":
        """Return copies of ``customers`` (D), each without one of its rows, ``left_out`` (D), as if it never was."""
        counts = self.course.counts[customers]
        rows = spread(self.course.starts[customers], counts)
        copies = np.repeat(np.arange(len(left_out)), counts)
        kept = rows != left_out[copies]
        rows, copies, sold = rows[kept], copies[kept], self.sold[customers]
        days, events = histories.sent_at[rows] / DAY, histories.events[rows]
        course = Course.of(copies, days, histories.threads[rows], parameters, events, sold)
        lead = None if self.course.lead is None else self.course.lead[customers]
        return Walk(replace(course, lead=lead), self.likelihood[rows], self.said[rows], sold)

    def run(
        self, machine: MoodFilter, anchor: Integers | None = None, start: tuple[Floats, Floats] | None = None
    ) -> Filtered:
        """Run the filter; see ``pipeline.mood_model.run_filter``."""
        kept = self.course.counts if anchor is None else anchor
        return run_filter(machine, self.course, self.likelihood, self.said, kept, start)

    def sooner(self, days: Floats) -> "Walk":
        """Return the same with every customer's first gap shorter by ``days`` (C)."""
        shorter = np.zeros(len(self.said))
        shorter[self.course.starts] = days
        gaps, probation = (np.maximum(column - shorter, 0.0) for column in (self.course.gaps, self.course.probation))
        return replace(self, course=replace(self.course, gaps=gaps, probation=probation))


def _sold(histories: Histories) -> Floats:
    earlier, sold = histories.earlier, np.full(len(histories.as_of), -np.inf)
    sales = earlier.kinds == SALE
    np.maximum.at(sold, earlier.codes[sales], earlier.at[sales] / DAY)
    return sold


def _lead(histories: Histories, course: Course, parameters: Parameters) -> Floats | None:
    """Return (C, 6) what the events before each customer's first message say of the mood then; None without any."""
    earlier = histories.earlier
    if not len(earlier.codes):
        return None
    customers, codes = np.unique(earlier.codes, return_inverse=True)
    happened = Course.of(codes, earlier.at / DAY, np.full(len(codes), -1), parameters, earlier.kinds)
    lead = np.ones((len(histories.as_of), len(STATES)))
    until = (histories.sent_at[course.starts[customers]] - earlier.at[happened.ends]) / DAY
    lead[customers] = lead_evidence(parameters, happened, until)
    return lead


def spread(starts: Integers, counts: Integers) -> Integers:
    """Return the rows of many stretches, one after the other."""
    offsets = np.repeat(starts - (np.cumsum(counts) - counts), counts)
    return np.asarray(offsets + np.arange(counts.sum()), dtype=np.int64)


def labelling(parameters: Parameters) -> MoodFilter:
    """Return a filter whose classes are six labels times the paces."""
    weights = np.tile(parameters.pace_weights, _LABELS) / _LABELS
    return MoodFilter(replace(parameters, paces=np.tile(parameters.paces, _LABELS), pace_weights=weights))


def labelled(belief: Floats) -> Floats:
    """Return a belief (K, n, 6) as (6K, n, 6), where each label stands on its own state."""
    paces, count, _ = belief.shape
    result = np.zeros((_LABELS, paces, count, _LABELS))
    for label in range(_LABELS):
        result[label, :, :, label] = belief[:, :, label]
    return result.reshape(_LABELS * paces, count, _LABELS)


def unlabelled(belief: Floats) -> Floats:
    """Return a labelled belief (6K, n, 6) as (K, n, 6)."""
    return np.asarray(_by_label(belief).sum(0))


def then_and_now(belief: Floats) -> Floats:
    """Return the joint distribution of the labels and the states, (n, 6, 6), of a labelled belief."""
    return np.asarray(_by_label(belief).sum(1).transpose(1, 0, 2))


def _by_label(belief: Floats) -> Floats:
    classes, count, states = belief.shape
    return belief.reshape(_LABELS, classes // _LABELS, count, states)
