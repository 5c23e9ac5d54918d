#!/usr/bin/env python3
"""Mounts a directory idmapped, for tests: idmap.py FROM ON BASE

Ids 0..65535 of FROM are seen as BASE..BASE+65535 at ON. Not every mount(8) can do that."""
import ctypes
import os
import signal
import sys

CLONE_NEWUSER = 0x10000000
OPEN_TREE, MOVE_MOUNT, MOUNT_SETATTR = 428, 429, 442
AT_FDCWD, AT_EMPTY_PATH, OPEN_TREE_CLONE, MOVE_EMPTY = -100, 0x1000, 1, 4
MOUNT_ATTR_IDMAP = 0x100000

libc = ctypes.CDLL(None, use_errno=True)


def call(name, result):
    if result < 0:
        sys.exit("idmap.py: %s: %s" % (name, os.strerror(ctypes.get_errno())))
    return result


class MountAttr(ctypes.Structure):
    _fields_ = [(n, ctypes.c_uint64) for n in ("set", "clear", "propagation", "userns")]


def user_namespace(base):
    ready, done = os.pipe()
    pid = os.fork()
    if pid == 0:
        call("unshare", libc.unshare(CLONE_NEWUSER))
        os.write(done, b"x")
        signal.pause()
    os.read(ready, 1)
    for file in ("uid_map", "gid_map"):
        with open("/proc/%d/%s" % (pid, file), "w", encoding="ascii") as out:
            out.write("0 %d 65536\n" % base)
    fd = os.open("/proc/%d/ns/user" % pid, os.O_RDONLY)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    return fd


def main():
    source, on, base = sys.argv[1].encode(), sys.argv[2].encode(), int(sys.argv[3])
    tree = call("open_tree", libc.syscall(OPEN_TREE, AT_FDCWD, source, OPEN_TREE_CLONE))
    attr = MountAttr(set=MOUNT_ATTR_IDMAP, userns=user_namespace(base))
    call("mount_setattr", libc.syscall(MOUNT_SETATTR, tree, b"", AT_EMPTY_PATH,
                                       ctypes.byref(attr), ctypes.sizeof(attr)))
    call("move_mount", libc.syscall(MOVE_MOUNT, tree, b"", AT_FDCWD, on, MOVE_EMPTY))


main()
