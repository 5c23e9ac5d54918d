#!/usr/bin/python3
"""The digest of an image, computed anew from the words of images/digest.h: digest.py ROOTFS."""
import hashlib
import os
import stat
import sys

LETTERS = {
    stat.S_IFREG: b"f", stat.S_IFDIR: b"d", stat.S_IFLNK: b"l", stat.S_IFIFO: b"p",
    stat.S_IFSOCK: b"s", stat.S_IFCHR: b"c", stat.S_IFBLK: b"b",
}


def walk(digest, root, path):
    full = os.path.join(root, path) if path else root
    st = os.lstat(full)
    content = b""
    if stat.S_ISREG(st.st_mode):
        with open(full, "rb") as file:
            content = file.read()
    elif stat.S_ISLNK(st.st_mode):
        content = os.readlink(full)
    digest.update(b"%s %04o %d %d %d:%s %d:%s\n" % (
        LETTERS[stat.S_IFMT(st.st_mode)], stat.S_IMODE(st.st_mode), st.st_uid, st.st_gid,
        len(path), path, len(content), content))
    if stat.S_ISDIR(st.st_mode):
        for name in sorted(os.listdir(full)):
            walk(digest, root, path + b"/" + name if path else name)


sha = hashlib.sha256()
walk(sha, os.fsencode(sys.argv[1]), b"")
print("sha256:" + sha.hexdigest())
