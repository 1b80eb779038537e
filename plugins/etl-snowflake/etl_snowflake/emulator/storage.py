"""The object store behind the stages, in the manner of GCS with signed URLs."""

import hmac
import secrets
from hashlib import sha256
from typing import TYPE_CHECKING
from urllib.parse import quote

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import FileResponse, Response

from etl_snowflake.emulator.encryption import Encryption
from etl_snowflake.emulator.stages import Stage

if TYPE_CHECKING:
    from etl_snowflake.emulator.account import Account

# a driver that would upload only if the name is free looks here whether the URL lets it say so
_SIGNED_HEADERS = quote(
    "content-encoding;host;x-goog-if-generation-match;x-goog-meta-encryptiondata;x-goog-meta-matdesc;x-goog-meta-sfc-digest"
)
_SECRET = secrets.token_bytes(16)


def signed_url(server: str, stage: Stage, path: str, session: int, *, overwrite: bool = False) -> str:
    """A URL that lets its bearer PUT or GET one file of a stage."""
    signature = _sign(stage.key, path, overwrite=overwrite)
    return (
        f"{server}/_storage/{stage.key}/{quote(path)}?X-Goog-Algorithm=GOOG4-RSA-SHA256&X-Goog-SignedHeaders={_SIGNED_HEADERS}&session={session}"
        f"&overwrite={int(overwrite)}&X-Goog-Signature={signature}"
    )


def _sign(key: str, path: str, *, overwrite: bool) -> str:
    return hmac.new(_SECRET, f"{key}/{path}/{overwrite}".encode(), sha256).hexdigest()


async def blob(request: Request) -> Response:
    """PUT, GET or HEAD of one file."""
    account: Account = request.app.state.account
    stage = account.stages.by_key.get(request.path_params["key"])
    path = request.path_params["path"]
    overwrite = request.query_params.get("overwrite") == "1"
    if stage is None:
        return Response("NoSuchBucket", 404)
    if request.query_params.get("X-Goog-Signature") != _sign(stage.key, path, overwrite=overwrite):
        return Response("SignatureDoesNotMatch", 403)
    if request.method == "PUT":
        return await _upload(account, request, stage, path, overwrite=overwrite)
    staged = stage.files.get(path)
    if staged is None:
        return Response("NoSuchKey", 404)
    headers = {"x-goog-meta-sfc-digest": staged.digest}
    if staged.encryption is not None:
        headers["x-goog-meta-encryptiondata"] = staged.encryption.metadata
        headers["x-goog-meta-matdesc"] = staged.encryption.description
    return FileResponse(staged.blob, headers=headers, media_type="application/octet-stream")


async def _upload(account: "Account", request: Request, stage: Stage, path: str, *, overwrite: bool) -> Response:
    blob_path = account.stages.new_blob()
    keep = account.faults.kept_fraction(request)
    length = int(request.headers.get("content-length", "0"))
    limit = length if keep is None else int(length * keep)
    received = written = 0
    try:
        with blob_path.open("wb") as stream:
            async for chunk in request.stream():
                await account.faults.throttle(len(chunk))
                received += len(chunk)
                if written < limit or length == 0:
                    piece = chunk if length == 0 and keep is None else chunk[: limit - written]
                    stream.write(piece)
                    written += len(piece)
    except BaseException:
        # a broken connection leaves nothing: an object store publishes whole objects only
        blob_path.unlink(missing_ok=True)
        raise
    if path in stage.files and not overwrite:
        # GCS refuses by generation match where the driver asks for it; where it does not, the old object stays
        blob_path.unlink(missing_ok=True)
        return Response(status_code=412 if "x-goog-if-generation-match" in request.headers else 200)
    if keep == 0:
        blob_path.unlink(missing_ok=True)
        return Response()
    metadata = request.headers.get("x-goog-meta-encryptiondata")
    encryption = None
    if metadata and metadata != "null":
        encryption = Encryption(stage.master_key, metadata, request.headers.get("x-goog-meta-matdesc", ""))
    digest = request.headers.get("x-goog-meta-sfc-digest", "")
    staged = await run_in_threadpool(account.stages.store, stage, path, blob_path, digest, encryption)
    return Response(headers={"ETag": f'"{staged.md5}"', "x-goog-generation": "1"})
