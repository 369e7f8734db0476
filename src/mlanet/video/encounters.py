"""Who is who after people appear or meet: settled once they are apart again.

While one face half hides another, what is seen says little about whose it is. What was known of
people before they met is kept as it was, what is seen after is gathered anew, and all ways of
joining the two are compared at once.
"""

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from mlanet.geometry import box_iou
from mlanet.reconstruction import Reconstruction
from mlanet.video.matching import assign
from mlanet.video.person import Person
from mlanet.video.track import Track, square_of
from mlanet.video.tracker_config import TrackerConfig


class Encounters:
    """Numbers of people, and of the stretches of frames that surely show one person each.

    Attributes:
        numbers: whose each stretch is, as far as is known by now.
        people: numbers given so far.
    """

    def __init__(self, config: TrackerConfig) -> None:
        self.config = config
        self.numbers: list[int] = []
        self.people = 0

    def appear(self, face: Reconstruction, time_s: float, score: float) -> Track:
        """A track of somebody whom nobody resembles."""
        track = Track(self.people, face, time_s, score)
        self.people += 1
        self.begin(track, time_s)
        return track

    def begin(self, track: Track, time_s: float) -> None:
        """A stretch of which it is not certain yet whose it is."""
        track.stretch, track.since_s, track.settled = len(self.numbers), time_s, False
        track.fresh, track.apart_s = Person(), np.inf
        self.numbers.append(track.number)

    def meet(
        self,
        found: Sequence[tuple[Track, Reconstruction]],
        lost: Sequence[Track],
        time_s: float,
    ) -> None:
        """See who comes near whom in this frame, and who is apart again.

        Whoever is in doubt counts as not alone while somebody is missing whom people met.
        """
        missing = any(self._hidden(track, time_s) for track in lost)
        squares = np.stack([square_of(face) for _, face in found]) if found else np.zeros((0, 4))
        overlap = box_iou(squares, squares) - np.eye(len(found))
        near: list[bool] = np.any(overlap > self.config.least_overlap, axis=1).tolist()
        for (track, _), touches in zip(found, near, strict=True):
            if track.settled and touches:
                self.begin(track, time_s)
            elif not track.settled and (touches or missing):
                track.apart_s = np.inf
            elif track.apart_s == np.inf:
                track.apart_s, track.fresh = time_s, Person()

    def part(self, active: Sequence[Track], gone: Track, time_s: float) -> None:
        """Somebody was lost: from here on it is open who of those that met is still seen."""
        if gone.apart_s == np.inf:
            for track in active:
                if track is not gone and track.known.known and track.apart_s == np.inf:
                    self.begin(track, time_s)

    def allowed(self, track: Track, face: Reconstruction, time_s: float) -> float:
        """How unlike a lost person a face may be that is theirs: more, near the last place."""
        config = self.config
        if not track.placed:
            return config.most_distance
        left, seen = square_of(track.face), square_of(face)
        moved = (seen[:2] + seen[2:] - left[:2] - left[2:]) / 2.0
        away = float(np.hypot(*moved)) / (left[2] - left[0])
        gone_s = time_s - track.time_s
        near = float(np.exp(-away / (0.5 + 2.0 * gone_s) - gone_s / config.search_for_s))
        times = config.hidden if self._hidden(track, time_s) else config.nearby
        return config.most_distance * (1.0 + (times - 1.0) * near)

    def _hidden(self, track: Track, time_s: float) -> bool:
        """Whether somebody was lost beside others, and may still be behind them."""
        recent = time_s - track.time_s < self.config.search_for_s
        return track.placed and track.known.known and track.apart_s == np.inf and recent

    def settle(self, active: Sequence[Track], lost: list[Track], time_s: float) -> None:
        """Compare those who have been alone for long enough with all whom they can be.

        These are the lost, and those who met. Numbers are exchanged, or taken over from the lost,
        who then are so no more.
        """
        config = self.config
        ready = [
            track
            for track in active
            if not track.settled and time_s - track.apart_s >= config.settle_s
        ]
        if not ready:
            return
        own = [track for track in ready if track.known.known]
        known = own + [track for track in lost if track.known.known]
        cost = np.array([[self._cost(track, old, old in own) for old in known] for track in ready])
        pairs = dict(assign(cost.reshape(len(ready), len(known)), 1.0))
        numbers, people = [old.number for old in known], [old.known for old in known]
        taken = {numbers[k] for k in pairs.values()}
        for row, track in enumerate(ready):
            if row in pairs:
                number, person = numbers[pairs[row]], people[pairs[row]]
            elif track.number in taken or not track.placed:
                number, person, self.people = self.people, Person(), self.people + 1
            else:
                number, person = track.number, track.known
            if track.known.known and track.number not in {number, *taken}:
                lost.append(replace(track, placed=False))
            self._rename(track, number)
            track.known, track.fresh = person.joined(track.fresh), Person()
            track.settled = track.placed = True
        lost[:] = [track for track in lost if track.number not in taken]

    def _cost(self, track: Track, old: Track, met: bool) -> float:
        """Of being a person known before, met or lost; above 1 it is none."""
        config = self.config
        distance = old.known.looks.distance(track.fresh.looks)
        if old is track and not track.placed:  # back after a cut
            return distance / config.most_distance
        if met:
            own = config.margin if old is track else 0.0
            return (distance - own) / (config.most_distance * config.nearby)
        if old.time_s > track.since_s:
            return np.inf
        return distance / self.allowed(old, track.face, track.time_s)

    def _rename(self, track: Track, number: int) -> None:
        """Give a stretch to somebody; if nobody was known by its number, all with that number."""
        stretches = [track.stretch]
        if not track.known.known:
            stretches = [k for k, each in enumerate(self.numbers) if each == track.number]
        for stretch in stretches:
            self.numbers[stretch] = number
        track.number = number
