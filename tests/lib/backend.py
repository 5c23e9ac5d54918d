#!/usr/bin/env python3
"""Nodes that misbehave, for tests of the router: backend.py SOCKET=MODE ...

Each SOCKET is a path, or a port of 127.0.0.1. A line is printed for each connection. Modes:
  say:TEXT     200 with TEXT
  raw:TEXT     TEXT (backslash escapes) instead of a response, then the end
  silent       takes the request, says nothing
  full         never accepts, and its queue is full
  early        200 without reading the body
  count        200 with the length of the body that came
"""
import select
import socket
import struct
import sys


def read(conn, n):
    data = b""
    while len(data) < n:
        part = conn.recv(min(n - len(data), 1 << 16))
        if not part:
            break
        data += part
    return data


def request(conn):
    header = read(conn, 4)
    block = read(conn, struct.unpack("<H", header[1:3])[0])
    variables, at = {}, 0
    while at < len(block):
        pair = []
        for _ in range(2):
            n = struct.unpack("<H", block[at:at + 2])[0]
            pair.append(block[at + 2:at + 2 + n].decode("latin-1"))
            at += 2 + n
        variables[pair[0]] = pair[1]
    return variables


def ok(conn, text):
    conn.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n%s" % (len(text), text.encode()))


def answer(conn, mode, held):
    kind, _, text = mode.partition(":")
    if kind == "early":
        read(conn, 4)
        ok(conn, "early")
        return
    variables = request(conn)
    if kind == "say":
        ok(conn, text)
    elif kind == "raw":
        conn.sendall(text.encode().decode("unicode_escape").encode("latin-1"))
    elif kind == "silent":
        held.append(conn)
        return
    elif kind == "count":
        ok(conn, str(len(read(conn, int(variables.get("CONTENT_LENGTH") or 0)))))
    conn.close()


def listen(where, mode):
    if where.isdigit():
        sock = socket.socket(socket.AF_INET)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        sock.bind(("127.0.0.1", int(where)))
    else:
        sock = socket.socket(socket.AF_UNIX)
        sock.bind(where)
        import os
        os.chmod(where, 0o666)
    sock.listen(0 if mode == "full" else 64)
    return sock


def main():
    nodes, held = {}, []
    for word in sys.argv[1:]:
        where, mode = word.split("=", 1)
        sock = listen(where, mode)
        if mode == "full":
            held.append(sock)
            while True:  # until the queue takes no more
                probe = socket.socket(socket.AF_UNIX)
                probe.setblocking(False)
                try:
                    probe.connect(where)
                    held.append(probe)
                except BlockingIOError:
                    break
        else:
            nodes[sock] = (where, mode)
    print("ready", flush=True)
    while True:
        for sock in select.select(list(nodes), [], [])[0]:
            where, mode = nodes[sock]
            conn = sock.accept()[0]
            print("connection", where, flush=True)
            try:
                answer(conn, mode, held)
            except (OSError, struct.error) as e:
                print("error", where, e, flush=True)


main()
