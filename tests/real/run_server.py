"""Run one of the WSGI servers that no command starts on a socket handed down: python run_server.py NAME DESCRIPTOR."""

from __future__ import annotations

import importlib
import os
import socket
import sys
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer

APPLICATION = importlib.import_module("apps").wsgi_of_every_proxy()  # of this folder: this file is run as a program


def run_wsgiref(listener: socket.socket) -> None:
    address = listener.getsockname()
    server = WSGIServer(address, WSGIRequestHandler, bind_and_activate=False)
    server.socket.close()
    server.socket, server.server_name, server.server_port = listener, "localhost", address[1]
    server.setup_environ()
    server.set_app(APPLICATION)
    server.serve_forever()


def run_waitress(listener: socket.socket) -> None:
    waitress = importlib.import_module("waitress")  # it has no types
    waitress.serve(APPLICATION, sockets=[listener])


def run_werkzeug(listener: socket.socket) -> None:
    from werkzeug.serving import make_server

    name = listener.getsockname()
    host, port = (f"unix://{name}", 0) if isinstance(name, str) else name
    make_server(host, port, APPLICATION, threaded=True, fd=listener.fileno()).serve_forever()


def run_tornado(listener: socket.socket) -> None:
    import asyncio

    from tornado.httpserver import HTTPServer
    from tornado.wsgi import WSGIContainer

    async def run() -> None:
        listener.setblocking(False)
        HTTPServer(WSGIContainer(APPLICATION)).add_socket(listener)
        await asyncio.Event().wait()

    asyncio.run(run())


def run_aiohttp_wsgi(listener: socket.socket) -> None:
    from aiohttp import web
    from aiohttp_wsgi.wsgi import WSGIHandler

    application = web.Application()
    application.router.add_route("*", "/{path_info:.*}", WSGIHandler(APPLICATION))
    web.run_app(application, sock=listener, print=None)


def run_bjoern(listener: socket.socket) -> None:
    importlib.import_module("bjoern").server_run(listener, APPLICATION)


def run_cheroot(listener: socket.socket) -> None:
    from cheroot.wsgi import Server

    # It takes over a socket as systemd hands it down.
    os.dup2(listener.fileno(), 3)
    os.environ["LISTEN_PID"] = str(os.getpid())
    Server(listener.getsockname(), APPLICATION).start()


if __name__ == "__main__":
    _, name, descriptor = sys.argv
    run = {
        "aiohttp-wsgi": run_aiohttp_wsgi,
        "bjoern": run_bjoern,
        "cheroot": run_cheroot,
        "tornado": run_tornado,
        "waitress": run_waitress,
        "werkzeug": run_werkzeug,
        "wsgiref": run_wsgiref,
    }
    run[name](socket.socket(fileno=int(descriptor)))
