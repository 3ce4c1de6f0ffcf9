/*
 * look: the least that it takes to see what was changed.
 *
 *	look FOLDER FILES ROUNDS
 *
 * writes FILES files, 30 to a folder, into FOLDER/below once and into FOLDER/above
 * anew in each of ROUNDS rounds, and then, on two processors, lists the folders
 * above and looks at each file there and at what is below in its place. It keeps
 * nothing of what it sees. It prints the median of the looking in nanoseconds.
 */
#define _GNU_SOURCE
#include <fcntl.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

enum { EACH = 30, HANDS = 2 };

static const char *folder;
static int files, round_number;

static void check(long result, const char *what)
{
	if (result < 0) {
		perror(what);
		exit(1);
	}
}

static void fill(const char *side)
{
	char path[4096], content[4096] = { 0 };
	for (int n = 0; n < files; n++) {
		snprintf(path, sizeof path, "%s/%s/dir-%03d", folder, side, n / EACH);
		if (n % EACH == 0)
			mkdir(path, 0755);
		snprintf(path + strlen(path), sizeof path - strlen(path), "/file-%05d.txt", n);
		unlink(path);
		int fd = open(path, O_WRONLY | O_CREAT | O_CLOEXEC, 0644);
		check(fd, path);
		snprintf(content, sizeof content, "%d", round_number);
		check(write(fd, content, sizeof content), path);
		close(fd);
	}
}

static int directory(const char *side, int number)
{
	char path[4096];
	snprintf(path, sizeof path, "%s/%s/dir-%03d", folder, side, number);
	int fd = open(path, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	check(fd, path);
	return fd;
}

static void *look(void *first)
{
	struct entry { unsigned long ino; long off; unsigned short size; unsigned char type; char name[]; };
	char list[16384] __attribute__((aligned(8)));
	struct stat seen;
	for (int number = *(int *)first; number * EACH < files; number += HANDS) {
		int above = directory("above", number), below = directory("below", number);
		for (long got; (got = syscall(SYS_getdents64, above, list, sizeof list)) > 0;)
			for (long at = 0; at < got; at += ((struct entry *)(list + at))->size) {
				struct entry *one = (struct entry *)(list + at);
				if (one->name[0] == '.')
					continue;
				check(fstatat(above, one->name, &seen, AT_SYMLINK_NOFOLLOW), one->name);
				check(fstatat(below, one->name, &seen, AT_SYMLINK_NOFOLLOW), one->name);
			}
		close(above);
		close(below);
	}
	return NULL;
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
	if (argc != 4) {
		fprintf(stderr, "usage: look FOLDER FILES ROUNDS\n");
		return 2;
	}
	folder = argv[1];
	files = atoi(argv[2]);
	int rounds = atoi(argv[3]), first[HANDS] = { 0, 1 };
	char path[4096];
	for (int side = 0; side < 2; side++) {
		snprintf(path, sizeof path, "%s/%s", folder, side ? "above" : "below");
		check(mkdir(path, 0755), path);
	}
	fill("below");
	long *took = calloc(rounds, sizeof *took);
	for (round_number = 1; round_number <= rounds; round_number++) {
		fill("above");
		long start = now();
		pthread_t other;
		check(-pthread_create(&other, NULL, look, &first[1]), "a second thread");
		look(&first[0]);
		pthread_join(other, NULL);
		took[round_number - 1] = now() - start;
	}
	qsort(took, rounds, sizeof *took, compare);
	printf("%ld\n", took[rounds / 2]);
	return 0;
}
