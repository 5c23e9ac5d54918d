#!/usr/bin/python3
"""Talks to a qemu by its QMP socket: qmp.py SOCKET save STATE | resume STATE | port | quit

save and resume move the state of the devices only: the memory is a file which the machine maps
("x-ignore-shared"), so a saved machine is the pair of that file and STATE.
"""
import json
import re
import shlex
import socket
import sys
import time

DEADLINE = 60  # seconds, for all of one call


class Failure(Exception):
    pass


class Monitor:
    def __init__(self, path):
        self.end = time.monotonic() + DEADLINE
        self.socket = socket.socket(socket.AF_UNIX)
        self.socket.settimeout(DEADLINE)
        self.socket.connect(path)
        self.lines = self.socket.makefile("rw")
        self.receive()  # the greeting
        self.call("qmp_capabilities")

    def receive(self):
        line = self.lines.readline()
        if not line:
            raise Failure("qemu closed the connection")
        return json.loads(line)

    def call(self, command, **arguments):
        json.dump({"execute": command, "arguments": arguments}, self.lines)
        self.lines.write("\n")
        self.lines.flush()
        while True:
            answer = self.receive()
            if "error" in answer:
                raise Failure("%s: %s" % (command, answer["error"]["desc"]))
            if "return" in answer:
                return answer["return"]

    def share_memory(self):
        self.call("migrate-set-capabilities",
                  capabilities=[{"capability": "x-ignore-shared", "state": True}])

    def wait_migrated(self):
        while True:
            answer = self.call("query-migrate")
            state = answer.get("status", "none")
            if state == "completed":
                return
            if state in ("failed", "cancelled"):
                raise Failure("migration %s: %s" % (state, answer.get("error-desc", "no reason")))
            if time.monotonic() > self.end:
                raise Failure("migration is '%s' after %d seconds" % (state, DEADLINE))
            time.sleep(0.02)


def save(monitor, state):
    monitor.call("stop")
    monitor.share_memory()
    monitor.call("migrate", uri="exec:cat >" + shlex.quote(state))
    monitor.wait_migrated()


def resume(monitor, state):
    monitor.share_memory()
    monitor.call("migrate-incoming", uri="exec:cat " + shlex.quote(state))
    monitor.wait_migrated()
    monitor.call("cont")  # one that comes before the end of the migration is lost


def port(monitor):
    """The port of this host that leads to the guest's ssh; the kernel chose it."""
    table = monitor.call("human-monitor-command", **{"command-line": "info usernet"})
    found = re.search(r"HOST_FORWARD\]\s+\d+\s+127\.0\.0\.1\s+(\d+)\s", table)
    if not found:
        raise Failure("no forwarded port in: %r" % table)
    print(found.group(1))


def leave(monitor):
    monitor.call("quit")


VERBS = {"save": save, "resume": resume, "port": port, "quit": leave}


def main():
    try:
        VERBS[sys.argv[2]](Monitor(sys.argv[1]), *sys.argv[3:])
    except (Failure, OSError, ValueError) as error:
        sys.exit("qmp: %s: %s" % (sys.argv[2], error))


main()
