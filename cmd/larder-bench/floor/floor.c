/*
 * floor: the least that a sandbox can cost on this machine.
 *
 *	floor N PROGRAM MOUNT...
 *
 * makes N sandboxes one after the other, each with namespaces of its own (user,
 * mount, pid, ipc, uts, network), an empty root and the mounts that are named, runs
 * PROGRAM in it and waits for its end. There is no filter, no file but the mount
 * points, nobody who reaps or listens. It prints the median in nanoseconds. Without
 * arguments it does nothing, and so is the program to run.
 *
 * A mount is tree:SOURCE:TARGET, file:SOURCE:TARGET, proc:TARGET, tmpfs:TARGET,
 * devpts:TARGET or overlay:TARGET:FOLDER:LOWER, with fresh private layers in FOLDER.
 * Targets are relative to the root.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <linux/mount.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

static char **mounts, *program, uids[64], gids[64], upper[4096], work[4096];

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		_exit(1);
	}
}

static void put(const char *path, const char *text)
{
	int fd = open(path, O_WRONLY | O_CLOEXEC);
	check(fd, path);
	check(write(fd, text, strlen(text)), path);
	close(fd);
}

static void set(int fs, const char *key, const char *value)
{
	check(syscall(SYS_fsconfig, fs, value ? FSCONFIG_SET_STRING : FSCONFIG_SET_FLAG, key, value, 0), key);
}

static int begin(const char *kind)
{
	int fs = syscall(SYS_fsopen, kind, FSOPEN_CLOEXEC);
	check(fs, kind);
	return fs;
}

static int finish(int fs, int attributes)
{
	check(syscall(SYS_fsconfig, fs, FSCONFIG_CMD_CREATE, NULL, NULL, 0), "create a file system");
	int made = syscall(SYS_fsmount, fs, FSMOUNT_CLOEXEC, attributes);
	check(made, "fsmount");
	close(fs);
	return made;
}

static int tree(const char *source, int recursive)
{
	int made = syscall(SYS_open_tree, AT_FDCWD, source, OPEN_TREE_CLONE | OPEN_TREE_CLOEXEC | recursive);
	check(made, source);
	struct mount_attr attr = { .attr_set = MOUNT_ATTR_RDONLY | MOUNT_ATTR_NOSUID };
	check(syscall(SYS_mount_setattr, made, "", AT_EMPTY_PATH | recursive, &attr, sizeof attr), "mount_setattr");
	return made;
}

static int overlay(const char *lower)
{
	int fs = begin("overlay");
	set(fs, "lowerdir+", lower);
	set(fs, "upperdir", upper);
	set(fs, "workdir", work);
	set(fs, "volatile", NULL);
	set(fs, "userxattr", NULL);
	return finish(fs, MOUNT_ATTR_NOSUID | MOUNT_ATTR_NODEV);
}

/* folders makes every directory on the way to a target. */
static void folders(int root, const char *target)
{
	char path[256];
	for (const char *p = strchr(target, '/'); p; p = strchr(p + 1, '/')) {
		snprintf(path, sizeof path, "%.*s", (int)(p - target), target);
		mkdirat(root, path, 0755);
	}
}

static void place(int root, const char *one)
{
	char text[4096], *part[6] = { 0 }, *rest = text;
	snprintf(text, sizeof text, "%s", one);
	for (int i = 0; i < 6 && rest; i++)
		part[i] = strsep(&rest, ":");
	char *target = part[1];
	int made, is_file = 0;
	if (!strcmp(part[0], "overlay"))
		made = overlay(part[3]);
	else if (!strcmp(part[0], "tree") || !strcmp(part[0], "file")) {
		is_file = part[0][0] == 'f';
		target = part[2];
		made = tree(part[1], is_file ? 0 : AT_RECURSIVE);
	} else
		made = finish(begin(part[0]), MOUNT_ATTR_NOSUID);
	folders(root, target);
	if (is_file)
		mknodat(root, target, S_IFREG | 0644, 0);
	else
		mkdirat(root, target, 0755);
	check(syscall(SYS_move_mount, made, "", root, target, MOVE_MOUNT_F_EMPTY_PATH), target);
	close(made);
}

static int child(void *unused)
{
	(void)unused;
	put("/proc/self/setgroups", "deny");
	put("/proc/self/uid_map", uids);
	put("/proc/self/gid_map", gids);
	int root = finish(begin("tmpfs"), 0);
	check(syscall(SYS_move_mount, root, "", AT_FDCWD, "/", MOVE_MOUNT_F_EMPTY_PATH), "/");
	for (char **one = mounts; *one; one++)
		place(root, *one);
	check(fchdir(root), "fchdir");
	check(syscall(SYS_pivot_root, ".", "."), "pivot_root");
	check(syscall(SYS_umount2, ".", 2 /* MNT_DETACH */), "umount");
	execl(program, program, (char *)NULL);
	check(-1, program);
	return 1;
}

/* renew makes private layers for the overlay, if there is one. */
static void renew(int turn)
{
	char text[4096], *rest = text;
	for (char **one = mounts; *one; one++) {
		if (strncmp(*one, "overlay:", 8))
			continue;
		snprintf(text, sizeof text, "%s", *one);
		strsep(&rest, ":");
		strsep(&rest, ":");
		char *folder = strsep(&rest, ":");
		snprintf(upper, sizeof upper, "%s/upper-%d-%d", folder, getpid(), turn);
		snprintf(work, sizeof work, "%s/work-%d-%d", folder, getpid(), turn);
		check(mkdir(upper, 0755), upper);
		check(mkdir(work, 0755), work);
	}
}

static long now(void)
{
	struct timespec t;
	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000L + t.tv_nsec;
}

static int compare(const void *a, const void *b)
{
	long x = *(const long *)a, y = *(const long *)b;
	return (x > y) - (x < y);
}

int main(int argc, char **argv)
{
	static char stack[64 << 10] __attribute__((aligned(16)));
	if (argc < 2)
		return 0; /* the program that does nothing */
	if (argc < 3) {
		fprintf(stderr, "usage: floor N PROGRAM MOUNT...\n");
		return 2;
	}
	int count = atoi(argv[1]);
	long *took = calloc(count, sizeof *took);
	program = argv[2];
	mounts = argv + 3;
	snprintf(uids, sizeof uids, "1000 %d 1", geteuid());
	snprintf(gids, sizeof gids, "1000 %d 1", getegid());
	for (int i = 0; i < count; i++) {
		renew(i);
		long start = now();
		int status, flags = CLONE_NEWUSER | CLONE_NEWNS | CLONE_NEWPID | CLONE_NEWIPC | CLONE_NEWUTS | CLONE_NEWNET;
		int pid = clone(child, stack + sizeof stack, CLONE_VM | CLONE_VFORK | SIGCHLD | flags, NULL);
		check(pid, "clone");
		check(waitpid(pid, &status, 0), "wait");
		if (status) {
			fprintf(stderr, "floor: the program ended with status %#x\n", status);
			return 1;
		}
		took[i] = now() - start;
	}
	qsort(took, count, sizeof *took, compare);
	printf("%ld\n", took[count / 2]);
	return 0;
}
