"""How heavy is the page, and how soon can it be used?

`samevoice serve` runs on this machine, and Chromium opens each view of the page in a new profile, several times over.
`bytes` are those of the bodies, as they are sent (nothing is compressed). `usable` is the time from navigation until
the view's heading is there and the browser has nothing left to run. axe-core says what it finds against WCAG 2.1 A
and AA.

Run: python -m benchmarks.page_load [--rounds 5]
"""

from __future__ import annotations

import argparse
import shutil
import sys
import time
from dataclasses import dataclass, field

import numpy as np
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Response, sync_playwright

from benchmarks.service_load import service

VIEWS = ("same", "enrol", "who", "timeline", "operators", "local")
RULES = {"runOnly": ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa"]}


@dataclass
class Seen:
    """What one opening of a view took.

    Args:
        files: how many were fetched.
        weight: their bytes.
        seconds: until it could be used.
        findings: of axe.
    """

    files: int = 0
    weight: int = 0
    seconds: float = 0.0
    findings: list[str] = field(default_factory=list)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--rounds", type=int, default=5, help="of all views; medians are told")
    asked = parser.parse_args()
    chromium = shutil.which("chromium") or shutil.which("chromium-browser")
    if chromium is None:
        sys.exit("page_load: there is no chromium on this machine; install it (Debian: apt install chromium)")
    with service(2) as url, sync_playwright() as driver:
        browser = driver.chromium.launch(executable_path=chromium, args=["--no-sandbox"])
        print(f"Chromium {browser.version}\n")
        print("| view | files | bytes | usable, ms (median) | slowest | findings of axe |")
        print("|---|---|---|---|---|---|")
        for view in VIEWS:
            seen = [opened(browser, f"{url}/#/{view}", view) for _ in range(asked.rounds)]
            took = [1000 * one.seconds for one in seen]
            found = ", ".join(sorted({name for one in seen for name in one.findings})) or "none"
            print(
                f"| {view} | {seen[0].files} | {seen[0].weight:,} | {np.median(took):.0f} | {max(took):.0f} | {found} |"
            )
        browser.close()


def opened(browser: Browser, address: str, view: str) -> Seen:
    """A view in a new profile."""
    context, seen = browser.new_context(), Seen()
    page = context.new_page()
    answers: list[Response] = []
    page.on("response", lambda answer: answers.append(answer))
    began = time.perf_counter()
    page.goto(address)
    page.locator(f"#view-{view} h1").wait_for()
    page.evaluate("new Promise((done) => requestIdleCallback(done))")
    seen.seconds = time.perf_counter() - began
    page.wait_for_load_state("networkidle")
    seen.files = len(answers)
    seen.weight = sum(len(one.body()) for one in answers if one.ok)
    seen.findings = [f"{one['id']} ({one['impact']})" for one in Axe().run(page, options=RULES).response["violations"]]
    context.close()
    return seen


if __name__ == "__main__":
    main()
