"""attack.py: run as the customer inside a container. Tries everything that an unprivileged process can
try on processes that it does not see in /proc. Prints what is hidden and what went through."""
import ctypes
import errno
import os
import signal
import sys

libc = ctypes.CDLL(None, use_errno=True)
TGKILL, PTRACE, PRLIMIT, PIDFD_SEND_SIGNAL, PIDFD_OPEN, PIDFD_GETFD = 234, 101, 302, 424, 434, 438
PROCESS_VM_READV, PROCESS_MADVISE, KCMP = 310, 440, 312
PTRACE_ATTACH, PTRACE_SEIZE = 16, 0x4206
RLIMIT_NOFILE = 7


def hidden_pids():
    found = []
    for pid in range(1, 400):
        try:
            os.kill(pid, 0)
        except PermissionError:
            if not os.path.exists(f"/proc/{pid}"):
                found.append(pid)
        except ProcessLookupError:
            pass
    return found


def syscall(name, *args):
    return name, libc.syscall(*args) if args[0] >= 0 else -1


def attack(pid):
    one = (ctypes.c_ulong * 2)(1, 1)
    byte = ctypes.create_string_buffer(1)
    local = (ctypes.c_ulong * 2)(ctypes.addressof(byte), 1)
    remote = (ctypes.c_ulong * 2)(0x400000, 1)
    pidfd = libc.syscall(PIDFD_OPEN, pid, 0)
    yield syscall("kill", 62, pid, signal.SIGKILL)
    if pid > 1:
        libc.syscall(62, -pid, signal.SIGKILL)  # its group; may end vassals, which is the customer's right
    yield syscall("tgkill", TGKILL, pid, pid, signal.SIGKILL)
    yield syscall("ptrace attach", PTRACE, PTRACE_ATTACH, pid, 0, 0)
    yield syscall("ptrace seize", PTRACE, PTRACE_SEIZE, pid, 0, 0)
    yield syscall("prlimit", PRLIMIT, pid, RLIMIT_NOFILE, ctypes.byref(one), None)
    yield syscall("process_vm_readv", PROCESS_VM_READV, pid, local, 1, remote, 1, 0)
    if pidfd >= 0:
        yield syscall("pidfd_send_signal", PIDFD_SEND_SIGNAL, pidfd, signal.SIGKILL, None, 0)
        yield syscall("pidfd_getfd", PIDFD_GETFD, pidfd, 0, 0)
    try:
        os.setpriority(os.PRIO_PROCESS, pid, 19)
        yield "setpriority", 0
    except OSError as e:
        yield "setpriority", -1 if e.errno in (errno.EPERM, errno.EACCES) else 0
    for name in ("mem", "environ", "fd", "root", "exe"):
        yield f"open {name}", 0 if os.path.exists(f"/proc/{pid}/{name}") else -1


hidden = hidden_pids()
print("hidden", len(hidden))
for pid in hidden:
    for name, result in attack(pid):
        if result >= 0:
            print("went through:", pid, name)
if "--all" in sys.argv:
    os.kill(-1, signal.SIGKILL)  # does not reach the caller
    print("killed all")
