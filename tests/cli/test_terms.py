"""The command has a word of its own for each term of the library's messages."""

import ast

import pytest

pytest.importorskip("typer")

from sklearn_flipad.cli.session import _TERMS
from tests.test_structure import MODULES


def test_each_term_has_a_translation():
    calls = [
        node
        for path in MODULES.values()
        for node in ast.walk(ast.parse(path.read_text()))
        if isinstance(node, ast.Call) and getattr(node.func, "id", None) == "Term"
    ]
    keys = {call.args[1].value for call in calls}
    assert len(calls) > 10
    assert keys <= set(_TERMS)
