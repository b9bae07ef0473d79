"""Constants of the search for the latents that reproduce a sample."""

from dataclasses import dataclass

__all__ = ["SearchOptions"]


@dataclass(frozen=True)
class SearchOptions:
    """Constants of the search of :class:`~sklearn_flipad.ReproductionDetector`.

    The defaults were chosen on samples of the public 64x64 DCGAN and of the shipped generators. A
    *trial* is a run of the generator with its gradient. What is said of other values is from
    ``python -m benchmarks constants``, where one constant alone is changed for ``fashion/ebgan-0``
    with an encoder of 20 steps. With the defaults, all 192 own samples were reproduced (in 56
    trials on average), all 48 samples of others rejected (57), and none of 96 of two copies with
    noise of 10 % reproduced (346). For other values, what differed most is given.

    Parameters
    ----------
    checkpoints : tuple of int, default=(15, 20, 25, 30, 35, 40)
        Numbers of trials after which a start may be given up, ascending. With 20, 40, 60 and 80,
        others took 75 trials and copies 95. The defaults are for larger generators, of which late
        checkpoints gave up own samples that were slow.
    quantile : float, default=0.95
        The usual distance at a checkpoint is this quantile over the own samples that were
        reproduced from their first start. With the largest distance in its place, 25 of 48 samples
        of others were undecided, after 258 trials.
    margin : float, default=3.0
        A start is given up at this multiple of the usual distance. With 2, others took 48 trials.
    end_margin : float, default=2.0
        The same for a start whose trials have ended. With 3, copies took 391 trials.
    min_successful : int, default=20
        Own samples without which no usual distances are learned.
    slow : float, default=0.15
        A start is given up only if the distance fell by less than this fraction in the last
        `window` trials. With 1, no difference was seen.
    n_chances, n_chances_with_conditions : int, default=2 and 3
        Given-up starts that reject a sample, without and with several conditions, since the
        condition that is ranked first may be wrong, too. With 3, others took 86 trials.
    nearer : float, default=0.8
        A given-up start does not count as failed if it came nearer than this fraction of the
        best distance before. With 0, no difference was seen.
    round_size : int, default=4
        Further starts that are searched side by side, where not all starts were given up.
    n_corrections : int, default=6
        Further starts at the guess, corrected once, twice, and so on, by the error that the encoder
        makes of its own reconstruction. With 0, an own sample was rejected, and copies took 440
        trials.
    moves : tuple of (float, float), default=((0.6, 0.0), (0.5, 0.2), (1.0, 0.35), (1.0, 0.5))
        Further starts after these: a part of the guess, seen from the mean of the latents, and the
        noise added to it, in deviations of the latents. With the third or the fourth alone, hardly
        any difference was seen.
    same : float, default=0.02
        Two starts found the same minimum if they end nearer to each other than this, as a root mean
        square in deviations of the latents. With 0, copies took 370 trials.
    close : float, default=3.0
        The search ends with the second start that comes back to a minimum within this multiple of
        the floor, the distance up to which a sample counts as reproduced. With 1, no difference was
        seen.
    window : int, default=10
        Trials over which progress is measured.
    progress : float, default=0.02
        A start ends when the squared distance falls by less than this fraction in `window` trials.
        With 0.002, copies took 401 trials.
    slow_progress : float, default=0.002
        The same for L-BFGS, which takes the place of BFGS where there are more than 512 latents.
    settling : int, default=5
        At the floor, trials over which progress is measured.
    settled : float, default=0.01
        At the floor, a start ends when the squared distance falls by less than this fraction in
        `settling` trials. With 0, own samples took 60 trials.
    curvature : float, default=20.0
        First estimate of the Hessian, as a multiple of the identity in the coordinates of the
        metric; 2 would be right near the sample. 20 was chosen with encoders of 1,000 steps, which
        the tables have. With 2, copies took 215 trials, and of 192 own samples of the public DCGAN
        157 were reproduced from the first start in place of 147.
    memory : int, default=20
        Pairs that L-BFGS keeps.
    n_restarts_without_floor : int, default=2
        Further starts by default where a file format hides the floor, and all steps are known.
    typical : float, default=2.0
        Where a file format hides the floor, own samples up to this multiple of the median distance
        count as reproduced when the usual distances are learned. After unknown processing, the
        search of a sample failed if it ends at more than this multiple of the floor, or of the
        error that its file makes, and goes on from further starts.
    max_conditions : int, default=16
        Largest number of conditions that get a start of their own by default.
    """

    checkpoints: tuple = (15, 20, 25, 30, 35, 40)
    quantile: float = 0.95
    margin: float = 3.0
    end_margin: float = 2.0
    min_successful: int = 20
    slow: float = 0.15
    n_chances: int = 2
    n_chances_with_conditions: int = 3
    nearer: float = 0.8
    round_size: int = 4
    n_corrections: int = 6
    moves: tuple = ((0.6, 0.0), (0.5, 0.2), (1.0, 0.35), (1.0, 0.5))
    same: float = 0.02
    close: float = 3.0
    window: int = 10
    progress: float = 0.02
    slow_progress: float = 2e-3
    settling: int = 5
    settled: float = 0.01
    curvature: float = 20.0
    memory: int = 20
    n_restarts_without_floor: int = 2
    typical: float = 2.0
    max_conditions: int = 16
