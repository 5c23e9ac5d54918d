#!/usr/bin/env python3
"""Subscription datagrams for tests.

  make KEY ADDRESS [sign=DIGEST:PEM] [unix=SECONDS] [leave] [NAME=VALUE ...]   packet to stdout
  send TARGET [WORD]           the packet on stdin to TARGET (a path or udp:HOST:PORT)
       flip                    subscribe and unsubscribe changed into each other
       times=N                 N times
       nodes=N                 N times, unsigned, the address each time with another end
  tap LISTEN TARGET DIR        takes packets at LISTEN, keeps each in DIR/<number>, passes them on
"""
import os
import socket
import struct
import subprocess
import sys
import time


def pack(variables):
    out = b""
    for name, value in variables:
        value = value if isinstance(value, bytes) else value.encode()
        out += struct.pack("<H", len(name)) + name.encode() + struct.pack("<H", len(value)) + value
    return out


def make(key, address, *words):
    options = dict(w.split("=", 1) for w in words if "=" in w)
    sign = options.pop("sign", None)
    stamp = options.pop("unix", str(int(time.time()) + ("leave" in words)))
    block = {"key": key, "address": address, "modifier1": "0", "modifier2": "0", "cores": "1",
             "load": "0", "weight": "0", **options}
    block = pack(block.items())
    if sign:
        digest, pem = sign.split(":", 1)
        block += pack([("unix", stamp)])
        signature = subprocess.run(["openssl", "dgst", "-" + digest.lower(), "-sign", pem],
                                   input=block, stdout=subprocess.PIPE, check=True).stdout
        block += pack([("sign", signature)])
    header = struct.pack("<BHB", 224, len(block), "leave" in words)
    sys.stdout.buffer.write(header + block)


def emit(target, data):
    if target.startswith("udp:"):
        host, port = target[4:].rsplit(":", 1)
        socket.socket(socket.AF_INET, socket.SOCK_DGRAM).sendto(data, (host, int(port)))
    else:
        socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM).sendto(data, target)


def readdress(data, n):
    at = data.index(b"address") + 7
    old = data[at + 2:at + 2 + struct.unpack("<H", data[at:at + 2])[0]]
    block = data[4:].replace(struct.pack("<H", len(old)) + old,
                             struct.pack("<H", len(old) + 4) + old + b"%04d" % n)
    return struct.pack("<BHB", data[0], len(block), data[3]) + block


def send(target, *words):
    data = bytearray(sys.stdin.buffer.read())
    if "flip" in words:
        data[3] ^= 1
    kind, _, count = (words or ("times=1",))[0].partition("=")
    for n in range(int(count or 1)):
        emit(target, readdress(bytes(data), n) if kind == "nodes" else bytes(data))


def tap(listen, target, directory):
    sock = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
    sock.bind(listen)
    os.chmod(listen, 0o666)
    n = 0
    while True:
        data = sock.recv(65536)
        n += 1
        with open(f"{directory}/{n}.new", "wb") as f:
            f.write(data)
        try:
            emit(target, data)
        except OSError:
            pass
        os.rename(f"{directory}/{n}.new", f"{directory}/{n}")


if __name__ == "__main__":
    {"make": make, "send": send, "tap": tap}[sys.argv[1]](*sys.argv[2:])
