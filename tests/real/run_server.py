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


def run_cheroot(listener: socket.socket) -> None:
    from cheroot.wsgi import Server

    # It takes over a socket as systemd hands it down.
    os.dup2(listener.fileno(), 3)
    os.environ["LISTEN_PID"] = str(os.getpid())
    Server(listener.getsockname(), APPLICATION).start()


if __name__ == "__main__":
    _, name, descriptor = sys.argv
    run = {"wsgiref": run_wsgiref, "waitress": run_waitress, "cheroot": run_cheroot, "werkzeug": run_werkzeug}
    run[name](socket.socket(fileno=int(descriptor)))
