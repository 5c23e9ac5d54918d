#!/usr/bin/python3
"""Writes a tar archive for tests: tars.py FILE KIND. All have a program, most have a trap."""
import io
import sys
import tarfile


def entry(tar, name, kind=tarfile.REGTYPE, content=b"", **more):
    info = tarfile.TarInfo(name)
    info.type = kind
    info.size = len(content)
    for key, value in more.items():
        setattr(info, key, value)
    tar.addfile(info, io.BytesIO(content))


def trap(tar, kind):
    if kind == "absolute":
        entry(tar, "/tmp/fief-test-escape", content=b"x")
    elif kind == "dotdot":
        entry(tar, "a/../../escape", content=b"x")
    elif kind == "symlink":
        entry(tar, "out", tarfile.SYMTYPE, linkname="../..")
        entry(tar, "out/escape", content=b"x")
    elif kind == "symlink-file":
        entry(tar, "out", tarfile.SYMTYPE, linkname="../../escape")
        entry(tar, "out", content=b"x")
    elif kind == "symlink-mountpoint":
        entry(tar, "var", tarfile.SYMTYPE, linkname="../../..")
    elif kind == "hardlink":
        entry(tar, "passwd", tarfile.LNKTYPE, linkname="../../../../etc/passwd")
    elif kind == "hardlink-absolute":
        entry(tar, "passwd", tarfile.LNKTYPE, linkname="/etc/passwd")
    elif kind == "hardlink-symlink":
        entry(tar, "link", tarfile.SYMTYPE, linkname="/etc/passwd")
        entry(tar, "passwd", tarfile.LNKTYPE, linkname="link")
    elif kind == "hardlink-through":
        entry(tar, "link", tarfile.SYMTYPE, linkname="/etc")
        entry(tar, "passwd", tarfile.LNKTYPE, linkname="link/passwd")
    elif kind == "devices":
        entry(tar, "dev/sda", tarfile.BLKTYPE, devmajor=8, devminor=0)
        entry(tar, "disk", tarfile.BLKTYPE, devmajor=8, devminor=0)
        entry(tar, "null", tarfile.CHRTYPE, devmajor=1, devminor=3)
        entry(tar, "fifo", tarfile.FIFOTYPE)
    elif kind == "owner":
        entry(tar, "mine", content=b"x", uid=70000)
    elif kind == "many":
        for n in range(200):
            entry(tar, f"many/{n}")
    elif kind == "big":
        entry(tar, "big", content=bytes(3 << 20))
    elif kind == "deep":
        entry(tar, "d/" * 200 + "x", content=b"x")
    elif kind == "good":
        entry(tar, "home/file", content=b"content", uid=1000, gid=100, mode=0o640)
        entry(tar, "home/again", tarfile.LNKTYPE, linkname="home/file")
        entry(tar, "usr/bin/su", content=b"#!", mode=0o4755)
        entry(tar, "etc/passwd", content=b"root:x:0:0:root:/root:/bin/sh\n")
        entry(tar, "etc/motd", tarfile.SYMTYPE, linkname="/run/motd")
        entry(tar, "etc/resolv.conf", tarfile.SYMTYPE, linkname="/run/resolv.conf")
        entry(tar, "tmp", tarfile.DIRTYPE, mode=0o1777)
        entry(tar, "caf\u00e9", content=b"x")


def main():
    with tarfile.open(sys.argv[1], "w", format=tarfile.PAX_FORMAT) as tar:
        with open("/bin/busybox", "rb") as program:
            entry(tar, "./bin/sh", content=program.read(), mode=0o755)
        trap(tar, sys.argv[2])


main()
