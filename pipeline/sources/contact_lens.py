"""Amazon Connect Contact Lens: analysed calls and chats, one JSON file each, in a folder or a bucket.

https://docs.aws.amazon.com/connect/latest/adminguide/contact-lens-example-output-files.html; they lie under
``Analysis/Voice/YYYY/MM/DD/`` of the instance's bucket, their redacted twins under ``Analysis/Voice/Redacted/``:
https://docs.aws.amazon.com/connect/latest/adminguide/example-contact-lens-output-locations.html. The turns of a call
have offsets; the time in the file's name, when the agent took the call, is what they count from. Who called is in none
of the files: an ``index.csv`` in ``path`` says it (file, customer), as it does beside files of one's own.
A bucket's keys come from AWS's usual places (``AWS_ACCESS_KEY_ID`` …, a profile, the machine's role).
"""

import re
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final, Literal

import pyarrow as pa
from pyarrow import fs
from pydantic import Field

from pipeline.errors import SourceError
from pipeline.records import RejectedRecord
from pipeline.sources import files
from pipeline.sources.client import Fetched, Sweep, heard_by
from pipeline.sources.drift import Shape
from pipeline.sources.http import Service
from pipeline.sources.settings import Duration, SourceSettings
from pipeline.sources.spec import Batch, FileSpec, shorten
from pipeline.sources.transcripts import INDEX

_AT_ONCE: Final = 50
"""Files that land together."""
_REDACTED: Final = ("_analysis_", "_analysis_redacted_")
"""What tells a file's name from its redacted twin's, which is read in its place."""
_BEGUN: Final = re.compile(r"_analysis(?:_redacted)?_(\d{4})-?(\d\d)-?(\d\d)T(\d\d)[:_](\d\d)(?:[:_](\d\d))?")
"""``…_analysis_2020-02-04T21:14:16Z.json``, ``…_analysis_20260310T22:35_UTC.json``; a copy may have ``_`` for ``:``."""


class ContactLensSettings(SourceSettings):
    """``kind = "contact_lens"``."""

    kind: Literal["contact_lens"]
    path: str = Field(min_length=1)
    """A folder, or ``s3://BUCKET/PREFIX`` (``?endpoint_override=HOST&region=…`` where that is needed)."""
    customer_speaker: str | None = None
    overlap: Duration = timedelta(hours=1)


class ContactLensClient:
    """Reads the files that are new since the last pull, in the order in which they were written."""

    def __init__(
        self, settings: ContactLensSettings, clock: Callable[[], datetime] = lambda: datetime.now(UTC)
    ) -> None:
        self._settings, self._clock = settings, clock
        self.spec = FileSpec(
            settings.name, "transcript", constants=settings.constants, customer_speaker=settings.customer_speaker
        )
        self.shape = Shape()
        self.watches_absence = False
        self._index = b""

    def fetch(self, service: Service, position: str | None, since: datetime | None = None) -> Iterator[Fetched]:
        """Yield the new files, some at a time; the files themselves are left as they are. See ``Client.fetch``."""
        started = self._clock()
        sweep = Sweep.start(position, since, self._settings.overlap)
        system, found = self._files(sweep.begins)
        for first in range(0, len(found), _AT_ONCE):
            chunk = found[first : first + _AT_ONCE]
            page = self._read(system, chunk)
            sweep = sweep.seen(max(info.mtime for info in chunk))
            # in the order of writing, what has been read is a time, not a page
            reached = replace(sweep, since=sweep.high, token=None)
            yield replace(page, position=reached.text(), newest=chunk[-1].mtime, total=len(found))
        yield Fetched([], [], sweep.ended(started).text(), complete=True, heard_until=heard_by(started))

    def _files(self, begin: datetime | None) -> tuple[fs.FileSystem, list[fs.FileInfo]]:
        path = self._settings.path
        try:
            if "://" in path:
                system, base = fs.FileSystem.from_uri(path)
            else:
                system, base = fs.LocalFileSystem(), str(Path(path).expanduser().resolve())
            listed = system.get_file_info(fs.FileSelector(base, recursive=True))
            index = f"{base.rstrip('/')}/{INDEX}"
            self._index = next((_content(system, info) for info in listed if info.path == index), b"")
        except (OSError, pa.ArrowException) as error:
            raise SourceError(f"{path.split('?')[0]}: cannot be listed ({shorten(str(error), 160)})") from None
        calls = [info for info in listed if info.is_file and info.base_name.endswith((".json", ".json.gz"))]
        names = {info.base_name for info in calls}
        new = [info for info in calls if (begin is None or info.mtime >= begin) and not _has_twin(info, names)]
        return system, sorted(new, key=lambda info: (info.mtime, info.path))

    def _read(self, system: fs.FileSystem, chunk: list[fs.FileInfo]) -> Fetched:
        parts = [part for info in chunk for part in self._one(system, info)]
        messages = [message for part in parts for message in part.messages]
        return Fetched(messages, [record for part in parts for record in part.rejected], "")

    def _spec_of(self, name: str) -> FileSpec:
        """Return how a file is read: a time of its own in its name is when the call began."""
        begun = _BEGUN.search(name)
        if begun is None:
            return self.spec
        year, month, day, hour, minute, second = begun.groups(default="00")
        time = f"{year}-{month}-{day}T{hour}:{minute}:{second}Z"
        return replace(self.spec, constants={"time": time, **self.spec.constants})

    def _one(self, system: fs.FileSystem, info: fs.FileInfo) -> Iterator[Batch]:
        """Read one file; one that cannot be read is a bad record and stops nothing."""
        with tempfile.TemporaryDirectory() as folder:
            copy = Path(folder) / info.base_name
            try:
                copy.write_bytes(_content(system, info))
                if self._index:
                    (copy.parent / INDEX).write_bytes(self._index)
                for batch in files.read(copy, self._spec_of(info.base_name)):
                    for message in batch.messages:
                        self.shape.add({"role": message.role, "text": message.text, "id": message.native_id or ""}, ())
                    yield batch
            except (SourceError, OSError) as error:
                reason = shorten(str(error), 300)
                rejected = RejectedRecord(self.spec.source, self.spec.channel, info.base_name, 0, reason, {})
                yield Batch([], [rejected], "")


def _has_twin(info: fs.FileInfo, names: set[str]) -> bool:
    """Tell whether a file's redacted twin is there too."""
    twin = info.base_name.replace(*_REDACTED)
    return twin != info.base_name and twin in names


def _content(system: fs.FileSystem, info: fs.FileInfo) -> bytes:
    with system.open_input_file(info.path) as stream:
        found: bytes = stream.readall()
    return found
