"""Constants of the search for the latents that reproduce a sample."""

from dataclasses import dataclass

__all__ = ["SearchOptions"]


@dataclass(frozen=True)
class SearchOptions:
    """Constants of the search of :class:`~sklearn_flipad.ReproductionDetector`.

    The defaults were chosen on samples of the public 64x64 DCGAN (*public* below) and of the
    shipped generators. A *trial* is a run of the generator with its gradient. Where *dcgan-0* is
    named, the constant alone was changed for 160 own samples of ``fashion/dcgan-0``, all of which
    were reproduced in each case (56 trials on average), 48 of others, all rejected (66), and 24 of
    a copy with noise of 5 % on its earlier weights, none reproduced (400), with an encoder of 20
    steps.

    Parameters
    ----------
    checkpoints : tuple of int, default=(15, 20, 25, 30, 35, 40)
        Numbers of trials after which a start may be given up, ascending. Samples of other
        generators are given up after 20 to 30 trials; with checkpoints up to 80, three of 600 own
        samples of public were given up after 55 to 70 that would have been reproduced.
    quantile : float, default=0.95
        The usual distance at a checkpoint is this quantile over the own samples that were
        reproduced from their first start. dcgan-0: with the largest distance in its place, 23 of
        48 samples of others were undecided, after 267 trials on average.
    margin : float, default=3.0
        A start is given up at this multiple of the usual distance. With 2, in two runs 7 and 3 of
        500 calibration samples of public failed, and the threshold went to 11 gray levels.
    end_margin : float, default=2.0
        The same for a start whose trials have ended. With 3, 3 to 13 % of other samples went
        through all starts; of 20 own samples of public that are hard to reproduce, 2 changes none.
    min_successful : int, default=20
        Own samples without which no usual distances are learned.
    slow : float, default=0.15
        A start is given up only if the distance fell by less than this fraction in the last
        `window` trials. dcgan-0: without this condition copies took 395 trials.
    n_chances, n_chances_with_conditions : int, default=2 and 3
        Given-up starts that reject a sample, without and with several conditions, since the
        condition that is ranked first may be wrong, too. Hardly an own sample's start is given up,
        and all of those came back from the second start. With 3, and 3 as `end_margin`, samples of
        others took 76 to 91 trials in place of 60 to 76.
    nearer : float, default=0.8
        A given-up start does not count as failed if it came nearer than this fraction of the
        best distance before. One own sample of 600 of public came nearer with each of its starts.
    round_size : int, default=4
        Further starts that are searched side by side, where not all starts were given up.
    n_corrections : int, default=6
        Further starts at the guess, corrected once, twice, and so on, by the error that the encoder
        makes of its own reconstruction. Of twelve own samples of public that are hard to reproduce,
        three were reproduced by no start without them, and all twelve with them; for six of them
        29 of 48 starts at corrected guesses succeeded, against 3 to 18 of 48 of other kinds.
    moves : tuple of (float, float), default=((0.6, 0.0), (0.5, 0.2), (1.0, 0.35), (1.0, 0.5))
        Further starts after these: a part of the guess, seen from the mean of the latents, and the
        noise added to it, in deviations of the latents. Of starts for 12 own samples of public
        whose first one had failed, a share of 1.00 succeeded from 0.6 of the guess, 0.92 from 0.5,
        0.6 from the guess with noise of 0.35, 0.25 with noise of 0.5, and 0 from random latents. As
        a first start, half the guess is worse (0.916 against 0.972).
    same : float, default=0.02
        Two starts found the same minimum if they end nearer to each other than this, as a root mean
        square in deviations of the latents. dcgan-0: if none ever do, copies took 445 trials.
    close : float, default=3.0
        The search ends with the second start that comes back to a minimum within this multiple of
        the floor, the distance up to which a sample counts as reproduced.
    window : int, default=10
        Trials over which progress is measured.
    progress : float, default=0.02
        A start ends when the squared distance falls by less than this fraction in `window` trials.
        In place of 0.002, one more of 2,000 own samples ended above the floor, and pruned copies
        and copies with noise of 20 % took 70 to 77 trials in place of 115 to 118.
    slow_progress : float, default=0.002
        The same for L-BFGS, which takes the place of BFGS where there are more than 512 latents.
    settling : int, default=5
        At the floor, trials over which progress is measured.
    settled : float, default=0.01
        At the floor, a start ends when the squared distance falls by less than this fraction in
        `settling` trials. dcgan-0: without this rule, own samples took 60 trials.
    curvature : float, default=20.0
        First estimate of the Hessian, as a multiple of the identity in the coordinates of the
        metric; 2 would be right near the sample. Of 300 first starts on public, 3 failed, with 2
        it was 8, at 93 trials in place of 95.
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
