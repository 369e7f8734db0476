"""Light on normals, for tensors on the CPU."""

from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor
from torch.autograd.function import once_differentiable

from mlanet.geometry import POLYNOMIAL_LIGHT
from mlanet.render.parallel import for_each_image


def shading_by_loops(
    normals: Float[Tensor, "b n 3"], lighting: Float[Tensor, "b 9 3"]
) -> Float[Tensor, "b n 3"]:
    """`mlanet.geometry.shading` by the compiled loops."""
    scale = torch.tensor(POLYNOMIAL_LIGHT, dtype=torch.float64)[:, None]
    return _Shading.apply(normals, lighting.to(torch.float64) * scale)


class _Shading(torch.autograd.Function):
    @staticmethod
    def forward(ctx: Any, normals: Tensor, light: Tensor) -> Tensor:
        from mlanet.render._numba.light import shade_normals

        normals, light = normals.detach().contiguous(), light.detach().contiguous()
        shaded = torch.empty_like(normals)
        ctx.threads = torch.get_num_threads()
        places, lights, targets = normals.numpy(), light.numpy(), shaded.numpy()
        for_each_image(
            lambda k: shade_normals(places[k], lights[k], targets[k]), len(places), ctx.threads
        )
        ctx.save_for_backward(normals, light)
        return shaded

    @staticmethod
    @once_differentiable
    def backward(  # pyright: ignore[reportIncompatibleMethodOverride]
        ctx: Any, *gradients: Tensor
    ) -> tuple[Tensor, Tensor]:
        from mlanet.render._numba.light import shade_backward

        normals, light = ctx.saved_tensors
        d_normals, d_light = torch.empty_like(normals), torch.zeros_like(light)
        places, lights = normals.numpy(), light.numpy()
        d_shaded = np.ascontiguousarray(gradients[0].detach().numpy())
        d_places, d_lights = d_normals.numpy(), d_light.numpy()

        def shade(k: int) -> None:
            shade_backward(places[k], lights[k], d_shaded[k], d_places[k], d_lights[k])

        for_each_image(shade, len(places), ctx.threads)
        return d_normals, d_light
