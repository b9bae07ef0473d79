"""Pages: one HTML file that loads nothing and runs no code."""

import base64
import hashlib
import os
from datetime import UTC, datetime
from importlib.resources import files
from pathlib import Path

from sklearn_flipad.base.messages import Message, Term
from sklearn_flipad.base.optional import import_report_tools
from sklearn_flipad.report import _text
from sklearn_flipad.scoring.runs.outputs import is_unstable
from sklearn_flipad.storage.files import printable, writable_path, write_atomically

__all__ = ["check_out", "write_page"]


def check_out(out, overwrite):
    """The path of a page that can be written; ValueError or FileExistsError."""
    import_report_tools()
    out = Path(os.fsdecode(out))
    if out.suffix not in (".html", ".htm"):
        raise ValueError(f"out must end in .html, got {printable(out.name)!r}.")
    if out.exists() and not overwrite:
        overwriting = Term("overwrite=True", "overwrite")
        raise FileExistsError(
            Message(f"{printable(out)} exists. Pass ", overwriting, " to replace it.")
        )
    if os.path.lexists(out):
        writable_path(out)
    return out


def write_page(template, out, **values):
    """Write a page from a template, whole or not at all."""
    style = files("sklearn_flipad.report").joinpath("templates/report.css").read_text()
    page = _template(template).render(
        style=style,
        style_digest=base64.b64encode(hashlib.sha256(style.encode()).digest()).decode(),
        written=datetime.now(UTC).strftime("%Y-%m-%d %H:%M UTC"),
        **values,
    )
    out.parent.mkdir(parents=True, exist_ok=True)
    write_atomically(out, page.encode())


def _template(name):
    """The template of a page, which escapes everything that is put into it."""
    jinja2 = import_report_tools()
    environment = jinja2.Environment(
        loader=jinja2.PackageLoader("sklearn_flipad.report"),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters |= {
        "visible": _text.visible,
        "number": _text.number,
        "percent": lambda share: f"{100 * share:g}\u00a0%",
        "count": lambda n: f"{n:,}",
        "is_unstable": is_unstable,
    }
    return environment.get_template(name)
