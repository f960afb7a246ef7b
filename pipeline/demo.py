"""The demo: import Fernhollow's files as a user would, run the line once, show who is most worth a call.

``python -m pipeline.demo --home data/demo``. It runs the public commands and prints each.
"""

import argparse
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Final

from pipeline.config import REPOSITORY

_SAMPLE: Final = REPOSITORY / "data" / "samples" / "fernhollow"
_UNTIL: Final = " --heard-until 2026-09-17"
"""When Fernhollow's exports were made."""
_COMMANDS: Final = (
    "import {sample}/customers.csv --customers --map id=customer_id,value=value_gbp",
    "import {sample}/reviews.csv --as reviews --channel review --map "
    "text=review,title=title,customer=customer_email,time=posted_at,rating=stars,id=review_id,product=product{until}",
    "import {sample}/tweets.jsonl --as tweets --channel tweet{until}",
    "import {sample}/chats.jsonl --as chats --channel transcript{until}",
    "import {sample}/emails.jsonl --as emails --channel transcript{until}",
    "import {sample}/calls --as calls --channel transcript{until}",
    "run",
    "customers --limit 10",
)


def commands(home: Path, sample: Path = _SAMPLE) -> list[list[str]]:
    """Return the demo's command lines, program first."""
    program = [sys.executable, "-m", "pipeline", "--home", str(home)]
    return [[*program, *shlex.split(line.format(sample=shlex.quote(str(sample)), until=_UNTIL))] for line in _COMMANDS]


def main(arguments: list[str] | None = None) -> int:
    """Run the demo; stop at the first command that fails."""
    parser = argparse.ArgumentParser(description="Import Fernhollow and show the customers most worth a call.")
    parser.add_argument("--home", type=Path, default=REPOSITORY / "data" / "demo")
    home = parser.parse_args(arguments).home.resolve()
    for command in commands(home):
        shown = shlex.join(["moodline", *command[3:]]).replace(f"{REPOSITORY}/", "")
        print(f"\n$ {shown}", flush=True)
        code = subprocess.run(command, check=False, cwd=REPOSITORY).returncode
        if code:
            return code
    return 0


if __name__ == "__main__":
    sys.exit(main())
