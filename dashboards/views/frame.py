"""What every page shares: finding the snapshot, the heading, and what to say when there is nothing to show."""

import shlex
from collections.abc import Callable, Mapping
from datetime import datetime
from pathlib import Path

import streamlit as st
from streamlit.navigation.page import Page

from dashboards import pieces, words
from pipeline.config import DEFAULT_HOME, Home, home_from
from pipeline.errors import MoodlineError
from pipeline.snapshot import snapshot_path

Pages = Mapping[str, Page]
"""The pages by the last part of their address, to link to."""

View = Callable[[Path, Pages], None]
"""A page: it draws a snapshot and links to other pages."""

STYLE = Path(__file__).resolve().parent.parent / "style.css"


def show(view: View, pages: Pages) -> None:
    """Draw one page over the newest snapshot of the home, or say what to do when there is none."""
    st.html(STYLE)
    home = home_from(None)
    try:
        snapshot = snapshot_path(home)
        if snapshot is None:
            _nothing_published(home)
        else:
            view(snapshot, pages)
    except MoodlineError as error:
        st.error(f"**The snapshot cannot be read.**\n\n```\n{error}\n```", icon=":material/error:")


def heading(title: str, said: str) -> None:
    """Draw a page's title and the one line under it."""
    with st.container(gap="xxsmall"):
        st.title(plain(title), anchor=False)
        st.html(pieces.block(pieces.text(said), "muted"))


def section(title: str, said: str = "") -> None:
    """Draw a section's title and what its figures mean."""
    with st.container(gap="xxsmall"):
        st.subheader(title, anchor=False)
        if said:
            st.html(pieces.block(pieces.text(said), "muted small"))


def as_of(at: datetime) -> str:
    """Return the words for the time up to which customers were heard."""
    return f"as of {words.moment(at)} UTC"


def customer_link(pages: Pages, row: Mapping[str, object], *, wide: bool = False) -> None:
    """Draw a link to a customer's page; a wide one fills its column."""
    label = f"**{plain(str(row['name'] or row['customer_id']))}**"
    chosen = {"customer": str(row["customer_id"])}
    st.page_link(pages["customer"], label=label, icon="", width="stretch" if wide else "content", query_params=chosen)


def plain(words_of_others: str) -> str:
    """Return text in which Markdown finds nothing to format, for labels that take Markdown."""
    return "".join(f"\\{sign}" if sign in r"\`*_{}[]()<>#+-.!|~:$" else sign for sign in words_of_others)


def nobody_yet(snapshot: Path) -> None:
    """Say why no customer is followed although something is published, and what would change it."""
    st.info(
        "**No customer is followed yet.** Messages are tracked for a customer when the source names one: "
        "map the column that holds the customer's id, e-mail or handle, then run again.",
        icon=":material/person_search:",
    )
    _commands()


def _commands(option: str = "") -> None:
    columns = "text=body,customer=email,time=date"
    st.code(
        f"moodline{option} import reviews.csv --as reviews --channel review --map {columns}\nmoodline{option} run",
        language="bash",
    )


def _nothing_published(home: Home) -> None:
    option = "" if home.root == DEFAULT_HOME else f" --home {shlex.quote(str(home.root))}"
    heading("Nothing published yet", f"There is no snapshot in {home.snapshots}.")
    st.markdown(
        "Bring in what your customers wrote, then run the line once; this page fills itself when you reload it."
    )
    _commands(option)
    st.markdown("Only want to look around? `make demo` fills a home with an invented company.")
    if not home.root.exists():
        st.warning(
            f"The home folder {plain(str(home.root))} does not exist. Set `MOODLINE_HOME` to the right one.",
            icon=":material/folder_off:",
        )
