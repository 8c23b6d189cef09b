"""What does a real page look like? The example of the README is run, and its page and figures go into the site.

As a command (`make picture`) it draws the picture of the page that the README shows.
"""

from __future__ import annotations

import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import polyculture as pc
from polyculture.reporting.audit_figures import save_figure
from polyculture.reporting.theme import css_variables

ROOT = Path(__file__).resolve().parents[2]
FIGURES = ("null_models", "leaderboard", "pairwise", "systemic")
PADDING = {"left": 24, "top": 8, "right": 48, "bottom": 16}
"""Room for readers whose font is wider than the one that the figure was laid out with."""
COLOUR = re.compile(r"--([\w-]+):(#\w{6});")
PICTURE = ROOT / "docs" / "assets" / "page.png"
WIDTH, HEIGHT = 1280, 720


def run(folder: Path) -> Path:
    """Run the first Python block of the README in a folder, which then holds answers.csv and page.html."""
    block = re.search(r"^```python\n(.*?)^```", (ROOT / "README.md").read_text(encoding="utf-8"), re.M | re.S)
    if block is None:
        raise ValueError("README.md has no Python block to run")
    subprocess.run([sys.executable, "-c", block[1]], cwd=folder, check=True, stdout=subprocess.DEVNULL)
    return folder


def files() -> dict[str, str]:
    """Path in the site and content of the example's page and of its figures, light and dark."""
    with tempfile.TemporaryDirectory() as name:
        folder = run(Path(name))
        audit = pc.audit(pc.read(str(folder / "answers.csv")), source="answers.csv")
        contents = {"example/page.html": (folder / "page.html").read_text(encoding="utf-8")}
        for figure in FIGURES:
            path = save_figure(audit.plot(figure) | {"padding": PADDING}, folder / f"{figure}.svg")
            svg = path.read_text(encoding="utf-8").replace('fill="white"', 'fill="none"', 1)
            contents |= {f"example/{figure}-light.svg": svg, f"example/{figure}-dark.svg": dark(svg)}
    return contents


def dark(svg: str) -> str:
    """The drawing with every colour of the light palette replaced by that of the dark one."""
    light, night = (dict(COLOUR.findall(css_variables(theme))) for theme in ("light", "dark"))
    colours = {light[name]: night[name] for name in light}
    colours |= {"rgb({}, {}, {})".format(*bytes.fromhex(key[1:])): colours[key] for key in light.values()}
    return re.sub("|".join(map(re.escape, colours)), lambda match: colours[match[0]], svg)


def draw_picture() -> None:
    """Photograph the top of the example's page with Chromium into docs/assets/page.png."""
    chromium = next(filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None)
    if chromium is None:
        sys.exit("make picture needs Chromium: install it, or leave docs/assets/page.png as it is.")
    with tempfile.TemporaryDirectory() as name:
        page = run(Path(name)) / "page.html"
        options = [
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--hide-scrollbars",
            f"--window-size={WIDTH},{HEIGHT}",
        ]
        options += ["--virtual-time-budget=5000", f"--screenshot={PICTURE}", page.as_uri()]
        subprocess.run([chromium, *options], check=True, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    draw_picture()
