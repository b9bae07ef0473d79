"""The numbers in the pages, and beside constants, are those of the committed results.

`stated` has the phrases of the pages that say what was measured. A number that looks measured and
is in none of them must be a setting, which `SETTINGS` names. A comment with such a number names the
command that measures it.
"""

import re

import pytest

from benchmarks.results import read_results
from tests.benchmarks.stated import PAGES, SOURCES, results
from tests.benchmarks.test_tables import RESULTS, ROOT, TABLES

#: Decimals, and integers with a unit of a measurement.
MEASURED = re.compile(
    r"(?<![\w.,-])\d[\d,]*(?:\.\d+(?:e-?\d+)?(?!\.?\d)"
    r"|(?:\.\d+)? (?:%|ms|s|seconds|minutes|hours|days|GB|times|points|of \d[\d,]*)(?!\w))"
)
#: Nominal rates, levels of confidence and numbers of papers.
NOMINAL = re.compile(r"arXiv:[\d.]+|(?<![\w.,-])(?:0\.5 %|5 %|95 %|0\.005|0\.05)(?!\w)")
#: Code, and tables that are read from files.
SHOWN = (
    re.compile(r"```.*?```", re.DOTALL),
    re.compile(r"(?m)^\.\. (?:code-block|csv-table)::.*\n(?:\n|[ ]+.*\n)*"),
)
#: Numbers that were chosen, or that are the paper's.
SETTINGS = {
    "README.md": ("Python 3.11 or newer",),
    "docs/command.rst": ("The two copies have 10 % of noise",),
    "docs/comparison.rst": ("needs Python 3.12",),
    "docs/diffusion.rst": (
        "noise of 2 % on its weights",
        "of 0.64 million weights",
        "at most 0.0001, where the range is 1",
        "gives 99.98 % of images",
    ),
    "docs/evidence.rst": (
        "_ = 0.002 - Of the model's",
        "100 times as probable",
        "known densities, 1,000 times,",
    ),
    "docs/experiments.rst": (
        "60 and 55 of 64 at half the size",
        "0.05 and 0.01, and its table 0.05 and 0.1; here it is 0.05 and 0.1",
    ),
    "docs/latent_diffusion.rst": (
        "(Section 5.2 and Figure 10)",
        "only known to about 8 %",
        "best expected accuracy is 0.975",
    ),
    "docs/method.rst": (
        "Section 4.3",
        "the value 0.0005",
        "5 to 43 times smaller",
        "8 to 16 times as many",
    ),
    "docs/paper.rst": (
        "its Theorem 4.5",
        "*Above 97.5 %.*",
        "only DCGAN and EBGAN are above 97.5 %",
        "lacks to 100 % is half",
        "bring _ to 97.5 % or more",
        "3 restarts of 300 steps there, and not 10 of 1,000",
        "of Table 1, times 100",
        "Theorem 4.5: the share",
    ),
    "docs/reproduction.rst": (
        "_ = 0.289 of a gray level",
        "ten trials bring less than 2 % of the squared distance (0.2 % with L-BFGS)",
        "five bring less than 1 %",
        "by less than 15 % in the last ten",
        "made smaller, by 0.55 to 1",
        "down to 1 % of noise",
        "with noise of 20 and 10 % on the last or 10 % on the earlier weights",
        "noise of 20 % on the last layer",
    ),
    "docs/sound.rst": (
        "best expected accuracy is 0.975",
        "an accuracy of 0.95 may be 0.90 or 0.98",
    ),
    "docs/tabular.rst": (
        '"1.0" and "true"',
        "2,525 of 4,898",
        "300 steps instead of 10 of 1,000",
        "less than 1 % of the owner's",
    ),
    "docs/threads.rst": ("spins 100 times", "not within 100 seconds"),
}
#: Numbers of comments that follow from others.
COMPUTED = (
    "scipy 1.11 takes matrices alone",
    "1.1 % in an image of 32x32",
    "0.5 GB in double precision",
    "1 GB in single precision",
    "here below 1.002",
)
PACKAGE = ROOT / "sklearn_flipad"
DOCUMENTS = ("README.md", *sorted(f"docs/{path.name}" for path in (ROOT / "docs").glob("*.rst")))


def prose(page):
    """The text of a page in one line, without code, tables from files, literals and roles."""
    text = (ROOT / page).read_text()
    for shown in SHOWN:
        text = shown.sub("", text)
    return " ".join(re.sub(r"(?::\w+:)?`+[^`]+`+", "_", text).split())


def stated(page):
    """The phrases of a page, filled."""
    phrases = PAGES[page]() if page in PAGES else ()
    return [phrase.format(*values) for phrase, values in phrases]


@pytest.mark.parametrize("page", DOCUMENTS)
def test_numbers_are_measured_or_set(page):
    text = prose(page)
    for phrase in (*stated(page), *SETTINGS.get(page, ())):
        assert phrase in text
        text = text.replace(phrase, " ", 1)
    assert not unknown(text), "measure these, and state them in tests/benchmarks/stated"


def unknown(text):
    """Numbers that look measured and are not nominal, with some words around them."""
    text = NOMINAL.sub("", text)
    return [text[max(x.start() - 40, 0) : x.end() + 20] for x in MEASURED.finditer(text)]


@pytest.mark.parametrize("page", PAGES)
def test_pages_name_the_commands_of_their_numbers(page):
    results.USED.clear()
    assert stated(page)
    text = (ROOT / page).read_text()
    for name in results.USED:
        benchmark = TABLES.get(name) or read_results(RESULTS / f"{name}.jsonl")[0][0]["benchmark"]
        assert f"python -m benchmarks {benchmark}" in text


@pytest.mark.parametrize("source", SOURCES)
def test_constants_say_what_was_measured(source):
    text = " ".join(re.sub(r"(?m)^ *#:? ", "", (PACKAGE / source).read_text()).split())
    for phrase, values in SOURCES[source]():
        assert phrase.format(*values) in text
    assert "``python -m benchmarks constants``" in text


def test_comments_name_the_commands_of_their_numbers():
    for path in PACKAGE.rglob("*.py"):
        for comment in re.findall(r"(?m)(?:^ *#.*\n)+", path.read_text()):
            text = " ".join(re.sub(r"(?m)^ *#:? ?", "", comment).split())
            named = "``python -m benchmarks" in text or "``tests/" in text
            text = re.sub("`+[^`]+`+", "_", text)
            assert named or not unknown(_without_computed(text)), path


def _without_computed(text):
    for phrase in COMPUTED:
        text = text.replace(phrase, "")
    return text


def test_pages_exist():
    assert {*PAGES, *SETTINGS} <= {*DOCUMENTS}


@pytest.mark.parametrize(
    ("text", "n"),
    [
        ("in 3 seconds, with 0.98 and 98 %, 1,000 times or 4 of 60", 5),
        ("in 8-bit images of 32x32 pixels by lir 1.3.1, Section 4, 1,000 samples", 0),
        ("a nominal rate of 0.5 %, at 0.005", 0),
        ("0.5 % was found, 2.3 GB", 1),
    ],
)
def test_what_looks_measured(text, n):
    assert len(unknown(text)) == n
