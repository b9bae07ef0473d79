"""The page in a browser: nothing runs, nothing is loaded, and it prints."""

import base64
import hashlib
import http.server
import re
import shutil
import subprocess
import threading

import numpy as np
import pytest
from PIL import Image
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis

from sklearn_flipad import make_rawpad
from sklearn_flipad.report import write_report
from sklearn_flipad.scoring import score_files

from .test_report import Page, X, Y

CHROMIUM = next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)


class Requests(http.server.BaseHTTPRequestHandler):
    """Notes what is asked for."""

    def do_GET(self):
        self.server.paths.append(self.path)
        self.send_error(404)

    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    """A local server that must get no request."""
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), Requests) as server:
        server.paths = []
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield server
        server.shutdown()


@pytest.fixture(scope="module")
def page(server, tmp_path_factory):
    """A report on files with hostile names, with a hostile title, model and reference."""
    folder = tmp_path_factory.mktemp("report")
    address = f"http://127.0.0.1:{server.server_port}/"
    evil = f"<img src={address}text onerror=\"document.title='owned'\">"
    evil += "<script>document.title='owned'</script>"
    names = [
        # A name has no slash: a browser takes backslashes for them.
        f"<img src={address.replace('/', chr(92))}name onerror=document.title='owned'>.png",
        "<script>document.title='owned'<",
        "\"' onmouseover=document.title='owned' x='.png",
        "line\nbreak\x1b[31m.png",
        "gpj.\u202etxt.png",
        "{{ 7 * 7 }}{% raw %}.png",
        "x" + 60 * "\u0301" + ".png",
        "y" * 250 + ".png",
        b"latin-\xe9.png",
    ]
    images = folder / "images"
    images.mkdir()
    for k, name in enumerate(names):
        path = images.joinpath(name) if isinstance(name, str) else bytes(images) + b"/" + name
        with open(path, "wb") as file:
            Image.fromarray(X[40 * k, 0]).save(file, "PNG")
    (images / "refused<b>.png").write_bytes(b"nothing")
    detector = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    attributor = make_rawpad(detector=detector, fnr=0.1, random_state=0)
    attributor.set_params(detect__reference=evil).fit(X, Y)
    table = score_files(attributor, images, folder / "verdicts.csv", mode="L").out
    return write_report(table, attributor, folder / "report.html", title=evil, model=evil)


def test_texts_stay_texts(page):
    parsed = Page(page)
    tags = {tag for tag, _ in parsed.tags}
    assert not tags & {"script", "iframe", "object", "embed", "link", "form", "base", "a"}
    for tag, attributes in parsed.tags:
        assert not any(name.startswith("on") or name == "style" for name in attributes)
        sources = [attributes.get(name) for name in ("src", "href", "srcset", "data", "action")]
        assert all(source.startswith("data:image/") for source in sources if source is not None), (
            tag
        )
    assert "{{ 7 * 7 }}{% raw %}.png" in parsed.text
    assert r"line\nbreak\x1b[31m.png" in parsed.text
    assert r"gpj.\u202etxt.png" in parsed.text
    assert r"latin-\udce9.png" in parsed.text
    content = page.read_text(encoding="utf-8")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\x00-\x08\x0b-\x1f]", content)
    assert "y" * 250 not in content
    assert "url(" not in content


def test_the_policy_allows_the_style_and_pictures_alone(page):
    content = page.read_text(encoding="utf-8")
    style = re.search("<style>(.*?)</style>", content, re.DOTALL)[1]
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    (policy,) = (
        attributes["content"]
        for tag, attributes in Page(page).tags
        if attributes.get("http-equiv") == "Content-Security-Policy"
    )
    assert policy.startswith("default-src 'none'; img-src data:; ")
    assert f"style-src 'sha256-{digest}'" in policy


def browse(page, *options):
    command = [CHROMIUM, "--headless", "--no-sandbox", "--disable-gpu", "--no-first-run"]
    command += ["--disable-background-networking", "--disable-component-update"]
    command += [f"--user-data-dir={page.parent / 'profile'}", *options, page.as_uri()]
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_nothing_runs_and_nothing_is_loaded(page, server):
    shown = browse(page, "--dump-dom", "--virtual-time-budget=2000")
    assert re.search("<title>(.*?)</title>", shown)[1].startswith("&lt;img src=")
    assert server.paths == []
    # The same texts would be at work in a page that does not escape them.
    broken = page.with_name("broken.html")
    broken.write_text(
        re.sub("<meta http-equiv.*?>", "", page.read_text(encoding="utf-8"))
        .replace("&lt;", "<")
        .replace("&gt;", ">")
        .replace("&#34;", '"')
        .replace("&#39;", "'"),
        encoding="utf-8",
    )
    browse(broken, "--dump-dom", "--virtual-time-budget=2000")
    assert "/text" in server.paths
    server.paths.clear()


@pytest.mark.chromium
@pytest.mark.skipif(CHROMIUM is None, reason="there is no Chromium here")
def test_it_is_drawn_and_printed_on_a4(page):
    picture, printed = page.with_name("page.png"), page.with_name("page.pdf")
    browse(page, "--hide-scrollbars", "--window-size=1000,1600", f"--screenshot={picture}")
    pixels = np.asarray(Image.open(picture).convert("L"))
    assert pixels.shape == (1600, 1000)
    assert 0.01 < (pixels < 128).mean() < 0.3  # black on white
    browse(page, "--no-pdf-header-footer", f"--print-to-pdf={printed}")
    content = printed.read_bytes()
    sizes = set(re.findall(rb"/MediaBox \[0 0 ([\d.]+) ([\d.]+)\]", content))
    assert {(round(float(w)), round(float(h))) for w, h in sizes} == {(595, 842)}
    assert 3 <= content.count(b"/Type /Page\n") <= 12
