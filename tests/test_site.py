"""Every page of the documentation, opened in headless Chromium.

Build the site first: ``python -m sphinx -W docs docs/_build``. Without a site, a browser or
its driver the tests are skipped; ``SK_EMBED_SITE``, a folder, makes these an error.
"""

from __future__ import annotations

import os
import re
import shutil
import threading
from functools import cache, partial
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import NamedTuple
from urllib.parse import unquote, urlsplit

import pytest

SITE = Path(os.environ.get("SK_EMBED_SITE") or Path(__file__).parent.parent / "docs/_build")
IS_REQUIRED = "SK_EMBED_SITE" in os.environ
DESKTOP, PHONE = (1280, 900), (390, 844)
# No sandbox, for the user may be root in a container; nothing asks the network.
OPTIONS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-dev-shm-usage",
]


def absent():
    """Return what is needed and not there, or None."""
    if not (SITE / "index.html").exists():
        return f"no site in {SITE}"
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"no {program}"
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "no selenium"
    return None


if absent() and not IS_REQUIRED:
    pytest.skip(f"{absent()}", allow_module_level=True)

PAGES = sorted(str(page.relative_to(SITE)) for page in SITE.rglob("*.html"))


class QuietHandler(SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def server():
    """Serve the site, and return its address."""
    handler = partial(QuietHandler, directory=str(SITE))
    with ThreadingHTTPServer(("127.0.0.1", 0), handler) as http:
        thread = threading.Thread(target=http.serve_forever)
        thread.start()
        yield f"http://127.0.0.1:{http.server_port}/"
        http.shutdown()
        thread.join()


@pytest.fixture(scope="module")
def browser(tmp_path_factory):
    from selenium import webdriver

    options = webdriver.ChromeOptions()
    options.binary_location = shutil.which("chromium")
    for option in [*OPTIONS, f"--user-data-dir={tmp_path_factory.mktemp('profile')}"]:
        options.add_argument(option)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    service = webdriver.ChromeService(shutil.which("chromedriver"))
    driver = webdriver.Chrome(options, service)
    yield driver
    driver.quit()


class Visit(NamedTuple):
    """What a page was found to be at one size."""

    title: str
    errors: list
    asked: list
    missing_pictures: list
    links: list
    width: int


@pytest.fixture(scope="module")
def visit(browser, server):
    """Return what opens a page, once for each size."""

    @cache
    def visit(page, size=DESKTOP):
        metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1}
        browser.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride", {**metrics, "mobile": size == PHONE}
        )
        browser.get_log("browser")
        browser.get(server + page)
        # Pictures that are loaded when they come into view are asked for as well.
        browser.execute_async_script(
            "const done = arguments[0];"
            "for (const image of document.images) image.loading = 'eager';"
            "Promise.allSettled([...document.images].map(i => i.decode())).then(done);"
        )
        found = browser.execute_script(
            "return ["
            "performance.getEntriesByType('resource').map(entry => entry.name),"
            "[...document.images].filter(i => !i.naturalWidth).map(i => i.src),"
            "[...document.links].map(link => link.href),"
            "document.documentElement.scrollWidth]"
        )
        log = browser.get_log("browser")
        errors = [entry["message"] for entry in log if entry["level"] == "SEVERE"]
        return Visit(browser.title, errors, *found)

    return visit


def ids_of(page):
    """Return the anchors of a page, by its text alone."""
    return set(re.findall(r"""\bid=["']?([^"'\s>]+)""", (SITE / page).read_text()))


def test_the_site_has_all_parts():
    parts = {"index", "user_guide", "how_it_works", "faq", "api", "auto_examples/index"}
    assert {f"{part}.html" for part in parts} <= set(PAGES)
    examples = Path(__file__).parent.parent / "examples"
    for script in examples.glob("*.py"):
        assert f"auto_examples/{script.stem}.html" in PAGES


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_no_error_and_asks_for_nothing_that_is_elsewhere(visit, server, page):
    assert visit(page).title
    assert visit(page).errors == []
    elsewhere = [url for url in visit(page).asked if not url.startswith((server, "data:"))]
    assert elsewhere == []


@pytest.mark.parametrize("page", PAGES)
def test_a_page_has_all_its_pictures(visit, page):
    assert visit(page).missing_pictures == []


@pytest.mark.parametrize("page", PAGES)
def test_links_of_a_page_lead_somewhere(visit, server, page):
    broken = []
    for link in {link for link in visit(page).links if link.startswith(server)}:
        parts = urlsplit(link)
        target = unquote(parts.path).lstrip("/") or "index.html"
        fragment = unquote(parts.fragment)
        is_there = (SITE / target).is_file()
        if not is_there or (fragment and fragment not in ids_of(target)):
            broken.append(link)
    assert broken == []


@pytest.mark.parametrize("size", [DESKTOP, PHONE], ids=["desktop", "phone"])
@pytest.mark.parametrize("page", PAGES)
def test_a_page_does_not_scroll_sideways(visit, page, size):
    assert visit(page, size).width <= size[0]
