"""The report in a headless Chromium: nothing fetched, no error, all figures visible, keys work.

The page is tested on a phone and in dark colours, too. `build` makes it from made-up records.
Skipped if no Chromium is installed.
"""

import itertools
from collections.abc import Iterator
from pathlib import Path

import browser
import pytest
from browser import Tab

PROGRAM = browser.binary()
pytestmark = pytest.mark.skipif(
    PROGRAM is None,
    reason=f"no browser: none of {', '.join(browser.NAMES)} is installed",
)
LARGEST = 8e6  # bytes of a page from these records
FIRST = "document.querySelector('figure .paper')"


@pytest.fixture(scope="module")
def report(built: Path) -> Path:
    return built / "report.html"


@pytest.fixture(scope="module")
def opened(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tab]:
    with browser.tab(str(PROGRAM), tmp_path_factory.mktemp("profile")) as tab:
        yield tab


@pytest.fixture
def tab(opened: Tab, report: Path) -> Tab:
    """The page, freshly loaded on a light desktop."""
    opened.call("Emulation.setScriptExecutionDisabled", value=False)
    opened.size(1400)
    opened.scheme("light")
    opened.open(report)
    return opened


def test_nothing_is_fetched_and_nothing_goes_wrong(tab: Tab, report: Path) -> None:
    urls = [
        event["params"]["request"]["url"]
        for event in tab.events
        if event.get("method") == "Network.requestWillBeSent"
    ]
    assert urls[0] == report.as_uri()
    assert all(url.startswith("data:") for url in urls[1:])
    wrong = {
        "Runtime.exceptionThrown",
        "Runtime.consoleAPICalled",
        "Log.entryAdded",
        "Network.loadingFailed",
    }
    assert [event for event in tab.events if event.get("method") in wrong] == []
    assert report.stat().st_size < LARGEST


def test_the_test_sees_what_goes_wrong(tab: Tab, tmp_path: Path) -> None:
    """A script that throws and an image from elsewhere are events, so no event means no error."""
    page = tmp_path / "bad.html"
    page.write_text("<script>throw Error('x')</script><img src='http://nowhere.invalid/a.png'>")
    tab.open(page)
    events = [event.get("method") for event in tab.events]
    assert "Runtime.exceptionThrown" in events
    assert "Network.loadingFailed" in events


@pytest.mark.parametrize("width", [390, 768, 1400])
def test_every_figure_is_seen_and_the_page_does_not_scroll_sideways(tab: Tab, width: int) -> None:
    tab.size(width)
    assert tab.ask("document.scrollingElement.scrollWidth") <= width
    figures = tab.ask("""[...document.querySelectorAll('figure')].map(figure => {
        const image = figure.querySelector('img');
        const box = figure.querySelector('.paper').getBoundingClientRect();
        return [image.complete && image.naturalWidth, image.getBoundingClientRect().height,
                box.left, box.right, image.alt.length, getComputedStyle(figure).visibility];
    })""")
    assert len(figures) > 5
    for natural, height, left, right, alternative, visibility in figures:
        assert natural > 0
        assert height > 100
        assert 0 <= left < right <= width
        assert alternative > 20
        assert visibility == "visible"


def test_all_text_is_inside_the_page_of_a_phone(tab: Tab) -> None:
    """What lies beyond the edge must be inside a box that scrolls."""
    tab.size(390)
    beyond = tab.ask("""[...document.querySelectorAll('body *')]
        .filter(node => node.checkVisibility() && !node.closest('.scroll, .skip, .hidden'))
        .filter(node => node.getBoundingClientRect().right > 390.5)
        .map(node => node.outerHTML.slice(0, 80))""")
    assert beyond == []


def luminance(colour: str) -> float:
    """Relative luminance (WCAG 2) of "rgb(r, g, b)"."""
    parts = [int(part) / 255 for part in colour[colour.index("(") + 1 : -1].split(",")[:3]]
    r, g, b = (
        part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts
    )
    return 0.2126 * r + 0.7152 * g + 0.0722 * b


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_text_stands_out_from_its_ground(tab: Tab, scheme: str) -> None:
    """WCAG's 4.5 : 1 for the page, links, soft text and every kind of verdict there is."""
    tab.scheme(scheme)
    ground = tab.ask("getComputedStyle(document.body).backgroundColor")
    assert (luminance(ground) > 0.5) == (scheme == "light")
    pairs = tab.ask("""['body', 'main a', '.source', '.badge.holds', '.badge.fails',
        '.badge.inconclusive', '.badge.not-testable', '.badge.mixed',
        '.badge.differs'].flatMap(kind => {
            const node = document.querySelector(kind);
            if (!node) return [];
            const style = getComputedStyle(node);
            return [[kind, style.color, style.backgroundColor]];
        })""")
    assert len(pairs) >= 6
    for kind, ink, paper in pairs:
        behind = ground if paper == "rgba(0, 0, 0, 0)" else paper
        low, high = sorted((luminance(ink), luminance(behind)))
        assert (high + 0.05) / (low + 0.05) >= 4.5, kind


def tip(tab: Tab, where: str = FIRST) -> str | None:
    """The text of the open tooltip in a box."""
    return tab.ask(
        f"(() => {{ const tip = {where}.querySelector('.tip'); return tip.hidden ? null : "
        f"tip.innerText; }})()"
    )


def test_keys_walk_along_curves_and_to_the_next_one(tab: Tab) -> None:
    tab.ask(f"{FIRST}.focus()")
    assert tip(tab) is None
    tab.press("ArrowRight")
    first = tip(tab)
    assert first is not None
    assert "unlearning step: 0" in first
    assert "p = 1" in first
    tab.press("ArrowRight")
    assert "unlearning step: 1" in str(tip(tab))
    tab.press("ArrowDown")
    second = str(tip(tab))
    assert "p = 2" in second
    assert "unlearning step: 1" in second
    tab.press("PageDown")
    assert str(tip(tab)).splitlines()[0] != second.splitlines()[0]
    tab.press("Escape")
    assert tip(tab) is None


def test_the_pointer_reads_the_nearest_curve(tab: Tab) -> None:
    """Pointed at the place that the page's data give for a point, the tooltip has that point."""
    x, y, place = tab.ask(f"""(() => {{
        const box = {FIRST}, curves = document.getElementById(box.dataset.curves).textContent;
        const point = JSON.parse(curves)[0].series[2].points[7];
        box.scrollIntoView({{behavior: 'instant'}});
        const frame = box.querySelector('.sheet').getBoundingClientRect();
        return [frame.left + point[2] * frame.width, frame.top + point[3] * frame.height, point[0]];
    }})()""")
    tab.point(x, y)
    tab.until(f"!{FIRST}.querySelector('.tip').hidden")
    assert f"unlearning step: {place}" in str(tip(tab))
    assert "p = 3" in str(tip(tab))
    inside = tab.ask(f"""(() => {{
        const tip = {FIRST}.querySelector('.tip').getBoundingClientRect();
        const sheet = {FIRST}.querySelector('.sheet').getBoundingClientRect();
        return tip.left >= sheet.left && tip.right <= sheet.right && tip.bottom <= sheet.bottom;
    }})()""")
    assert inside
    tab.point(1, 1)
    tab.until(f"{FIRST}.querySelector('.tip').hidden")


def test_a_figure_is_enlarged_and_closed_by_key(tab: Tab) -> None:
    tab.ask("document.querySelector('figure button').focus()")
    tab.press("Enter")
    tab.until("document.querySelector('dialog[open] img')?.naturalWidth > 0")
    shown, natural = tab.ask("""(() => { const image = document.querySelector('dialog[open] img');
        return [image.getBoundingClientRect().width, image.naturalWidth]; })()""")
    assert shown == pytest.approx(2 * natural, abs=1)
    tab.ask("document.querySelector('dialog .paper').focus()")
    tab.press("ArrowRight")
    assert "p = 1" in str(tip(tab, "document.querySelector('dialog')"))
    tab.press("Escape")
    tab.until("document.querySelector('dialog') === null")
    assert tab.ask("document.activeElement.tagName") == "BUTTON"


def test_everything_is_reached_by_tab_in_the_order_of_the_page(tab: Tab) -> None:
    count = tab.ask(
        "document.querySelectorAll('a[href], button, summary, [tabindex=\"0\"]').length"
    )
    assert count > 50
    tab.press("Tab")
    assert tab.ask("document.activeElement.className") == "skip"
    assert tab.ask("document.activeElement.getBoundingClientRect().left") >= 0
    tops = []
    for _ in range(40):
        tab.press("Tab")
        tops.append(tab.ask("document.activeElement.getBoundingClientRect().top + window.scrollY"))
        assert tab.ask("getComputedStyle(document.activeElement).outlineStyle") != "none"
    assert all(after >= before - 30 for before, after in itertools.pairwise(tops))


def test_names_are_given_to_all_that_is_reached(tab: Tab) -> None:
    """In the browser's accessibility tree links, buttons, images and groups have names."""
    nodes = tab.call("Accessibility.getFullAXTree")["nodes"]
    roles = [
        (node["role"]["value"], node.get("name", {}).get("value", ""))
        for node in nodes
        if not node.get("ignored")
    ]
    named = {"link", "button", "image", "img", "navigation"}
    expected = {"link", "button", "group", "navigation", "main", "heading"}
    assert {role for role, _ in roles} >= expected
    assert [role for role, name in roles if role in named and not name] == []
    boxes = tab.ask(
        "[...document.querySelectorAll('[tabindex=\"0\"]:not(pre)')].map(node => "
        "node.getAttribute('aria-label'))"
    )
    assert all(boxes)


def test_without_scripts_all_is_there_and_nothing_is_dead(tab: Tab, report: Path) -> None:
    tab.call("Emulation.setScriptExecutionDisabled", value=True)
    tab.open(report)
    document = tab.call("DOM.getDocument", depth=0)["root"]["nodeId"]

    def count(kind: str) -> int:
        return len(tab.call("DOM.querySelectorAll", nodeId=document, selector=kind)["nodeIds"])

    assert count("figure img") == count("figure") > 5
    assert count("button") == count(".hint") == count("dialog") == 0
    assert count("#again pre") > 0
