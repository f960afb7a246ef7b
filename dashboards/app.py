"""The dashboard: ``streamlit run dashboards/app.py``, or ``moodline dashboard``.

It reads the home that ``MOODLINE_HOME`` names, else the repository's ``data`` folder.
"""

from pathlib import Path
from typing import Final

import streamlit as st
from streamlit.navigation.page import Page

from dashboards.views import alerts, causes, customer, frame, ladder, sliding
from dashboards.views.frame import View

_HERE: Final = Path(__file__).resolve().parent

# The pages in the order of the menu: address, view, title. No icons: Streamlit would fetch the
# current one for the tab from a font server.
PAGES: Final[dict[str, tuple[View, str]]] = {
    "ladder": (ladder.view, "Ladder"),
    "sliding": (sliding.view, "Sliding now"),
    "customer": (customer.view, "Customer"),
    "alerts": (alerts.view, "Alerts"),
    "causes": (causes.view, "Causes"),
}


def main(start: str = "ladder") -> None:
    """Draw the page that the address names; ``start`` is the page at the root."""
    st.logo(_HERE / "logo.svg", size="large")
    pages: dict[str, Page] = {}
    for address, (view, title) in PAGES.items():
        pages[address] = _page(address, view, title, pages, is_start=address == start)
    page = st.navigation(list(pages.values()), position="top")
    st.set_page_config(page_title=f"{page.title} · Moodline", page_icon=_HERE / "icon.svg", layout="wide")
    page.run()


def _page(address: str, view: View, title: str, pages: dict[str, Page], *, is_start: bool) -> Page:
    def draw() -> None:
        frame.show(view, pages)

    return st.Page(draw, title=title, url_path=address, default=is_start)


if __name__ == "__main__":
    main()
