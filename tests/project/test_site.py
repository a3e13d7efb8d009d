"""The documentation site in a browser: `make docs`, then this file with Chromium and Selenium.

Skipped where the site has not been built or no browser is installed.
"""

import functools
import http.server
import re
import shutil
import threading
import time
from pathlib import Path

import pytest

SITE = Path(__file__).resolve().parents[2] / "build" / "docs" / "html"
PAGES = [
    "index.html",
    "guide/index.html",
    "guide/forecasting.html",
    "api.html",
    "api/skrnn.RNNClassifier.html",
    "theory.html",
    "gallery/index.html",
    "gallery/forecast_intervals.html",
    "development/contributing.html",
    "changelog.html",
]
WIDE, NARROW = (1300, 900), (400, 800)

pytestmark = pytest.mark.long


class Quiet(http.server.SimpleHTTPRequestHandler):
    def log_message(self, *args):
        pass


@pytest.fixture(scope="module")
def address():
    if not (SITE / "index.html").exists():
        pytest.skip("the site has not been built: make docs")
    handler = functools.partial(Quiet, directory=str(SITE))
    with http.server.ThreadingHTTPServer(("127.0.0.1", 0), handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


@pytest.fixture(scope="module")
def browser():
    webdriver = pytest.importorskip("selenium.webdriver")
    chromium, driver = shutil.which("chromium"), shutil.which("chromedriver")
    if not chromium or not driver:
        pytest.skip("chromium or chromedriver is not installed")
    options = webdriver.ChromeOptions()
    options.binary_location = chromium
    for flag in ("headless", "no-sandbox", "disable-gpu", "disable-background-networking"):
        options.add_argument(f"--{flag}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    browser = webdriver.Chrome(options, webdriver.ChromeService(driver))
    yield browser
    browser.quit()


def open_page(browser, url, size=WIDE):
    browser.set_window_size(*size)
    browser.get(url)
    time.sleep(0.3)


@pytest.mark.parametrize("page", PAGES)
def test_page_loads_without_an_error(browser, address, page):
    open_page(browser, f"{address}/{page}")
    # The formulas' typesetting and nothing else comes from another host.
    errors = [e for e in browser.get_log("browser") if e["level"] == "SEVERE"]
    assert not [e["message"] for e in errors if "mathjax" not in e["message"]]
    broken = browser.execute_script(
        "return [...document.images].filter(i => i.complete && !i.naturalWidth).map(i => i.src)"
    )
    assert not broken
    assert browser.find_element("css selector", "h1").text


@pytest.mark.parametrize("page", PAGES)
def test_narrow_screen_does_not_scroll_sideways(browser, address, page):
    open_page(browser, f"{address}/{page}", NARROW)
    wide = browser.execute_script("return document.documentElement.scrollWidth - window.innerWidth")
    assert wide <= 0


def test_the_gallery_has_pictures(address):
    drawn = {path.name for path in (SITE / "_images").glob("sphx_glr_*_001.png")}
    shown = (SITE / "gallery" / "index.html").read_text(encoding="utf-8")
    names = {name.removeprefix("sphx_glr_").removesuffix("_001.png") for name in drawn}
    assert len(names) >= 14
    assert all(f"sphx_glr_{name}_thumb.png" in shown for name in names)


def test_search_finds_an_estimator(browser, address):
    open_page(browser, f"{address}/search.html?q=RNNClassifier")
    time.sleep(2)
    found = browser.find_elements("css selector", "ul.search li a")
    assert any("skrnn.RNNClassifier" in a.get_attribute("href") for a in found)


def luminance(color):
    """Return the relative luminance of a CSS color (WCAG 2.1)."""
    channels = [int(v) / 255 for v in re.findall(r"\d+", color)[:3]]
    linear = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in channels]
    return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]


@pytest.mark.parametrize("theme", ["light", "dark"])
@pytest.mark.parametrize("css", ["article p", "article pre"])
def test_text_has_contrast(browser, address, theme, css):
    open_page(browser, f"{address}/guide/training.html")
    browser.execute_script(f"document.documentElement.dataset.theme = '{theme}'")
    text, back = browser.execute_script(
        """const e = document.querySelector(arguments[0]); let b = e;
        while (getComputedStyle(b).backgroundColor.endsWith(", 0)")) b = b.parentElement;
        return [getComputedStyle(e).color, getComputedStyle(b).backgroundColor]""",
        css,
    )
    bright, dim = sorted((luminance(text), luminance(back)), reverse=True)
    assert (bright + 0.05) / (dim + 0.05) >= 4.5  # WCAG 2.1, level AA
