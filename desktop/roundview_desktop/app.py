"""Decides how the page and its files reach a browser: routes, policy headers, caching."""

from __future__ import annotations

import hashlib
import html
from collections.abc import Awaitable, Callable
from importlib import resources

from fastapi import APIRouter, Request
from fastapi.responses import Response

from roundview_catalog.errors import AccessError
from roundview_desktop.page import PageContext

CONTENT_SECURITY_POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self' data:",
        "base-uri 'none'",
        "form-action 'self'",
        "frame-ancestors 'none'",
    )
)

_COMMON = {
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}
_PAGE = {
    **_COMMON,
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "Permissions-Policy": "camera=(), geolocation=(), microphone=()",
    "Cache-Control": "no-store",
}
_LOGIN = {**_PAGE, "WWW-Authenticate": "Bearer"}
_NOBODY = "RV302"
_TYPES = {"js": "text/javascript", "css": "text/css", "svg": "image/svg+xml"}


def desk_app(get_page_context: Callable[[Request], Awaitable[PageContext]]) -> APIRouter:
    """Returns the routes `/desk`, `/desk/context` and `/desk/FILE` of the page.

    `get_page_context` is called per request and should answer from a cache: it returns the
    context of the catalog that serves now, for who asks. Where it raises AccessError RV302 for
    a request without a credential, the page asks for one; whatever else it raises is for the
    application to answer. Mount it at the root:

        app.include_router(desk_app(context_of))

    The page posts `{"documentId": "sha256:…", "variables": {"by": …}}` to `/graphql`.
    """
    router = APIRouter()
    template = _read("desk.html").decode()
    files = {name: _read(name) for name in _asset_names()}
    tags = {name: _etag(content) for name, content in files.items()}

    async def page(request: Request) -> Response:
        try:
            context = await get_page_context(request)
        except AccessError as error:
            # A browser cannot say who asks before it has a page that asks for it.
            if error.code != _NOBODY or "authorization" in request.headers:
                raise
            return Response(filled("null", "login"), error.row.http, _LOGIN, "text/html")
        asks = any(name in context.kinds for name in request.query_params)
        content = filled(context.settings.decode(), "loading" if asks else "idle")
        return Response(content, media_type="text/html", headers=_PAGE)

    def filled(settings: str, state: str) -> str:
        content = template.replace("{{settings}}", html.escape(settings))
        return content.replace("{{state}}", state)

    async def settings(request: Request) -> Response:
        content = (await get_page_context(request)).settings
        headers = {
            **_COMMON,
            "ETag": _etag(content),
            "Cache-Control": "private, no-cache",
            "Vary": "Authorization, Roundview-Purpose, Roundview-Emergency",
        }
        if request.headers.get("if-none-match") == headers["ETag"]:
            return Response(status_code=304, headers=headers)
        return Response(content, media_type="application/json", headers=headers)

    def asset(name: str) -> Callable[[Request], Awaitable[Response]]:
        media_type = _TYPES[name.rpartition(".")[2]]
        headers = {**_COMMON, "ETag": tags[name], "Cache-Control": "no-cache"}

        async def send(request: Request) -> Response:
            if request.headers.get("if-none-match") == tags[name]:
                return Response(status_code=304, headers=headers)
            return Response(files[name], media_type=media_type, headers=headers)

        return send

    router.add_route("/desk", page, methods=["GET"])
    router.add_route("/desk/context", settings, methods=["GET"])
    for name in files:
        router.add_route(f"/desk/{name}", asset(name), methods=["GET"])
    return router


def _asset_names() -> list[str]:
    folder = resources.files("roundview_desktop") / "static"
    return sorted(f.name for f in folder.iterdir() if f.name.rpartition(".")[2] in _TYPES)


def _read(name: str) -> bytes:
    return (resources.files("roundview_desktop") / "static" / name).read_bytes()


def _etag(content: bytes) -> str:
    return f'"{hashlib.sha256(content).hexdigest()[:32]}"'
