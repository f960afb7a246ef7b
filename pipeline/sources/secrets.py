"""Secrets of live sources: where they come from, and that no message shows one.

A settings block names an environment variable or a Prefect Secret block; the value lives in memory only.
"""

from collections.abc import Callable, Mapping
from typing import Final, TypeVar

from pipeline.errors import SettingsError

BlockReader = Callable[[str], str | None]
"""Returns the value of the Prefect Secret block of a name, or None where there is none."""

MASK: Final = "<SECRET>"
_SHORTEST: Final = 4
"""Characters from which on a secret is masked; shorter ones are dummies such as Freshdesk's ``X``."""

_Text = TypeVar("_Text", str, str | None)


class Secrets:
    """The secrets of one source; remembers those it gave out, so that they can be masked wherever they show up.

    Args:
        source: The source's name, for errors.
        environment: Where ``…_env`` settings are looked up.
        block: Where ``…_block`` settings are looked up; None where Prefect is not at hand.
    """

    def __init__(self, source: str, environment: Mapping[str, str], block: BlockReader | None = None) -> None:
        self._source, self._environment, self._block = source, environment, block
        self._known: set[str] = set()

    def find(self, what: str, variable: str | None, block: str | None) -> str:
        """Return the secret that lies in the environment ``variable``, else in the Prefect Secret ``block``.

        Raises:
            SettingsError: neither is named, or what is named is empty or missing.
        """
        value = self._optional(variable, block)
        if value is None:
            named = [f"{variable} in the environment"] * bool(variable) + [f"Prefect block {block}"] * bool(block)
            wanted = f"set {' or '.join(named)}" if named else f"name it: auth.{what}_env or auth.{what}_block"
            raise SettingsError(f"source {self._source!r}: the secret {what} is missing; {wanted}")
        return value

    def _optional(self, variable: str | None, block: str | None) -> str | None:
        """Return the secret, or None where there is none."""
        value = self._environment.get(variable) if variable else None
        if not value and block and self._block is not None:
            value = self._block(block)
        return self.remember(value.strip()) if value and value.strip() else None

    def remember(self, value: str) -> str:
        """Mask this value from now on, and return it; for tokens that a service handed out."""
        self._known.add(value)
        return value

    def mask(self, text: _Text) -> _Text:
        """Return ``text`` without any secret that was ever given out."""
        if text is None:
            return text
        for value in sorted(self._known, key=len, reverse=True):
            if len(value) >= _SHORTEST:
                text = text.replace(value, MASK)
        return text
