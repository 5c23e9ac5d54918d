"""shim_sessions.py SOCKET N COMMAND...: opens N sessions, prints how many were taken and the last refusal;
then closes half of them without waiting, asks for the state and prints it."""
import array
import json
import os
import socket
import sys


def connect():
    s = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    s.connect(sys.argv[1])
    return s


def ask(s, request, fds=()):
    anc = [(socket.SOL_SOCKET, socket.SCM_RIGHTS, array.array("i", fds))] if fds else []
    s.sendmsg([json.dumps(request).encode()], anc)
    return json.loads(s.recv(65536))


null = os.open("/dev/null", os.O_RDWR)
taken, refused = [], ""
for _ in range(int(sys.argv[2])):
    conn = connect()
    reply = ask(conn, {"op": "exec", "args": sys.argv[3:]}, [null] * 3)
    if "error" in reply:
        refused = reply["error"]
        conn.close()
    else:
        taken.append(conn)
print(len(taken), refused)
for conn in taken[::2]:
    conn.close()
print(ask(connect(), {"op": "state"})["state"])
