"""``python -m pipeline`` is the command ``moodline``."""

from pipeline.cli import main

main()
