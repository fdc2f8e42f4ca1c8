"""A bare peer of the plane: `python bench/bare.py FILE` serves the bytes of a file and a stream.

Starlette and uvicorn as their own pages show them. It prints its port first.
"""

import asyncio
import socket
import sys
from pathlib import Path

import uvicorn
from starlette.applications import Starlette
from starlette.responses import Response, StreamingResponse
from starlette.routing import Route


def serve_bare(file):
    body = Path(file).read_bytes()
    turn = asyncio.Event()

    async def document(request):
        if request.headers.get("if-none-match") == '"1"':
            return Response(status_code=304, headers={"ETag": '"1"'})
        return Response(body, headers={"ETag": '"1"'}, media_type="application/json")

    async def told():
        nonlocal turn
        yield b": hello\n\n"
        while True:
            await turn.wait()
            yield b"id: 1\nevent: message\ndata: {}\n\n"

    async def stream(_request):
        return StreamingResponse(told(), media_type="text/event-stream")

    async def tell(_request):
        nonlocal turn
        turn, told_now = asyncio.Event(), turn
        told_now.set()
        return Response(status_code=204)

    app = Starlette(
        routes=[
            Route("/document", document),
            Route("/stream", stream),
            Route("/tell", tell, methods=["POST"]),
        ]
    )
    listener = socket.create_server(("127.0.0.1", 0), backlog=2048)
    print(listener.getsockname()[1], flush=True)
    config = uvicorn.Config(app, log_config=None, access_log=False, ws="none", timeout_graceful_shutdown=1)
    uvicorn.Server(config).run(sockets=[listener])


if __name__ == "__main__":
    serve_bare(sys.argv[1])
