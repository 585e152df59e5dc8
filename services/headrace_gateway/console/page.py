"""The console's page: files served as they are. They hold nothing of a deployment, so anybody may have them.

The policy lets the page run and ask what comes from its own origin, and nothing else; text never becomes markup.
"""

from hashlib import blake2b
from importlib.resources import files

from fastapi import APIRouter, Request, Response

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; "
    "form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'"
)
_HEADERS = {
    "Content-Security-Policy": _POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
    "Cache-Control": "no-cache",  # kept, and asked for again: a new version shows at once
}
_FILES = (
    ("/console", "console.html", "text/html"),
    ("/console/console.css", "console.css", "text/css"),
    ("/console/console.js", "console.js", "text/javascript"),
    ("/console/graph.js", "graph.js", "text/javascript"),
    ("/console/icon.svg", "icon.svg", "image/svg+xml"),
)


def add_page(router: APIRouter) -> None:
    """Add the routes of the files."""
    folder = files("headrace_gateway.console") / "static"
    for path, name, media_type in _FILES:
        _add(router, path, (folder / name).read_bytes(), media_type)


def _add(router: APIRouter, path: str, body: bytes, media_type: str) -> None:
    tag = f'"{blake2b(body, digest_size=12).hexdigest()}"'

    @router.get(path, include_in_schema=False)
    async def file(request: Request) -> Response:
        headers = {**_HEADERS, "ETag": tag}
        if request.headers.get("if-none-match") == tag:
            return Response(status_code=304, headers=headers)
        return Response(body, headers=headers, media_type=media_type)
