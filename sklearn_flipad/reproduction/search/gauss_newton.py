"""Gauss-Newton for one sample, with derivatives by differences."""

import torch

from sklearn_flipad.base.lanes import in_lanes

__all__ = ["jacobian", "levenberg_marquardt"]

#: Step of the differences, relative to the deviation of the latents. The generator's values
#: carry about seven digits, so the derivatives carry about four.
_STEP = 1e-3
#: Dampings that are tried at once, as multiples of the last that was best.
_DAMPINGS = (1e-6, 1e-4, 1e-2, 1e-1, 1.0, 1e1, 1e2, 1e4)
#: Times that one Jacobian is used.
_N_USES = 2
#: Relative decrease of the squared distance below which the search has come to its end.
_PROGRESS = 0.01


def jacobian(objective, latents, conditions, target, scale):
    """Residuals of one sample, and their derivatives by its latents.

    Latents have shape (1, n_features), the condition (1,), the target (1, *sample_shape), and
    `scale`, the deviations of the latents, (n_features,). Residuals have shape (n_residuals,) and
    their derivatives (n_features, n_residuals).
    """
    steps = _STEP * scale
    rows = torch.cat([latents, latents + torch.diag(steps)])

    def residuals(rows, conditions):
        return objective.residuals(rows, conditions, target)

    found = in_lanes(residuals, len(rows), rows, conditions.expand(len(rows)))
    return found[0], (found[1:] - found[0]) / steps[:, None]


def levenberg_marquardt(objective, latents, conditions, target, scale, *, max_iter):
    """Nearby latents with the smallest mean squared residual, that value, and the Jacobians used.

    Arguments are those of :func:`jacobian`. Each step tries eight dampings at once and takes the
    best, and uses its derivatives twice.

    References: Nocedal and Wright, "Numerical Optimization", 2nd edition, Section 10.3.
    """
    dampings = latents.new_tensor(_DAMPINGS)
    damping, value, done = 1e-2, None, 0
    while done < max_iter:
        done += 1
        residuals, derivatives = jacobian(objective, latents, conditions, target, scale)
        before = residuals.square().mean()
        value = before
        # In units of the latents' deviations, so that one damping suits all.
        scaled = derivatives * scale[:, None]
        normal = (scaled @ scaled.T).double()
        weight = normal.diagonal().mean().clamp_min(1e-30)
        identity = torch.eye(len(scale), dtype=normal.dtype, device=normal.device)
        for _ in range(_N_USES):
            tried = (damping * dampings).clamp(1e-9, 1e9)
            systems = normal + (tried.double() * weight)[:, None, None] * identity
            right = -(scaled @ residuals).double().expand(len(tried), -1)
            steps = torch.linalg.solve(systems, right).to(latents.dtype) * scale
            rows = latents + steps
            candidates = objective.residuals(rows, conditions.expand(len(rows)), target)
            values = candidates.square().mean(dim=1)
            best = int(torch.where(values.isnan(), torch.inf, values).argmin())
            if not values[best] < value:
                damping = min(damping * 100, 1e9)
                break
            latents, value, residuals = rows[best : best + 1], values[best], candidates[best]
            damping = float(tried[best])
        if value >= before * (1 - _PROGRESS):
            break
    return latents, value, done
