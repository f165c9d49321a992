"""The page: one file that asks nobody but its own server."""

from __future__ import annotations

import base64
import hashlib
import re

import httpx


async def test_the_browser_may_run_these_lines_and_no_others(client: httpx.AsyncClient) -> None:
    answer = await client.get("/")
    assert answer.headers["content-type"].startswith("text/html")
    policy = answer.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    for element in ("script", "style"):
        (inside,) = re.findall(f"<{element}>(.*?)</{element}>", answer.text, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(inside.encode()).digest()).decode()
        assert f"{element}-src 'sha256-{digest}'" in policy


async def test_it_asks_no_other_server_and_hides_nothing_in_attributes(client: httpx.AsyncClient) -> None:
    html = (await client.get("/")).text
    assert not re.findall(r"(?:https?:)?//[a-z]", html.replace("// ", ""))
    assert not re.findall(r"\son[a-z]+=|\sstyle=", html)
    assert html.count("innerHTML") == 0
