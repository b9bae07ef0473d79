"""The code that the README and the documentation show runs as it stands."""

import ast
import doctest
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
PYTHON = {
    ".md": re.compile(r"```python\n(.*?)```", re.DOTALL),
    ".rst": re.compile(r"\.\. code-block:: python\n\n((?:    .*\n|\n)+)"),
}


def shown_code(name):
    """The blocks of a page as one program."""
    path = ROOT / name
    blocks = PYTHON[path.suffix].findall(path.read_text())
    return "\n".join(re.sub(r"^    ", "", block, flags=re.MULTILINE) for block in blocks)


def test_pages_include_the_tables_that_the_configuration_writes():
    tables = set(re.findall(r'"(_\w+\.csv)"', (ROOT / "docs/conf.py").read_text()))
    pages = [path.read_text() for path in (ROOT / "docs").glob("*.rst")]
    assert tables == {name for page in pages for name in re.findall(r":file: (_\S+)", page)}
    assert len(tables) == 2


def statements(name):
    """The statements of a page, with its settings but for what makes them slow."""
    code = shown_code(name).replace("max_steps=500", "max_steps=60")
    code = code.replace("2000", "300").replace("500", "200").replace("(G, 1000,", "(G, 100,")
    code = code.replace("fnr=0.005", "fnr=0.05")
    code = code.replace("random_state=0)\n", "random_state=0, n_samples=500)\n", 1)
    assert "n_samples=500" in code
    return ast.parse(code).body


def test_first_steps():
    names, seen = {}, set()
    for page in ("README.md", "docs/getting_started.rst"):
        found = statements(page)
        new = [statement for statement in found if ast.dump(statement) not in seen]
        exec(compile(ast.Module(new, []), page, "exec"), names)
        if seen:  # the second page begins as the first one does, and goes on with what that made
            assert len(found) - len(new) >= 10
            assert new
        seen |= set(map(ast.dump, found))
    other = names["load_pretrained"]("fashion/lsgan-0")
    suspects = names["layer"].sample(other, 20, random_state=3)
    assert (names["flipad"].predict(suspects) == -1).mean() > 0.8
    own = names["layer"].sample(names["G"], 20, random_state=3)
    assert (names["flipad"].predict(own) == 1).mean() > 0.8


@pytest.mark.parametrize(
    "name",
    [
        *("adversaries", "diffusion", "evidence", "latent_diffusion", "processing"),
        *("several_models", "sound", "tabular", "windows"),
    ],
)
def test_sessions(name):
    failed, attempted = doctest.testfile(str(ROOT / f"docs/{name}.rst"), module_relative=False)
    assert attempted > 10
    assert not failed
