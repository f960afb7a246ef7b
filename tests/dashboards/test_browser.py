"""The dashboard as a person opens it: a real server, a real Chromium."""

import os
import re
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from pipeline.config import REPOSITORY

CHROMIUM = Path("/usr/bin/chromium")
FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking"]
PATIENCE = 180

pytestmark = [
    pytest.mark.browser,
    pytest.mark.slow,
    pytest.mark.skipif(not CHROMIUM.exists(), reason=f"{CHROMIUM} is not installed (apt install chromium)"),
]
sync_api = pytest.importorskip("playwright.sync_api", reason="playwright is not installed (the dev extra has it)")


@pytest.fixture(scope="module")
def server(home, tmp_path_factory) -> Iterator[str]:
    """The dashboard over a small home written for these tests."""
    with serving(home, tmp_path_factory.mktemp("server") / "log.txt") as address:
        yield address


@pytest.fixture(scope="module")
def sample_server(fernhollow, tmp_path_factory) -> Iterator[str]:
    """The dashboard over the published sample."""
    with serving(fernhollow.home, tmp_path_factory.mktemp("sample") / "log.txt") as address:
        yield address


@contextmanager
def serving(home, log: Path) -> Iterator[str]:
    """Serve a published home on a free port of this machine only."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    options = ["--server.port", str(port), "--server.headless", "true", "--server.fileWatcherType", "none"]
    command = [sys.executable, "-m", "streamlit", "run", str(REPOSITORY / "dashboards" / "app.py"), *options]
    environment = {**os.environ, "MOODLINE_HOME": str(home.root)}
    with (
        log.open("w") as output,
        subprocess.Popen(command, env=environment, cwd=log.parent, stdout=output, stderr=subprocess.STDOUT) as process,
    ):
        try:
            wait_for(f"http://127.0.0.1:{port}/_stcore/health", process, log)
            yield f"http://127.0.0.1:{port}"
        finally:
            process.terminate()
            process.wait(timeout=30)


def wait_for(address: str, process: subprocess.Popen, log: Path) -> None:
    give_up = time.monotonic() + PATIENCE
    while time.monotonic() < give_up and process.poll() is None:
        try:
            with urllib.request.urlopen(address, timeout=5):
                return
        except (urllib.error.URLError, OSError):
            time.sleep(0.2)
    pytest.fail(f"the dashboard did not come up:\n{log.read_text()}")


@pytest.fixture(scope="module")
def browser() -> Iterator["sync_api.Browser"]:
    with sync_api.sync_playwright() as playwright:
        chromium = playwright.chromium.launch(executable_path=str(CHROMIUM), args=FLAGS)
        yield chromium
        chromium.close()


@pytest.fixture
def page(browser, server) -> Iterator["sync_api.Page"]:
    """A tab on the small home."""
    with watched(browser, server) as tab:
        yield tab


@pytest.fixture
def sample_page(browser, sample_server) -> Iterator["sync_api.Page"]:
    """A tab on the sample."""
    with watched(browser, sample_server) as tab:
        yield tab


@contextmanager
def watched(browser, server) -> Iterator["sync_api.Page"]:
    """A tab that remembers what went wrong in it and where it called; both must stay clean."""
    # a clock far from UTC, on which nothing may depend
    context = browser.new_context(viewport={"width": 1400, "height": 2000}, timezone_id="Pacific/Auckland")
    tab = context.new_page()
    tab.set_default_timeout(PATIENCE * 1000)
    faults: list[str] = []
    tab.on("pageerror", lambda error: faults.append(str(error)))
    tab.on("console", lambda said: faults.append(said.text) if is_fault(said) else None)
    tab.on("request", lambda request: None if is_ours(request.url, server) else faults.append(f"called {request.url}"))
    yield tab
    context.close()
    assert faults == []


def is_fault(said) -> bool:
    """Streamlit looks for its own server at ever shorter addresses under a deep link; those 404s are no fault."""
    return said.type == "error" and "/_stcore/" not in said.location.get("url", "")


def is_ours(address: str, server: str) -> bool:
    return address.startswith((server, server.replace("http", "ws", 1), "data:", "blob:"))


def test_a_deep_link_shows_the_customers_slide(page, server):
    page.goto(f"{server}/customer?customer=c_0000000000a1")
    page.get_by_role("heading", name="Maureen Oyelaran").wait_for()
    chart = page.get_by_label("Mood of Maureen Oyelaran over time, now annoyed").first
    chart.wait_for()
    page.locator("[data-testid=stVegaLiteChart] canvas, [data-testid=stVegaLiteChart] svg").first.wait_for()
    text = page.locator("[data-testid=stMain]").inner_text()
    assert "−1.4 steps" in text  # noqa: RUF001
    assert "Promised a rebate five times" in text
    assert "<script>alert('x')</script>" in text  # as words, not as a script
    assert page.get_by_text("Third time of asking").is_visible()
    assert page.title() == "Customer · Moodline"


def test_a_click_on_the_ranking_opens_the_customer_and_filters_come_from_the_address(page, server):
    page.goto(f"{server}/sliding?show=Everyone")
    page.get_by_role("link", name="Asha <b>Raman</b>").wait_for()  # not sliding
    page.get_by_role("link", name="Reginald Thwaite").click()
    page.get_by_role("heading", name="Reginald Thwaite").wait_for()
    assert page.url == f"{server}/customer?customer=c_0000000000a6"


def test_the_river_is_drawn(page, server):
    page.goto(server)
    page.get_by_label("Customers on each step by day").first.wait_for()
    assert page.get_by_text("as of 16 Sep 2026, 20:00 UTC").is_visible()


def test_the_published_sample_shows_a_named_customers_slide(sample_page, sample_server):
    sample_page.goto(f"{sample_server}/sliding?show=Everyone")
    sample_page.get_by_role("link", name="Rhys Llewellyn").click()
    sample_page.get_by_role("heading", name="Rhys Llewellyn").wait_for()
    sample_page.get_by_label("Mood of Rhys Llewellyn over time").first.wait_for()
    sample_page.get_by_text("Third time with you, Marlon").first.wait_for()
    text = sample_page.locator("[data-testid=stMain]").inner_text()
    assert re.search(r"−[12]\.", text)  # noqa: RUF001  the slope of the last 30 days
    assert "Why at risk" in text
    assert "FH-" not in text.replace("FH-C", "")  # order numbers are masked
