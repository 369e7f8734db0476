"""How people are followed."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class TrackerConfig:
    """When the detector is asked, and what counts as one person.

    Attributes:
        detect_every_s: new people are looked for so often.
        search_every_s: so often while somebody is lost who was seen in the last `search_for_s`.
        search_for_s: how long people who were lost are searched for in short intervals, and waited
            for before it is settled who those are whom they met.
        remember_s: how long people are remembered who are not seen.
        least_resemblance: correlation of a face's pictures in two frames; below it the detector
            is asked.
        most_displacement: how far a face may be off the square that it was expected in, in sides.
        most_overlap: of two faces' squares; above it the detector is asked who is there.
        least_iou: of a detection's square and that of the track it belongs to.
        most_distance: of a face that comes back from what is known of the person (`Looks`).
        nearby: how many times that is allowed where the person was just lost: hardly ever does
            somebody new appear there.
        hidden: the same, of people lost beside others: faces that are still half hidden look
            unlike themselves, and who it is will be settled.
        least_overlap: of two faces' squares; below it they do not hide one another.
        settle_s: people who appeared or met are looked at for so long, alone, before it is settled
            who they are.
        margin: in `Looks.distance`, by which others must fit better than the numbers people have.
        max_missed: detections in a row that may miss a face which is followed.
        max_people: at once.
    """

    detect_every_s: float = 1.0
    search_every_s: float = 0.1
    search_for_s: float = 2.0
    remember_s: float = 120.0
    least_resemblance: float = 0.4
    most_displacement: float = 0.3
    most_overlap: float = 0.3
    least_iou: float = 0.3
    most_distance: float = 6.0
    nearby: float = 3.0
    hidden: float = 9.0
    least_overlap: float = 0.05
    settle_s: float = 0.2
    margin: float = 1.0
    max_missed: int = 1
    max_people: int = 16
