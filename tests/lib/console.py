#!/usr/bin/env python3
"""Receives terminals for tests: console.py SOCKET [INPUT]

Listens on SOCKET, takes one terminal as a caller of a runtime does, types INPUT and copies what it
shows to standard output until its other end is closed."""
import array
import os
import socket
import sys


def receive(connection):
    fds = array.array("i")
    name, control, _, _ = connection.recvmsg(4096, socket.CMSG_LEN(fds.itemsize))
    if not name or len(control) != 1:
        sys.exit("console.py: no single descriptor came")
    level, kind, data = control[0]
    if (level, kind) != (socket.SOL_SOCKET, socket.SCM_RIGHTS):
        sys.exit("console.py: another control message came")
    fds.frombytes(data)
    return fds[0]


def main():
    listener = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    listener.bind(sys.argv[1])
    listener.listen(1)
    master = receive(listener.accept()[0])
    if len(sys.argv) > 2:
        os.write(master, sys.argv[2].encode())
    while True:
        try:
            data = os.read(master, 4096)
        except OSError:
            break  # EIO: the last user of the other end has closed it
        if not data:
            break
        os.write(1, data)


main()
