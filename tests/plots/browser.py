"""A real browser, headless: what a page does when somebody opens it and clicks."""

from __future__ import annotations

import html
import json
import re
import shutil
import subprocess
from pathlib import Path
from typing import Any

import pytest

CHROMIUM = next(
    (path for name in ("chromium", "chromium-browser", "google-chrome") if (path := shutil.which(name))), None
)
FLAGS = (
    "--headless", "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-sync",
    "--disable-background-networking", "--disable-component-update", "--enable-logging=stderr",
    "--virtual-time-budget=20000", "--window-size=1300,900",
)  # fmt: skip


def needs_chromium() -> str:
    """The browser's path; skips the test where there is none."""
    if CHROMIUM is None:
        pytest.skip("no chromium on this machine: pages are not opened in a real browser")
    return CHROMIUM


def played(page: Path, script: str, profile: Path) -> tuple[Any, list[str]]:
    """What ``script`` (an expression of JavaScript, evaluated after the page's own) gives, and all console messages.

    An error of the page or of the script is a message too.
    """
    browser = needs_chromium()
    watch = "<script>window.said = []; addEventListener('error', (e) => said.push(String(e.message)));</script>"
    play = (
        "<script>addEventListener('load', () => { const out = document.createElement('pre'); out.id = 'played'; "
        f"out.textContent = JSON.stringify({{gives: ({script}), said}}); document.body.append(out); }});</script>"
    )
    text = page.read_text(encoding="utf-8").replace("<head>", f"<head>{watch}", 1).replace("</body>", f"{play}</body>")
    copy = profile / "played.html"
    copy.write_text(text, encoding="utf-8")
    done = subprocess.run(
        [browser, *FLAGS, f"--user-data-dir={profile / 'profile'}", "--dump-dom", copy.as_uri()],
        capture_output=True, text=True, check=True, timeout=120,
    )  # fmt: skip
    found = re.search(r'<pre id="played">(.*?)</pre>', done.stdout, re.DOTALL)
    assert found, f"the page did not load: {done.stderr[-2000:]}"
    result = json.loads(html.unescape(found[1]))
    console = re.findall(r"CONSOLE.*", done.stderr)
    return result["gives"], [*result["said"], *console]
