"""Storage, stand-in: the HTTP endpoints of Supabase Storage that storage3 2.34 calls for plain files.

The gateway mounts it at /storage/v1. Files lie in a folder as <bucket>/<path>, what was said of them beside
as <path>.json. As on a hosted project: writing takes the service role's key, a public bucket is read without
any, an existing object answers "Duplicate" unless x-upsert is true, and errors are JSON with `statusCode`,
`error` and `message` under HTTP 400. There are no signed URLs, no transformations, no resumable uploads, and
the buckets are those it was started with; table storage.objects stays empty.
"""

import json
import re
import uuid
from pathlib import Path
from typing import Any

from starlette.applications import Starlette
from starlette.datastructures import UploadFile
from starlette.requests import Request
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

MOST_BYTES = 50 * 1024 * 1024  # what a free project takes for one file
OBJECT_NAME = re.compile(r"[\w/!.*'()& $@=;:+,?-]+", re.ASCII)


class Refused(Exception):
    """An answer that is no success."""

    def __init__(self, status: int, error: str, message: str) -> None:
        super().__init__(message)
        self.status, self.error = status, error


def refuse(_: Request, refused: Exception) -> Response:
    """The error as Storage words it: the real status is in the body, the HTTP one mostly 400."""
    assert isinstance(refused, Refused)
    body = {"statusCode": str(refused.status), "error": refused.error, "message": str(refused)}
    return JSONResponse(body, status_code=refused.status if refused.status >= 500 else 400)


def storage(folder: Path, service_key: str, buckets: list[str]) -> Starlette:
    """The application. `buckets` are public ones; `folder` is made when the first file comes."""
    files = Files(folder, service_key, buckets)
    return Starlette(
        routes=[
            Route("/bucket", files.all_buckets, methods=["GET"]),
            Route("/bucket/{bucket}", files.bucket, methods=["GET"]),
            Route("/object/list/{bucket}", files.listing, methods=["POST"]),
            Route("/object/public/{bucket}/{path:path}", files.download_public, methods=["GET"]),
            Route("/object/{bucket}/{path:path}", files.upload, methods=["POST", "PUT"]),
            Route("/object/{bucket}/{path:path}", files.download, methods=["GET"]),
            Route("/object/{bucket}", files.remove, methods=["DELETE"]),
        ],
        exception_handlers={Refused: refuse},
    )


class Files:
    """What each endpoint does with the files of a folder."""

    def __init__(self, folder: Path, service_key: str, buckets: list[str]) -> None:
        self._folder = folder
        self._service_key = service_key
        self._buckets = buckets

    async def upload(self, request: Request) -> Response:
        """A new object by POST; another content by PUT, or by POST that says so."""
        self._authorize(request)
        file = self._file_of(request)
        data, content_type, cache_control = await _sent(request)
        if len(data) > MOST_BYTES:
            raise Refused(413, "Payload too large", "The object exceeded the maximum allowed size")
        replaces = request.method == "PUT" or request.headers.get("x-upsert") == "true"
        if request.method == "PUT" and not file.exists():
            raise Refused(404, "not_found", "Object not found")
        file.parent.mkdir(parents=True, exist_ok=True)
        try:
            with file.open("wb" if replaces else "xb") as opened:
                opened.write(data)
        except FileExistsError:
            raise Refused(409, "Duplicate", "The resource already exists") from None
        about = {
            "id": str(uuid.uuid4()),
            "mimetype": content_type,
            "cacheControl": f"max-age={cache_control}",
            "size": len(data),
        }
        _about(file).write_text(json.dumps(about))
        key = f"{request.path_params['bucket']}/{request.path_params['path']}"
        return JSONResponse({"Id": about["id"], "Key": key})

    async def download(self, request: Request) -> Response:
        """For whoever has the key."""
        self._authorize(request)
        return await self.download_public(request)

    async def download_public(self, request: Request) -> Response:
        """For everybody."""
        file = self._file_of(request)
        if not file.is_file():
            raise Refused(404, "not_found", "Object not found")
        about = json.loads(_about(file).read_text())
        headers = {"content-type": about["mimetype"], "cache-control": about["cacheControl"]}
        return Response(file.read_bytes(), headers=headers)

    async def listing(self, request: Request) -> Response:
        """What lies right under a prefix, folders too."""
        self._authorize(request)
        asked = await request.json()
        root = self._place(request.path_params["bucket"], "x").parent / asked.get("prefix", "")
        names = sorted(entry for entry in root.glob("*") if entry.suffix != ".json") if root.is_dir() else []
        start = asked.get("offset", 0)
        return JSONResponse([_described(entry) for entry in names[start : start + asked.get("limit", 100)]])

    async def remove(self, request: Request) -> Response:
        """Takes the named objects away and answers those that were there."""
        self._authorize(request)
        removed = []
        for path in (await request.json())["prefixes"]:
            file = self._place(request.path_params["bucket"], path)
            if file.is_file():
                removed.append(_described(file) | {"name": path})
                file.unlink()
                _about(file).unlink()
        return JSONResponse(removed)

    async def bucket(self, request: Request) -> Response:
        """What is known of one bucket."""
        self._authorize(request)
        name = request.path_params["bucket"]
        self._place(name, "x")
        return JSONResponse(_bucket(name))

    async def all_buckets(self, request: Request) -> Response:
        """What is known of each."""
        self._authorize(request)
        return JSONResponse([_bucket(name) for name in self._buckets])

    def _authorize(self, request: Request) -> None:
        scheme, _, token = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            raise Refused(400, "Error", "headers must have required property 'authorization'")
        if token != self._service_key:
            raise Refused(403, "Unauthorized", "new row violates row-level security policy")

    def _file_of(self, request: Request) -> Path:
        return self._place(request.path_params["bucket"], request.path_params["path"])

    def _place(self, bucket: str, path: str) -> Path:
        if bucket not in self._buckets:
            raise Refused(404, "Bucket not found", "Bucket not found")
        parts = path.split("/")
        if not OBJECT_NAME.fullmatch(path) or not all(parts) or {".", ".."} & set(parts):
            raise Refused(400, "InvalidKey", f"Invalid key: {path}")
        return self._folder / bucket / path


async def _sent(request: Request) -> tuple[bytes, str | None, str]:
    """The file of a request, its content type, and how many seconds it may be kept."""
    if not request.headers.get("content-type", "").startswith("multipart/"):
        headers = request.headers
        return await request.body(), headers.get("content-type"), headers.get("cache-control", "3600")
    async with request.form() as form:
        parts = [part for part in form.values() if isinstance(part, UploadFile)]
        if not parts:
            raise Refused(400, "InvalidRequest", "the form has no file")
        return await parts[0].read(), parts[0].content_type, str(form.get("cacheControl", "3600"))


def _about(file: Path) -> Path:
    return file.with_name(file.name + ".json")


def _described(entry: Path) -> dict[str, Any]:
    if entry.is_dir():
        return {"name": entry.name, "id": None, "metadata": None}
    about = json.loads(_about(entry).read_text())
    return {"name": entry.name, "id": about["id"], "metadata": about}


def _bucket(name: str) -> dict[str, Any]:
    moment = "2026-02-20T12:00:00.000Z"
    return {
        "id": name,
        "name": name,
        "owner": "",
        "public": True,
        "created_at": moment,
        "updated_at": moment,
        "file_size_limit": None,
        "allowed_mime_types": None,
    }
