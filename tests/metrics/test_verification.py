import numpy as np
import pytest
from scipy.integrate import trapezoid

from mlanet.metrics import cosine_similarity, roc_curve, verification


def slow(scores, first, second):
    """AUC pair by pair, and the error rates at every threshold."""
    same, different = scores[first == second], scores[first != second]
    auc = np.mean([(s > d) + 0.5 * (s == d) for s in same for d in different])
    thresholds = np.linspace(scores.min() - 0.01, scores.max() + 0.01, 20_001)
    missed = np.array([(same < t).mean() for t in thresholds])
    wrong = np.array([(different >= t).mean() for t in thresholds])
    at = np.argmin(np.abs(missed - wrong))
    return auc, (missed[at] + wrong[at]) / 2


def pairs(people=12, each=4, signal=1.0, seed=0):
    rng = np.random.default_rng(seed)
    owner = np.repeat(np.arange(people), each)
    rows = rng.normal(size=(people, 5))[owner] * signal + rng.normal(size=(len(owner), 5))
    a, b = np.triu_indices(len(owner), 1)
    return cosine_similarity(rows, rows)[a, b], owner[a], owner[b]


@pytest.mark.parametrize("signal", [0.0, 0.7, 3.0])
def test_agrees_with_counting_pairs(signal):
    found = verification(*pairs(signal=signal), resamples=5)
    auc, eer = slow(*pairs(signal=signal))
    assert found.auc == pytest.approx(auc, abs=1e-12)
    assert found.eer == pytest.approx(eer, abs=0.02)
    assert (found.same, found.different) == (12 * 6, 48 * 47 // 2 - 12 * 6)


def test_ties_count_half_and_order_is_all_that_matters():
    scores, first, second = pairs()
    coarse = np.round(scores, 1)
    assert verification(coarse, first, second, resamples=0).auc == pytest.approx(
        slow(coarse, first, second)[0]
    )
    one, other = (verification(s, first, second, resamples=9) for s in (scores, np.exp(scores)))
    assert one == other
    assert verification(np.zeros(len(scores)), first, second, resamples=0).auc == 0.5


def test_perfect_and_inverted_scores():
    _, first, second = pairs()
    right = (first == second).astype(float)
    assert verification(right, first, second).auc == 1.0
    assert verification(right, first, second).eer == 0.0
    assert verification(-right, first, second).auc == 0.0


@pytest.mark.parametrize("digits", [9, 1, 0])
def test_the_area_under_the_curve_is_the_auc(digits):
    scores, first, second = pairs()
    scores = np.round(scores, digits)
    found = verification(scores, first, second, resamples=0)
    curve = roc_curve(scores, first == second, 20_001)
    assert trapezoid(curve.right, curve.wrong) == pytest.approx(found.auc, abs=1e-4)
    assert trapezoid(found.roc.right, found.roc.wrong) == pytest.approx(found.auc, abs=5e-3)
    for share in (found.roc.right, found.roc.wrong):
        assert (share[0], share[-1]) == (0.0, 1.0)
        assert (np.diff(share) >= 0).all()


def test_the_curve_passes_a_pair_of_one_person_upwards_and_one_of_two_to_the_right():
    scores, same = np.array([1.0, 2.0, 3.0, 4.0]), np.array([False, True, False, True])
    curve = roc_curve(scores, same, 5)
    assert curve.right.tolist() == [0.0, 0.5, 0.5, 1.0, 1.0]
    assert curve.wrong.tolist() == [0.0, 0.0, 0.5, 0.5, 1.0]
    tied = roc_curve(np.zeros(4), same, 3)
    assert tied.right.tolist() == tied.wrong.tolist() == [0.0, 0.5, 1.0]


def test_a_draw_weighs_pairs_as_repeated_people_would():
    """Weights are those of the data set in which people occur several times under new names."""
    from mlanet.metrics.verification import _Pairs

    scores, first, second = pairs(people=4, each=3)
    times = np.array([2, 0, 1, 3])
    copies = [(p, c) for p in range(4) for c in range(times[p])]
    many = [
        (s, i if p == q else -1 - i, j)
        for s, p, q in zip(scores, first, second, strict=True)
        for i, a in enumerate(copies)
        for j, b in enumerate(copies)
        if (a[0], b[0]) == (p, q) and (p != q or i == j)
    ]
    repeated = [np.array(column) for column in zip(*many, strict=True)]
    weighted = _Pairs.sorted_by_score(scores, first, second).rates(times)
    assert weighted[0] == pytest.approx(slow(*repeated)[0], abs=1e-12)


def test_interval_covers_the_truth_as_often_as_it_says():
    truth = np.mean([verification(*pairs(30, 3, seed=k), resamples=0).auc for k in range(60)])
    inside = []
    for seed in range(60, 100):
        found = verification(*pairs(30, 3, seed=seed), resamples=100)
        inside.append(found.auc_low <= truth <= found.auc_high)
    assert 0.8 <= np.mean(inside) <= 1.0
    assert found.auc_low < found.auc < found.auc_high


def test_more_people_make_the_interval_shorter():
    few, many = (verification(*pairs(n, 4), resamples=100) for n in (8, 40))
    assert many.auc_high - many.auc_low < few.auc_high - few.auc_low


@pytest.mark.parametrize(
    ("scores", "first", "second"),
    [
        ([0.1, 0.2], [0, 1], [0, 1]),
        ([0.1, 0.2], [0, 1], [1, 0]),
        ([np.nan, 0.2], [0, 1], [0, 0]),
        ([0.1], [0, 1], [0, 0]),
    ],
)
def test_what_cannot_be_scored_is_refused(scores, first, second):
    with pytest.raises(ValueError, match=r"pairs|finite|expected"):
        verification(np.array(scores), np.array(first), np.array(second))


def test_a_zero_row_is_like_nothing():
    found = cosine_similarity(np.array([[0.0, 0.0], [2.0, 0.0]]), np.array([[3.0, 0.0]]))
    assert found.tolist() == [[0.0], [1.0]]
