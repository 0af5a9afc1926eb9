"""One renderer a format. `numbers` is the only place that rounds, `safe` the only place that disarms foreign text."""

from __future__ import annotations

BUILT_INS: dict[str, dict[str, str]] = {
    "reports": {
        "html": "advisor.reports.html:render",
        "md": "advisor.reports.markdown:render",
        "json": "advisor.reports.machine:render_json",
        "csv": "advisor.reports.machine:render_csv",
    }
}
"""Report formats by file extension; each is a function ``render(comparison)`` that returns a text, or one in pieces."""
