"""The program of the benchmarks: its list, its options, and results that it takes up again."""

import json
from types import SimpleNamespace

import pytest

from benchmarks import __main__ as program
from benchmarks.options import Option, parse, selection
from benchmarks.registry import BENCHMARKS
from benchmarks.results import Results, read_results, read_rows
from benchmarks.size import count_lines, lines_by_folder

OPTIONS = (
    selection("methods", ("RawPAD", "FLIPAD"), small=("RawPAD",), help="at 5 %"),
    Option("n_own", 4000, 80),
    Option("fnrs", (0.005, 0.05), (0.1,)),
    Option("peers", False),
    Option("other", None),
)


@pytest.fixture
def toy(monkeypatch, tmp_path):
    """A benchmark with a row for each of its methods, and a function that runs it."""
    module = SimpleNamespace(
        __doc__="A toy.",
        KEYS=("method",),
        OPTIONS=OPTIONS,
        measured=[],
    )

    def measure(options, results):
        for method in options.methods:
            if not results.has(method):
                module.measured.append(method)
                results.add({"method": method, "n": options.n_own})

    module.run = measure
    monkeypatch.setitem(BENCHMARKS, "toy", SimpleNamespace(module=module))

    def run(*argv):
        module.measured.clear()
        folders = ["--out", str(tmp_path), "--work", str(tmp_path / "work")]
        return program.run("toy", [*argv, *folders]), module.measured

    return run


def test_the_list_has_a_line_and_a_duration_of_each_benchmark(capsys):
    program.main(["list"])
    lines = capsys.readouterr().out.splitlines()
    assert [line.split()[0] for line in lines] == list(BENCHMARKS)
    for line, benchmark in zip(lines, BENCHMARKS.values(), strict=True):
        assert benchmark.duration in line
        assert line.endswith(benchmark.line)


def test_unknown_benchmarks_are_named(capsys):
    with pytest.raises(SystemExit, match="no benchmark 'other'"):
        program.main(["other"])
    program.main([])
    assert "python -m benchmarks NAME" in capsys.readouterr().out


@pytest.mark.parametrize("name", BENCHMARKS)
def test_committed_results_are_not_the_default(name, capsys):
    with pytest.raises(SystemExit) as stopped:
        program.main([name, "--help"])
    assert stopped.value.code == 0
    shown = " ".join(capsys.readouterr().out.split())
    assert "folder of the results, output/benchmarks by default" in shown
    module = BENCHMARKS[name].module
    assert isinstance(module.KEYS, tuple)
    names = [option.name for option in module.OPTIONS]
    assert len(set(names)) == len(names)
    for option in module.OPTIONS:
        assert option.small is None or type(option.small) is type(option.default)
        for value in option.small or () if isinstance(option.default, tuple) else ():
            assert option.choices is None or value in option.choices


def test_small_values_of_options():
    found = parse("toy", "", OPTIONS, [])
    assert (found.methods, found.n_own, found.fnrs) == (("RawPAD", "FLIPAD"), 4000, (0.005, 0.05))
    assert (found.peers, found.other, str(found.out)) == (False, None, "output/benchmarks")
    found = parse("toy", "", OPTIONS, ["--small", "--out", "here", "--peers", "--other", "there"])
    assert (found.methods, found.n_own, found.fnrs) == (("RawPAD",), 80, (0.1,))
    assert (found.peers, found.other, str(found.out)) == (True, "there", "here/small")
    found = parse("toy", "", OPTIONS, ["--small", "--fnrs", "0.2", "0.3", "--n-own", "90"])
    assert (found.n_own, found.fnrs) == (90, (0.2, 0.3))
    for wrong in (["--methods", "other"], ["--n-own", "x"], ["--other"]):
        with pytest.raises(SystemExit):
            parse("toy", "", OPTIONS, wrong)


def test_rows_that_are_there_are_not_measured_again(toy, capsys):
    assert toy("--methods", "RawPAD")[1] == ["RawPAD"]
    results, measured = toy()
    assert measured == ["FLIPAD"]
    assert capsys.readouterr().out.endswith(f"2 rows in {results.path}, 1 of them from before\n")
    assert toy()[1] == []
    headers, rows = read_results(results.path)
    assert rows == [{"method": method, "n": 4000} for method in ("RawPAD", "FLIPAD")]
    assert [header["arguments"]["methods"] for header in headers] == [
        ["RawPAD"],
        ["RawPAD", "FLIPAD"],
    ]
    for header in headers:
        assert header["benchmark"] == "toy"
        assert {"torch", "python", "sklearn_flipad"} == set(header["versions"])
    assert toy("--again")[1] == ["RawPAD", "FLIPAD"]
    assert len(read_rows(results.path)) == 2


def test_rows_of_other_sizes_are_not_mixed(toy):
    toy("--methods", "RawPAD")
    with pytest.raises(SystemExit, match="measured with n_own=4000, not 90"):
        toy("--n-own", "90")
    assert toy("--n-own", "90", "--again")[1] == ["RawPAD", "FLIPAD"]


def test_what_identifies_a_cell_may_change(tmp_path):
    keys = ("method", "n_own")
    for n_own in (10, 20):
        results = Results(tmp_path / "r.jsonl", "toy", {"n_own": n_own}, keys=keys)
        assert not results.has("RawPAD", n_own)
        results.add({"method": "RawPAD", "n_own": n_own})
    assert results.has("RawPAD", 10)
    assert results.has("RawPAD", 20)


def test_a_cell_that_was_cut_off_is_measured_again(tmp_path):
    path = tmp_path / "r.jsonl"
    results = Results(path, "toy", {}, keys=("method",))
    results.add({"method": "RawPAD", "source": "a"})
    results.add(*({"method": "FLIPAD", "source": source} for source in "abc"))
    path.write_text(path.read_text()[:-10])
    again = Results(path, "toy", {}, keys=("method",))
    assert again.has("RawPAD")
    assert not again.has("FLIPAD")
    assert again.rows == read_rows(path) == [{"method": "RawPAD", "source": "a"}]
    assert json.loads(path.read_text().splitlines()[0])["benchmark"] == "toy"
    again.add({"method": "FLIPAD", "source": "a"})
    assert len(read_results(path)[0]) == 1


def test_lines_of_a_small_tree(tmp_path, capsys):
    (tmp_path / "room").mkdir()
    module = tmp_path / "room" / "module.py"
    module.write_text(
        '"""One.\n\nTwo.\n"""\n\nimport os  # not a comment line\n\n\n'
        'class A:\n    """Three."""\n\n    # a comment\n    x = """no\n\ndocstring"""\n'
    )
    (tmp_path / "__init__.py").write_text("")
    (tmp_path / "single.py").write_text("x = 1\n")
    found = count_lines(module)
    # The blank line in the string counts as blank.
    expected = {"lines": 15, "docstrings": 5, "comments": 1, "blank": 5, "code": 4}
    assert found == expected
    folders = lines_by_folder(tmp_path)
    assert list(folders) == [".", "room", "total"]
    assert folders["."] == {"lines": 1, "code": 1, "docstrings": 0, "comments": 0, "blank": 0}
    assert folders["total"]["lines"] == 16
    program.main(["size", str(tmp_path)])
    assert capsys.readouterr().out.splitlines()[-1].split() == ["total", "16", "5", "5", "1", "5"]
