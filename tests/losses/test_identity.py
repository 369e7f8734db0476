import math

import pytest

torch = pytest.importorskip("torch", reason="needs the extra train")

from mlanet.losses import identity_distance, person_contrast
from mlanet.losses.identity import whitened


def test_alike_unrelated_and_opposite():
    a = torch.tensor([[1.0, 0.0], [1.0, 0.0], [1.0, 0.0]])
    b = torch.tensor([[3.0, 0.0], [0.0, 2.0], [-0.1, 0.0]])
    assert identity_distance(a, b).tolist() == pytest.approx([0.0, 1.0, 2.0])


def test_gradients():
    generator = torch.Generator().manual_seed(0)
    pair = torch.randn((2, 3, 8), generator=generator, dtype=torch.float64)
    assert torch.autograd.gradcheck(identity_distance, (pair[0].requires_grad_(), pair[1]))


def noisy_people(apart, seed=0):
    """Twelve pictures of four people, and two of nobody knows whom."""
    generator = torch.Generator().manual_seed(seed)
    person = torch.tensor([0, 1, 2, 3, -1, 0, 1, 2, 3, -1, 0, 1, 2, 3])
    own = torch.randn((5, 6), generator=generator, dtype=torch.float64)
    noise = torch.randn((14, 6), generator=generator, dtype=torch.float64)
    return apart * own[person] + noise, person


def test_contrast_is_what_the_equation_says_written_out():
    identity, person = noisy_people(1.0)
    rows = whitened(identity)
    rows = [row / row.norm() for row in rows]
    found = person_contrast(identity, person, 0.2).tolist()
    for i, row in enumerate(rows):
        others = [j for j in range(14) if j != i]
        total = sum(math.exp(float(row @ rows[j]) / 0.2) for j in others)
        same = [j for j in others if person[j] == person[i] and person[i] >= 0]
        wanted = [-math.log(math.exp(float(row @ rows[j]) / 0.2) / total) for j in same]
        assert found[i] == pytest.approx(sum(wanted) / max(len(wanted), 1))
    assert found[4] == found[9] == 0.0


def test_contrast_falls_as_people_come_apart():
    near, far = (float(person_contrast(*noisy_people(a)).mean()) for a in (0.3, 3.0))
    assert far < 0.5 * near


def test_contrast_does_not_mind_units_and_offsets():
    identity, person = noisy_people(1.0)
    changed = identity * torch.tensor([3.0, 0.2, 1.0, 1.0, 5.0, 1.0]) + 2.0
    torch.testing.assert_close(
        person_contrast(changed, person), person_contrast(identity, person), rtol=1e-3, atol=0
    )


def test_a_step_along_the_contrasts_gradient_helps():
    identity, person = noisy_people(1.0)
    identity.requires_grad_()
    before = person_contrast(identity, person).mean()
    (gradient,) = torch.autograd.grad(before, identity)
    after = person_contrast(identity - 0.05 * gradient / gradient.norm(), person).mean()
    assert after.item() < before.item()


def test_pictures_of_one_person_alone_have_nothing_to_compare():
    alone = person_contrast(torch.randn(5, 8), torch.arange(5))
    assert alone.tolist() == [0.0] * 5
