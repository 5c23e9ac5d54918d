"""swap_links.py UID HOME SENTINEL: as UID, exchanges the parts of a home for symbolic links and back,
as fast as it goes, until it is ended. Some links lead to SENTINEL, which must never be reached."""
import ctypes
import os
import sys

uid, home, sentinel = int(sys.argv[1]), sys.argv[2], sys.argv[3]
os.setgroups([])
os.setresgid(uid, uid, uid)
os.setresuid(uid, uid, uid)
os.chdir(home)

libc = ctypes.CDLL(None, use_errno=True)
AT_FDCWD, RENAME_EXCHANGE = -100, 2
parts = {
    "run": "dir",
    "logs": "dir",
    "tmp": "dir",
    "run/shm": "dir",
    "etc/hosts": "file",
    "etc/resolv.conf": "file",
}
links = []
for n, (part, kind) in enumerate(parts.items()):
    link = f".link{n}"
    os.symlink(os.path.join(sentinel, kind), link)
    links.append((part.encode(), link.encode()))

print("swapping", flush=True)
while True:
    for part, link in links:
        for _ in range(2):
            libc.renameat2(AT_FDCWD, part, AT_FDCWD, link, RENAME_EXCHANGE)
