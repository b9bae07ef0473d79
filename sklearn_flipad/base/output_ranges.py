"""The values that the gray levels of uint8 samples stand for."""

from math import inf

__all__ = ["check_range"]

#: How far a range may reach beyond that of its activation, for its own rounding.
_BEYOND = 1e-6


def check_range(output_range, possible):
    """Values of the gray levels 0 and 255, by default the ends of `possible`, None if unbounded.

    ValueError if they are not two finite rising numbers, or not in `possible`, the range of the
    output activation.
    """
    least, most = possible
    low, high = (least, most) if output_range is None else map(float, output_range)
    if output_range is None and (low == -inf or high == inf):
        return None
    if not -inf < low < high < inf:
        raise ValueError(f"output_range must be two finite rising numbers, got {output_range}.")
    if low < least - _BEYOND or high > most + _BEYOND:
        raise ValueError(
            f"output_range=({low:g}, {high:g}) is beyond what the output activation returns, "
            f"{least:g} to {most:g}. Pass the values of the model's output that the gray levels 0 "
            'and 255 stand for; or the activation that it has, "identity" where there is none.'
        )
    return (low, high)
