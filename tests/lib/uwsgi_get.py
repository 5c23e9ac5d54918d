"""uwsgi_get.py SOCKET: one GET / by the uwsgi protocol on a unix socket; prints the response."""
import socket
import struct
import sys

variables = {
    b"REQUEST_METHOD": b"GET",
    b"REQUEST_URI": b"/",
    b"PATH_INFO": b"/",
    b"QUERY_STRING": b"",
    b"SERVER_NAME": b"test",
    b"SERVER_PORT": b"80",
    b"SERVER_PROTOCOL": b"HTTP/1.1",
}
block = b"".join(
    struct.pack("<H", len(k)) + k + struct.pack("<H", len(v)) + v for k, v in variables.items()
)
with socket.socket(socket.AF_UNIX) as s:
    s.settimeout(5)
    s.connect(sys.argv[1])
    s.sendall(struct.pack("<BHB", 0, len(block), 0) + block)
    while chunk := s.recv(65536):
        sys.stdout.buffer.write(chunk)
