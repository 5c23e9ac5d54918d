#include <assert.h>
#include <errno.h>
#include <sched.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/personality.h>
#include <sys/socket.h>

#include "bundles/seccomp_policy.h"
#include "lib/cleanup.h"
#include "lib/json.h"

/* Calls allowed with any argument, of x86_64 and of i386; NULL-terminated, sorted. */
static const char *const allowed[] = {"_llseek", "_newselect", "accept", "accept4", "access",
	"alarm", "arch_prctl", "bind", "brk", "cachestat", "capget", "capset", "chdir", "chmod",
	"chown", "chown32", "clock_getres", "clock_getres_time64", "clock_gettime",
	"clock_gettime64", "clock_nanosleep", "clock_nanosleep_time64", "close", "close_range",
	"connect", "copy_file_range", "creat", "dup", "dup2", "dup3", "epoll_create",
	"epoll_create1", "epoll_ctl", "epoll_ctl_old", "epoll_pwait", "epoll_pwait2", "epoll_wait",
	"epoll_wait_old", "eventfd", "eventfd2", "execve", "execveat", "exit", "exit_group",
	"faccessat", "faccessat2", "fadvise64", "fadvise64_64", "fallocate", "fchdir", "fchmod",
	"fchmodat", "fchmodat2", "fchown", "fchown32", "fchownat", "fcntl", "fcntl64", "fdatasync",
	"fgetxattr", "flistxattr", "flock", "fork", "fremovexattr", "fsetxattr", "fstat", "fstat64",
	"fstatat64", "fstatfs", "fstatfs64", "fsync", "ftruncate", "ftruncate64", "futex",
	"futex_requeue", "futex_time64", "futex_wait", "futex_waitv", "futex_wake", "futimesat",
	"get_robust_list", "get_thread_area", "getcpu", "getcwd", "getdents", "getdents64",
	"getegid", "getegid32", "geteuid", "geteuid32", "getgid", "getgid32", "getgroups",
	"getgroups32", "getitimer", "getpeername", "getpgid", "getpgrp", "getpid", "getppid",
	"getpriority", "getrandom", "getresgid", "getresgid32", "getresuid", "getresuid32",
	"getrlimit", "getrusage", "getsid", "getsockname", "getsockopt", "gettid", "gettimeofday",
	"getuid", "getuid32", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1",
	"inotify_rm_watch", "io_cancel", "io_destroy", "io_getevents", "io_pgetevents",
	"io_pgetevents_time64", "io_setup", "io_submit", "ioctl", "ioprio_get", "ioprio_set", "ipc",
	"kill", "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "lchown",
	"lchown32", "lgetxattr", "link", "linkat", "listen", "listxattr", "llistxattr",
	"lremovexattr", "lseek", "lsetxattr", "lstat", "lstat64", "madvise", "map_shadow_stack",
	"membarrier", "memfd_create", "memfd_secret", "mincore", "mkdir", "mkdirat", "mknod",
	"mknodat", "mlock", "mlock2", "mlockall", "mmap", "mmap2", "modify_ldt", "mprotect",
	"mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedreceive_time64",
	"mq_timedsend", "mq_timedsend_time64", "mq_unlink", "mremap", "mseal", "msgctl", "msgget",
	"msgrcv", "msgsnd", "msync", "munlock", "munlockall", "munmap", "name_to_handle_at",
	"nanosleep", "newfstatat", "open", "openat", "openat2", "pause", "pidfd_getfd",
	"pidfd_open", "pidfd_send_signal", "pipe", "pipe2", "pkey_alloc", "pkey_free",
	"pkey_mprotect", "poll", "ppoll", "ppoll_time64", "prctl", "pread64", "preadv", "preadv2",
	"prlimit64", "process_madvise", "process_mrelease", "process_vm_readv", "process_vm_writev",
	"pselect6", "pselect6_time64", "ptrace", "pwrite64", "pwritev", "pwritev2", "read",
	"readahead", "readdir", "readlink", "readlinkat", "readv", "recv", "recvfrom", "recvmmsg",
	"recvmmsg_time64", "recvmsg", "remap_file_pages", "removexattr", "rename", "renameat",
	"renameat2", "restart_syscall", "rmdir", "rseq", "rt_sigaction", "rt_sigpending",
	"rt_sigprocmask", "rt_sigqueueinfo", "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait",
	"rt_sigtimedwait_time64", "rt_tgsigqueueinfo", "sched_get_priority_max",
	"sched_get_priority_min", "sched_getaffinity", "sched_getattr", "sched_getparam",
	"sched_getscheduler", "sched_rr_get_interval", "sched_rr_get_interval_time64",
	"sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield",
	"seccomp", "select", "semctl", "semget", "semop", "semtimedop", "semtimedop_time64", "send",
	"sendfile", "sendfile64", "sendmmsg", "sendmsg", "sendto", "set_robust_list",
	"set_thread_area", "set_tid_address", "setfsgid", "setfsgid32", "setfsuid", "setfsuid32",
	"setgid", "setgid32", "setgroups", "setgroups32", "setitimer", "setpgid", "setpriority",
	"setregid", "setregid32", "setresgid", "setresgid32", "setresuid", "setresuid32",
	"setreuid", "setreuid32", "setrlimit", "setsid", "setsockopt", "setuid", "setuid32",
	"setxattr", "shmat", "shmctl", "shmdt", "shmget", "shutdown", "sigaction", "sigaltstack",
	"signal", "signalfd", "signalfd4", "sigpending", "sigprocmask", "sigreturn", "sigsuspend",
	"socketcall", "socketpair", "splice", "stat", "stat64", "statfs", "statfs64", "statx",
	"symlink", "symlinkat", "sync", "sync_file_range", "syncfs", "sysinfo", "tee", "tgkill",
	"time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
	"timer_gettime64", "timer_settime", "timer_settime64", "timerfd_create", "timerfd_gettime",
	"timerfd_gettime64", "timerfd_settime", "timerfd_settime64", "times", "tkill", "truncate",
	"truncate64", "ugetrlimit", "umask", "uname", "unlink", "unlinkat", "utime", "utimensat",
	"utimensat_time64", "utimes", "vfork", "vmsplice", "wait4", "waitid", "waitpid", "write",
	"writev", NULL};

/* i386 programs make sockets by socketcall, whose arguments lie in memory, where a filter cannot look.
 * So only who has such programs may call as i386. */
static const char *const amd64_alone[] = {"SCMP_ARCH_X86_64", NULL};
static const char *const with_i386[] = {"SCMP_ARCH_X86_64", "SCMP_ARCH_X86", NULL};

/* One more call, allowed when one argument fits. Several of one name are alternatives. */
struct conditional {
	const char *name, *op;
	uint32_t index;
	uint64_t value, value_two;
};

/* CLONE_NEWTIME (0x80) is missing: clone() takes that bit for part of the exit signal. */
#define CLONE_NAMESPACES                                                                           \
	((uint64_t)(CLONE_NEWNS | CLONE_NEWCGROUP | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWUSER |  \
		    CLONE_NEWPID | CLONE_NEWNET))

static const struct conditional conditionals[] = {
	{"clone", "SCMP_CMP_MASKED_EQ", 0, CLONE_NAMESPACES, 0},
	{"personality", "SCMP_CMP_EQ", 0, PER_LINUX, 0},
	{"personality", "SCMP_CMP_EQ", 0, PER_LINUX32, 0},
	{"personality", "SCMP_CMP_EQ", 0, UNAME26, 0},
	{"personality", "SCMP_CMP_EQ", 0, UNAME26 | PER_LINUX32, 0},
	{"personality", "SCMP_CMP_EQ", 0, UINT32_MAX, 0}, /* asks */
	/* every other family is code of the kernel, loaded on demand, that no site needs; AF_VSOCK
	 * leads to a hypervisor, past every network rule */
	{"socket", "SCMP_CMP_EQ", 0, AF_UNIX, 0},
	{"socket", "SCMP_CMP_EQ", 0, AF_INET, 0},
	{"socket", "SCMP_CMP_EQ", 0, AF_INET6, 0},
	{"socket", "SCMP_CMP_EQ", 0, AF_NETLINK, 0},
};

static_assert(CLONE_NAMESPACES == 0x7e020000, "the bits of all namespaces that clone() knows");

static void write_conditional(struct json_out *o, const struct conditional *c)
{
	const char *const names[] = {c->name, NULL};

	json_out_object(o, NULL);
	json_out_strv(o, "names", names);
	json_out_str(o, "action", "SCMP_ACT_ALLOW");
	json_out_array(o, "args");
	json_out_object(o, NULL);
	json_out_u64(o, "index", c->index);
	json_out_u64(o, "value", c->value);
	json_out_u64(o, "valueTwo", c->value_two);
	json_out_str(o, "op", c->op);
	json_out_object_end(o);
	json_out_array_end(o);
	json_out_object_end(o);
}

void seccomp_policy_write(const char *architecture, struct json_out *o)
{
	bool i386 = strcmp(architecture, "i386") == 0;

	json_out_object(o, "seccomp");
	json_out_str(o, "defaultAction", "SCMP_ACT_ERRNO");
	json_out_u64(o, "defaultErrnoRet", ENOSYS);
	json_out_strv(o, "architectures", i386 ? with_i386 : amd64_alone);
	json_out_array(o, "syscalls");
	json_out_object(o, NULL);
	json_out_strv(o, "names", allowed);
	json_out_str(o, "action", "SCMP_ACT_ALLOW");
	json_out_object_end(o);
	for (size_t i = 0; i < ARRAY_LEN(conditionals); i++) {
		write_conditional(o, &conditionals[i]);
	}
	json_out_array_end(o);
	json_out_object_end(o);
}
