"""matplotlib, which is there only where the extra ``plot`` is installed."""

from __future__ import annotations

from typing import Any

# The palette of Okabe and Ito, whose colours the colour-blind tell apart.
BLUE = "#0072B2"
ORANGE = "#D55E00"
GREY = "#666666"

# Style of a text that may hold what the data hold: two dollars in a name are no formula,
# and a name is no TeX either, whatever matplotlib is set to.
PLAIN = {"parse_math": False, "usetex": False}


def require_pyplot(asked_by: str) -> Any:
    """Return ``matplotlib.pyplot``, or raise ImportError that names the extra."""
    try:
        import matplotlib.pyplot as plt
    except ImportError as error:
        raise ImportError(
            f'{asked_by} draws with matplotlib: pip install "sk-embed[plot]".'
        ) from error
    return plt


def figure_of(ax: Any, asked_by: str) -> tuple[Any, Any]:
    """Return axes to draw on, new ones where ``ax`` is None, and their figure."""
    plt = require_pyplot(asked_by)
    if ax is None:
        _, ax = plt.subplots(layout="constrained")
    return ax, ax.get_figure()


def printable(text: str) -> str:
    """Return a text that fonts can be asked for: half a surrogate pair has no glyph."""
    return "".join(
        "\N{REPLACEMENT CHARACTER}" if "\ud800" <= c <= "\udfff" else c for c in text
    )


def halo() -> list[Any]:
    """Return the effect of a white rim round letters, to be read on marks and lines."""
    from matplotlib.patheffects import withStroke

    return [withStroke(linewidth=2.5, foreground="white", alpha=0.8)]


def count_rows_by_log(axis: Any) -> None:
    """Label a logarithmic axis of counts by 1, 2, 5, 10 and so on."""
    from matplotlib.ticker import LogLocator, NullFormatter, StrMethodFormatter

    axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
    axis.set_major_formatter(StrMethodFormatter("{x:,.0f}"))
    axis.set_minor_formatter(NullFormatter())
