"""The page: one file of HTML, CSS and JavaScript, and a policy under which nothing but these very lines runs."""

from __future__ import annotations

import base64
import hashlib
import re
from pathlib import Path

from starlette.responses import Response

_FILE = Path(__file__).with_name("page.html")


def page() -> Response:
    html = _FILE.read_text(encoding="utf-8")
    return Response(html, media_type="text/html", headers={"Content-Security-Policy": policy(html)})


def policy(html: str) -> str:
    """Return what the browser may do: use the script and style of `html`, by their hashes, and send requests to us."""
    allowed = {"script": _hash_of(html, "script"), "style": _hash_of(html, "style")}
    return (
        f"default-src 'none'; script-src '{allowed['script']}'; style-src '{allowed['style']}'; connect-src 'self'; "
        "img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
    )


def _hash_of(html: str, element: str) -> str:
    found = re.search(f"<{element}>(.*?)</{element}>", html, re.DOTALL)
    assert found is not None, f"the page has no {element}"
    return f"sha256-{base64.b64encode(hashlib.sha256(found.group(1).encode()).digest()).decode()}"
