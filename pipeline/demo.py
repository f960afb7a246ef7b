"""The demo: import Fernhollow's files as a user would, run the line once, show who is most worth a call.

``moodline demo``, or ``python -m pipeline.demo --home data/demo``. It runs the public commands and prints each.
``--live`` pulls the same company from a local server while its months pass (``pipeline/demo_live.py``).
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from pipeline.config import REPOSITORY, Home

SAMPLE: Final = REPOSITORY / "data" / "samples" / "fernhollow"
_UNTIL: Final = " --heard-until 2026-09-17"
"""When Fernhollow's exports were made."""
CUSTOMERS: Final = "import {sample}/customers.csv --customers --map id=customer_id,value=value_gbp"
REVIEWS: Final = (
    "text=review,title=title,customer=customer_email,time=posted_at,rating=stars,id=review_id,product=product"
)
"""Which columns of Fernhollow's reviews are what."""
_COMMANDS: Final = (
    CUSTOMERS,
    f"import {{sample}}/reviews.csv --as reviews --channel review --map {REVIEWS}{{until}}",
    "import {sample}/tweets.jsonl --as tweets --channel tweet{until}",
    "import {sample}/chats.jsonl --as chats --channel transcript{until}",
    "import {sample}/emails.jsonl --as emails --channel transcript{until}",
    "import {sample}/calls --as calls --channel transcript{until}",
    "run",
    "customers --limit 10",
)


def commands(home: Path, sample: Path = SAMPLE) -> list[list[str]]:
    """Return the demo's command lines, program first."""
    program = [sys.executable, "-m", "pipeline", "--home", str(home)]
    return [[*program, *shlex.split(line.format(sample=shlex.quote(str(sample)), until=_UNTIL))] for line in _COMMANDS]


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; stop at the first command that fails."""
    parser = argparse.ArgumentParser(description="Import Fernhollow and show the customers most worth a call.")
    parser.add_argument("--home", type=Path, help="default: data/demo, and data/demo-live with --live")
    parser.add_argument("--live", action="store_true", help="pull it from a local server while its months pass")
    parser.add_argument("--speed", type=_speed, default=2.0, help="days that pass a second with --live (default 2)")
    chosen = parser.parse_args(arguments)
    home = (chosen.home or REPOSITORY / "data" / ("demo-live" if chosen.live else "demo")).resolve()
    return _live(home, chosen.speed) if chosen.live else _play(home)


def _speed(text: str) -> float:
    speed = float(text)
    if not 0 < speed <= 10_000:
        raise ValueError
    return speed


def _live(home: Path, speed: float) -> int:
    from pipeline.demo_live import play

    return play(Home(home), speed)


def _play(home: Path) -> int:
    for command in commands(home):
        shown = shlex.join(["moodline", *command[3:]]).replace(f"{REPOSITORY}/", "")
        print(f"\n$ {shown}", flush=True)
        code = subprocess.run(command, check=False, cwd=REPOSITORY).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
