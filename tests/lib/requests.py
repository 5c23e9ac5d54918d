#!/usr/bin/env python3
"""requests.py PORT HOST: sends requests that two parsers could read in two ways, and other bad ones.

HOST is a site that answers "count" (backend.py). Each request is sent alone on a connection, followed
by a second one to the same site; a line is printed for each whose first status is not the expected
one, or that got a second answer where the connection must end. The last line is the number sent.
"""
import re
import socket
import sys

PORT, HOST = int(sys.argv[1]), sys.argv[2].encode()
H = b"Host: " + HOST + b"\r\n"
GET = b"GET / HTTP/1.1\r\n"
NEXT = b"GET /next HTTP/1.1\r\n" + H + b"Connection: close\r\n\r\n"
CHUNK = b"0\r\n\r\n"


def post(fields, body=b""):
    return b"POST / HTTP/1.1\r\n" + H + fields + b"\r\n" + body


def get(fields):
    return GET + H + fields + b"\r\n"


def line(first):
    return first + b"\r\n" + H + b"\r\n"


CASES = [
    # what must work
    (200, get(b"")), (200, get(b"X:\r\n")), (200, get(b"X: \t v \t \r\n")), (200, b"\r\n" + get(b"")),
    (200, post(b"Content-Length: 5\r\n", b"hello")), (200, post(b"Content-Length: 0\r\n")),
    (200, post(b"content-LENGTH: 05\r\n", b"hello")), (200, line(b"GET /?a=%00 HTTP/1.1")),
    (200, line(b"GET http://" + HOST + b"/x HTTP/1.1")), (200, line(b"OPTIONS * HTTP/1.1")),
    (200, line(b"GET HTTP://" + HOST.upper() + b" HTTP/1.1")), (200, get(b"X: \x80\xff\r\n")),
    (200, line(b"get / HTTP/1.1")), (200, get(b"Proxy: x\r\n")), (200, get(b"X: y\r\nX: z\r\n")),
    (200, get(b"Connection: x, keep-alive\r\n")), (200, get(b"Expect: 100-continue\r\n")),
    (200, GET + b"HOST:" + HOST.upper() + b".:8080\r\n\r\n"),
    # line ends
    (400, GET[:-2] + b"\n" + H + b"\r\n"), (400, GET + H[:-2] + b"\n\r\n"), (400, GET + H + b"\n"),
    (400, GET + H + b"X: a\rY: b\r\n\r\n"), (400, GET + H + b"X: a\nY: b\r\n\r\n"),
    (400, GET + H + b"X: a\r\r\n\r\n"), (400, GET + H + b"\rX: a\r\n\r\n"),
    (400, b"GET / HTTP/1.1\r\r\n" + H + b"\r\n"), (400, b"\n" + get(b"")), (400, b"\r\n\r\n" + get(b"")),
    # field syntax
    (400, get(b"X : y\r\n")), (400, get(b"X\t: y\r\n")), (400, get(b" X: y\r\n")),
    (400, get(b"X: y\r\n folded\r\n")), (400, get(b"X: y\r\n\tfolded\r\n")), (400, get(b"X\r\n")),
    (400, get(b": y\r\n")), (400, get(b"X\x00: y\r\n")), (400, get(b"X: \x00\r\n")),
    (400, get(b"X: \x7f\r\n")), (400, get(b"X: \x01\r\n")), (400, get(b"X\x80: y\r\n")),
    (400, get(b"X_Y: z\r\n")), (400, get(b"Content_Length: 5\r\n")), (400, get(b"(X): y\r\n")),
    (400, GET + b" " + H + b"\r\n"), (400, get(b"X" * 256 + b": y\r\n")),
    # hosts
    (400, GET + b"\r\n"), (400, GET + H + H + b"\r\n"), (400, GET + b"Host:\r\n\r\n"),
    (400, GET + b"Host: a b\r\n\r\n"), (400, GET + b"Host: a,b\r\n\r\n"), (400, GET + b"Host: a/b\r\n\r\n"),
    (400, GET + b"Host: a@b\r\n\r\n"), (400, GET + b"Host: a:b\r\n\r\n"), (400, GET + b"Host: a:1:2\r\n\r\n"),
    (400, GET + b"Host: [::1\r\n\r\n"), (400, GET + b"Host: []\r\n\r\n"), (400, GET + b"Host: '\r\n\r\n"),
    (400, GET + b"Host: " + b"a" * 256 + b"\r\n\r\n"), (400, GET + b"Host: \xc3\xa9\r\n\r\n"),
    (400, GET + b"Host: a%61\r\n\r\n"), (400, GET + b"Host: :80\r\n\r\n"), (400, GET + b"Host: <b>\r\n\r\n"),
    (404, GET + b"Host: ..\r\n\r\n"), (404, GET + b"Host: [::1]:80\r\n\r\n"), (404, b"GET / HTTP/1.0\r\n\r\n"),
    (400, line(b"GET http://other.example/ HTTP/1.1")), (400, line(b"GET http:/// HTTP/1.1")),
    (400, line(b"GET http://x@" + HOST + b"/ HTTP/1.1")), (400, line(b"GET ftp://" + HOST + b"/ HTTP/1.1")),
    (400, line(b"GET http://" + HOST + b"?x HTTP/1.1")), (400, b"GET http://" + HOST + b"/ HTTP/1.1\r\n\r\n"),
    # request line
    (400, line(b"GET  / HTTP/1.1")), (400, line(b"GET /  HTTP/1.1")), (400, line(b"GET / HTTP/1.1 ")),
    (400, line(b" GET / HTTP/1.1")), (400, line(b"GET / a HTTP/1.1")), (400, line(b"GET\t/ HTTP/1.1")),
    (400, line(b"GET /")), (400, line(b"GET / http/1.1")), (400, line(b"GET / HTTP/1.10")),
    (400, line(b"GET / HTTP/01.1")), (400, line(b"GET / HTTP/0.9")), (400, line(b"GET / HTTP/1,1")),
    (505, line(b"GET / HTTP/1.2")), (505, line(b"GET / HTTP/2.0")), (501, line(b"CONNECT " + HOST + b":80 HTTP/1.1")),
    (400, line(b"G@T / HTTP/1.1")), (400, line(b"G" * 33 + b" / HTTP/1.1")), (400, line(b"GET * HTTP/1.1")),
    (400, line(b"GET x HTTP/1.1")), (400, line(b"GET /a#b HTTP/1.1")), (400, line(b"GET /\x00 HTTP/1.1")),
    (400, line(b"GET /\xff HTTP/1.1")), (400, line(b"GET /%00 HTTP/1.1")), (400, line(b"GET /%0 HTTP/1.1")),
    (400, line(b"GET /%zz HTTP/1.1")), (400, b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n"),
    # lengths
    (400, post(b"Content-Length: +5\r\n", b"hello")), (400, post(b"Content-Length: -1\r\n")),
    (400, post(b"Content-Length: 5 5\r\n", b"hello")), (400, post(b"Content-Length: 0x5\r\n", b"hello")),
    (400, post(b"Content-Length: 5, 5\r\n", b"hello")), (400, post(b"Content-Length: 5;\r\n", b"hello")),
    (400, post(b"Content-Length: 5\r\nContent-Length: 5\r\n", b"hello")), (400, post(b"Content-Length:\r\n")),
    (400, post(b"Content-Length: 5\r\nContent-Length: 6\r\n", b"hello")), (400, post(b"Content-Length: 1e1\r\n")),
    (400, post(b"Content-Length: 18446744073709551617\r\n", b"h")), (400, post(b"Content-Length: 5\x00\r\n", b"hello")),
    (400, post(b"Content-Length: \x0b5\r\n", b"hello")), (400, post(b"Content-Length : 5\r\n", b"hello")),
    # transfer codings
    (411, post(b"Transfer-Encoding: chunked\r\n", CHUNK)), (411, post(b"transfer-encoding:CHUNKED\r\n", CHUNK)),
    (400, post(b"Transfer-Encoding: chunked\r\nContent-Length: 5\r\n", CHUNK)),
    (400, post(b"Content-Length: 5\r\nTransfer-Encoding: chunked\r\n", CHUNK)),
    (400, post(b"Content-Length: 5\r\nTransfer-Encoding: x\r\n", CHUNK)),
    (400, post(b"Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n", CHUNK)),
    (400, post(b"Transfer-Encoding: x\r\nTransfer-Encoding: chunked\r\n", CHUNK)),
    (400, post(b"Transfer-Encoding:\r\n", CHUNK)), (400, post(b"Transfer-Encoding : chunked\r\n", CHUNK)),
    (400, post(b"Transfer-Encoding: \x0bchunked\r\n", CHUNK)), (400, post(b"Transfer_Encoding: chunked\r\n", CHUNK)),
    (501, post(b"Transfer-Encoding: chunked, identity\r\n", CHUNK)), (501, post(b"Transfer-Encoding: x\r\n", CHUNK)),
    (501, post(b"Transfer-Encoding: chunked;q=1\r\n", CHUNK)), (501, post(b"Transfer-Encoding: 'chunked'\r\n", CHUNK)),
    (501, post(b"Transfer-Encoding: identity\r\n")), (501, post(b"Transfer-Encoding: ,chunked\r\n", CHUNK)),
    (400, b"POST / HTTP/1.0\r\n" + H + b"Transfer-Encoding: chunked\r\n\r\n" + CHUNK),
    # limits
    (414, line(b"GET /" + b"a" * 16384 + b" HTTP/1.1")), (200, line(b"GET /" + b"a" * 16383 + b" HTTP/1.1")),
    (431, get(b"X: " + b"a" * 32768 + b"\r\n")), (431, get(b"X: y\r\n" * 100)), (200, get(b"X: y\r\n" * 99)),
    (417, get(b"Expect: 200-ok\r\n")),
]


def exchange(data):
    with socket.create_connection(("127.0.0.1", PORT), timeout=10) as s:
        try:
            s.sendall(data)
        except OSError:
            pass
        got = b""
        try:
            while part := s.recv(65536):
                got += part
        except OSError as e:
            got += b" " + str(e).encode()
        return got


def main():
    for expected, request in CASES:
        got = exchange(request + NEXT)
        answers = re.findall(rb"HTTP/1\.1 (\d\d\d) ", got)
        if answers != [b"%d" % expected] * (2 if expected == 200 else 1):
            print(expected, answers, request[:120], got[:300])
        if expected != 200 and (b"<b>" in got or b"'" in got.split(b"\r\n\r\n")[0]):
            print("reflected", request[:120])
    print(len(CASES))


main()
