# Bundles made by hand, for tests of the shim that must not depend on fief-bundle.
# shellcheck shell=bash

# handmade_bundle PREFIX UID IMAGE [UWSGI]: the bundle's directories, files and fief.json.
handmade_bundle()
{
	local prefix=$1 uid=$2 image=$3 uwsgi=${4:-}
	local b=$prefix/var/lib/fief/bundles/$uid
	mkdir -p "$b"/{rootfs,seed} "$b"/mnt/{containers,home,run,tmp,logs,shm,fief,sys}
	touch "$b"/mnt/{hosts,resolv.conf,netns}
	printf 'test%s\n' "$uid" | tee "$b/seed/hostname" >"$b/mnt/hostname"
	printf '127.0.0.1 localhost\n' >"$b/seed/hosts"
	: >"$b/seed/resolv.conf"
	printf 'root:x:0:0:root:/root:/bin/sh\n%s:x:%s:%s:test:/containers/%s:/bin/sh\n' \
		"$uid" "$uid" "$uid" "$uid" >"$b/mnt/passwd"
	printf 'root:x:0:\n%s:x:%s:\n' "$uid" "$uid" >"$b/mnt/group"
	jq -n --argjson uid "$uid" --arg image "$image" --arg uwsgi "$uwsgi" '{
		version: 1, uid: $uid, name: "test\($uid)", home: "/containers/\($uid)",
		image: {name: $image, architecture: "amd64",
			uwsgi: (if $uwsgi == "" then null else $uwsgi end)},
		idBase: (603979776 + ($uid - 30001) * 65536),
		memory: 134217728, shmSize: 67108864, netns: null, restart: "no",
		log: {size: 1048576, keep: 3}, stopTimeout: 10}' >"$b/fief.json"
	handmade_config "$uid" "$uwsgi" "$b/mnt/netns" >"$b/config.json"
	printf '%s\n' "$b"
}

# handmade_config UID UWSGI NETNS: config.json in the shape of spec/container-record.md.
handmade_config()
{
	jq -n --argjson uid "$1" --arg uwsgi "$2" '
	def bind(src; dst; opts): {destination: dst, type: "bind", source: src, options: opts};
	($uid | tostring) as $u | (603979776 + ($uid - 30001) * 65536) as $base |
	["CAP_SETUID", "CAP_SETGID", "CAP_KILL"] as $caps |
	[{containerID: 0, hostID: $base, size: $uid},
	 {containerID: $uid, hostID: $uid, size: 1},
	 {containerID: ($uid + 1), hostID: ($base + $uid + 1), size: (65535 - $uid)}] as $map |
	{ociVersion: "1.0.2", hostname: "test\($u)",
	 root: {path: "rootfs", readonly: true},
	 process: {
		terminal: false, cwd: "/", user: {uid: 0, gid: 0}, noNewPrivileges: true,
		args: (["/.fief/fief-init", "--uid", $u, "--home", "/containers/\($u)"] +
			(if $uwsgi == "" then [] else ["--uwsgi", $uwsgi] end)),
		env: ["PATH=/usr/sbin:/usr/bin:/sbin:/bin"],
		rlimits: [{type: "RLIMIT_NOFILE", hard: 4096, soft: 1024}],
		capabilities: {bounding: $caps, effective: $caps, inheritable: $caps,
			permitted: $caps, ambient: []}},
	 mounts: [
		{destination: "/proc", type: "proc", source: "proc",
		 options: ["nosuid", "nodev", "noexec", "hidepid=2"]},
		{destination: "/dev", type: "tmpfs", source: "tmpfs",
		 options: ["nosuid", "noexec", "strictatime", "mode=755", "size=64k"]},
		{destination: "/dev/pts", type: "devpts", source: "devpts",
		 options: ["nosuid", "noexec", "newinstance", "ptmxmode=0666", "mode=0620", "gid=5"]},
		{destination: "/dev/mqueue", type: "mqueue", source: "mqueue",
		 options: ["nosuid", "nodev", "noexec"]},
		bind("mnt/sys"; "/sys"; ["rbind", "ro", "nosuid", "nodev", "noexec"]),
		bind("mnt/containers"; "/containers"; ["rbind", "nosuid", "nodev"]),
		bind("mnt/home"; "/usr/local"; ["bind", "nosuid", "nodev"]),
		bind("mnt/run"; "/run"; ["rbind", "nosuid", "nodev"]),
		bind("mnt/tmp"; "/tmp"; ["bind", "nosuid", "nodev"]),
		bind("mnt/tmp"; "/var/tmp"; ["bind", "nosuid", "nodev"]),
		bind("mnt/logs"; "/var/log"; ["bind", "nosuid", "nodev"]),
		bind("mnt/shm"; "/dev/shm"; ["bind", "nosuid", "nodev"]),
		bind("mnt/fief"; "/.fief"; ["rbind", "nosuid", "nodev"]),
		{destination: "/.fief/run", type: "tmpfs", source: "tmpfs",
		 options: ["nosuid", "nodev", "noexec", "mode=711", "size=64k"]},
		bind("mnt/hosts"; "/etc/hosts"; ["bind", "nosuid", "nodev"]),
		bind("mnt/resolv.conf"; "/etc/resolv.conf"; ["bind", "nosuid", "nodev"]),
		bind("mnt/hostname"; "/etc/hostname"; ["bind", "ro", "nosuid", "nodev"]),
		bind("mnt/passwd"; "/etc/passwd"; ["bind", "ro", "nosuid", "nodev"]),
		bind("mnt/group"; "/etc/group"; ["bind", "ro", "nosuid", "nodev"])],
	 linux: {
		namespaces: [{type: "pid"}, {type: "ipc"}, {type: "uts"}, {type: "mount"},
			{type: "user"}, {type: "cgroup"}, {type: "network", path: "NETNS"}],
		uidMappings: $map, gidMappings: $map, cgroupsPath: "/fief/\($u)",
		resources: {memory: {limit: 134217728, swap: 134217728}, pids: {limit: 200},
			cpu: {shares: 1024},
			devices: [{allow: false, access: "rwm"}]}}}' |
		sed "s|\"NETNS\"|\"$3\"|"
}
