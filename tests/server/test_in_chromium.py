"""The page in a real browser: somebody types, watches it come, stops it, copies it, looks into it, shares it."""

from __future__ import annotations

import shutil
import threading
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tinygpt_tui.server.run import address, listen, new_server
from tinygpt_tui.settings.serving import ServingSettings

webdriver = pytest.importorskip("selenium.webdriver")
ActionChains: Any = webdriver.ActionChains
By: Any = pytest.importorskip("selenium.webdriver.common.by").By
Keys: Any = webdriver.Keys
Wait: Any = pytest.importorskip("selenium.webdriver.support.ui").WebDriverWait

DRIVER, BROWSER = shutil.which("chromedriver"), shutil.which("chromium")
pytestmark = pytest.mark.skipif(not (DRIVER and BROWSER), reason="Chromium and its driver are not on this machine")
PATIENCE_S = 240
WIDTHS = {"desktop": (1280, 900), "phone": (390, 844)}
OFFLINE = ("background-networking", "component-update", "sync", "default-apps", "quic", "gpu", "dev-shm-usage")


@pytest.fixture
def url(models: None) -> Iterator[str]:
    """Serve from a thread on a free port."""
    settings = ServingSettings(port=0, texts=2, waiting=0, max_tokens=1_000_000)
    with listen(settings) as listener:
        server = new_server(settings, token=None)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listener]})
        thread.start()
        yield address(settings, listener)
        server.should_exit = True
        thread.join(240)


@pytest.fixture(params=WIDTHS)
def page(request: pytest.FixtureRequest, url: str, tmp_path: Path) -> Iterator[Page]:
    """The page, opened at a desktop's and at a phone's width."""
    options = webdriver.ChromeOptions()
    options.binary_location = BROWSER
    for flag in ("headless=new", "no-sandbox", "no-first-run", f"user-data-dir={tmp_path / 'profile'}"):
        options.add_argument(f"--{flag}")
    for feature in OFFLINE:
        options.add_argument(f"--disable-{feature}")
    driver = webdriver.Chrome(options=options, service=webdriver.ChromeService(DRIVER))
    try:
        width, height = WIDTHS[request.param]
        metrics = {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": request.param == "phone"}
        driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
        found = Page(driver, url)
        found.open(url)
        yield found
    finally:
        driver.quit()


class Page:
    """What a reader sees and does."""

    def __init__(self, driver: Any, url: str) -> None:
        self.driver, self.url = driver, url

    def open(self, url: str) -> None:
        """Go there, and wait for the models to be named."""
        self.driver.get("about:blank")  # so that another fragment is another visit
        self.driver.get(url)
        self.until(lambda: self.find("#model").get_attribute("value") == "shakespeare")

    def until(self, there: Callable[[], object]) -> None:
        """Wait for it."""
        Wait(self.driver, PATIENCE_S, poll_frequency=0.05).until(lambda _: there())

    def find(self, selector: str) -> Any:
        """Return the element."""
        return self.driver.find_element(By.CSS_SELECTOR, selector)

    def choose(self, model: str) -> None:
        """Pick a model."""
        self.find(f"#model option[value={model}]").click()

    def set(self, field: str, value: str) -> None:
        """Fill a field of the settings, which are unfolded where they are not."""
        if not self.find("#more").get_attribute("open"):
            self.find("#more summary").click()
        self.find(f"#{field}").clear()
        self.find(f"#{field}").send_keys(value)

    @property
    def state(self) -> str:
        """What the line above the text says."""
        return str(self.find("#state").text)

    @property
    def text(self) -> str:
        """The text as it stands there."""
        return str(self.find("#text").get_attribute("textContent"))


def test_somebody_writes_looks_into_it_and_shares_it(page: Page) -> None:
    page.choose("letters")
    page.find("#prompt").send_keys("abc")
    page.set("max_tokens", "60")
    page.find("#prompt").send_keys(Keys.CONTROL, Keys.ENTER)
    page.until(lambda: "60 tokens" in page.state)
    written = page.text
    assert written.startswith("abc")
    assert len(written) == 63

    tokens = page.driver.find_elements(By.CSS_SELECTOR, ".token")
    assert "".join(token.get_attribute("textContent") for token in tokens) == written[3:]
    letter = next(token for token in tokens if token.text.strip())
    ActionChains(page.driver).move_to_element(letter).perform()
    page.until(lambda: "It could have been" in page.find("#peek").text)
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#peek li")) == 8
    assert len(page.driver.find_elements(By.CSS_SELECTOR, "#peek li.chosen")) <= 1

    page.find("#share").click()
    page.until(lambda: "link" in page.state)
    shared = page.driver.current_url
    page.driver.get("about:blank")
    page.driver.get(shared)
    page.until(lambda: page.find("#model").get_attribute("value") == "letters")
    page.find("#write").click()
    page.until(lambda: "60 tokens" in page.state)
    assert page.text == written


def test_a_long_text_is_watched_and_stopped(page: Page) -> None:
    page.choose("letters")
    page.set("max_tokens", "1000000")
    page.find("#write").click()
    page.until(lambda: len(page.text) > 500)
    page.find("#halt").click()
    page.until(lambda: "stopped after" in page.state)
    stopped = page.text
    page.until(lambda: httpx.get(f"{page.url}/health", timeout=240).json()["texts"] == 0)  # the server has heard it
    assert page.text == stopped
    assert page.find("#copy").is_enabled()
    page.find("#copy").click()
    page.until(lambda: "copied" in page.state)


def test_it_fits_by_day_and_by_night_and_says_what_is_wrong(page: Page) -> None:
    grounds = set()
    for scheme in ("light", "dark"):
        feature = {"name": "prefers-color-scheme", "value": scheme}
        page.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [feature]})
        wide = "return document.documentElement.scrollWidth <= document.documentElement.clientWidth"
        assert page.driver.execute_script(wide)
        grounds.add(page.driver.execute_script("return getComputedStyle(document.body).backgroundColor"))
    assert len(grounds) == 2
    page.set("temperature", "11")
    # What the field itself refuses in a browser's own words, the server would refuse, too.
    page.driver.execute_script("document.getElementById('form').noValidate = true")
    page.find("#write").click()
    page.until(lambda: "temperature" in page.state)
    assert "wrong" in page.find("#state").get_attribute("class")
    complaints = [entry for entry in page.driver.get_log("browser") if "400" not in entry["message"]]
    assert not complaints
