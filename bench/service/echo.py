# SPDX-License-Identifier: MIT
"""A bare Litestar echo on the service's own stack, to tell what the stack costs: python echo.py PORT."""

import importlib.util
import sys

import uvicorn
from litestar import Litestar, Request, Response, post


@post("/v1/denoise", status_code=200)
async def echo(request: Request) -> Response[bytes]:
    return Response(await request.body(), media_type="application/octet-stream")


if __name__ == "__main__":
    uvicorn.run(
        Litestar([echo], openapi_config=None, logging_config=None),
        host="127.0.0.1",
        port=int(sys.argv[1]),
        http="httptools",
        loop="uvloop" if importlib.util.find_spec("uvloop") else "asyncio",
        log_level="error",
        access_log=False,
    )
