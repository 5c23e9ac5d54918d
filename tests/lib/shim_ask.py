"""shim_ask.py SOCKET TEXT...: sends each TEXT as one packet to a shim and prints the reply to each."""
import os
import socket
import sys

directory, name = os.path.split(sys.argv[1])
os.chdir(directory)  # addresses of sockets are short
with socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET) as s:
    s.settimeout(10)
    s.connect(name)
    for text in sys.argv[2:]:
        s.send(text.encode())
        print(s.recv(65536).decode())
