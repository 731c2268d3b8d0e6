#include "nvme/record.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "support/t.h"

static struct nvme_record sample(void)
{
	struct nvme_record r = { .stage = NVME_FORMATTING,
				 .is_readonly = true,
				 .size_bytes = UINT64_C(1) << 44 };

	strcpy(r.nqn, "nqn.2000-02.com.mikrotik:v");
	strcpy(r.source, "/box/pool/v =x.img");
	strcpy(r.ns_id, "0badcafe-0000-4000-8000-00000000cafe");
	strcpy(r.fs_type, "xfs");
	memset(r.staging, 's', NVME_PATH_MAX);
	r.staging[0] = '/';
	return r;
}

Test(record, comes_back_as_it_was)
{
	struct nvme_record r = sample(), back;
	struct record_dir d;
	struct err err = { .code = ERR_OK };
	char dir[128], path[160];

	snprintf(path, sizeof(path), "%s/state", t_mkdir(dir));
	cr_assert_eq(record_open(&d, path, &err), 0, "%s", err.msg);
	cr_assert_eq(record_read(&d, "v", &back, &err), -1);
	cr_assert_eq(err.code, ERR_NOT_FOUND);
	for (int stage = NVME_ATTACHING; stage <= NVME_STAGED; stage++) {
		r.stage = stage;
		r.was_mounted = stage == NVME_STAGED;
		r.is_adopted = stage == NVME_READY;
		cr_assert_eq(record_write(&d, "v", &r, &err), 0, "%s", err.msg);
		cr_assert_eq(record_read(&d, "v", &back, &err), 0, "%s", err.msg);
		cr_assert(back.is_this_boot);
		back.is_this_boot = r.is_this_boot;
		cr_assert_eq(memcmp(&back, &r, sizeof(r)), 0);
	}
	strcpy(d.boot_id, "another");
	cr_assert_eq(record_read(&d, "v", &back, &err), 0);
	cr_assert(!back.is_this_boot);
	cr_assert_eq(record_forget(&d, "v", &err), 0);
	cr_assert_eq(record_forget(&d, "v", &err), 0);
	cr_assert_eq(record_read(&d, "v", &back, &err), -1);
	t_rmdir(dir);
	cr_assert_eq(mem_live(), 0);
}

Test(record, any_damage_is_told_and_nothing_is_believed)
{
	struct nvme_record r = sample(), back = { .size_bytes = 1 };
	struct err err = { .code = ERR_OK };
	struct buf b;
	char *text;

	buf_init(&b, RECORD_MAX);
	cr_assert_eq(record_format(&r, "v", "boot", &b, &err), 0);
	text = malloc(b.len + 1);
	for (size_t cut = 0; cut < b.len; cut += 1 + cut / 40) {
		memcpy(text, b.data, cut);
		text[cut] = '\0';
		cr_assert_eq(record_parse(text, "v", "boot", &back, &err), -1, "%zu",
			     cut);
		cr_assert_eq(err.code, ERR_DATA_LOSS);
	}
	cr_assert_eq(back.size_bytes, 1, "the result must be untouched");
	memcpy(text, b.data, b.len + 1);
	cr_assert_eq(record_parse(text, "w", "boot", &back, &err), -1,
		     "another volume's");
	memcpy(text, b.data, b.len + 1);
	text[8] = '2';
	cr_assert_eq(record_parse(text, "v", "boot", &back, &err), -1, "another version");
	cr_assert(err.code == ERR_PRECONDITION && strstr(err.msg, "newer version"));
	memcpy(text, b.data, b.len + 1);
	text[8] = '0';
	cr_assert_eq(record_parse(text, "v", "boot", &back, &err), -1);
	cr_assert_eq(err.code, ERR_DATA_LOSS);
	free(text);
	buf_fini(&b);
}

static void put_torn(const struct record_dir *d, const char *text, time_t age_s)
{
	struct timespec t[2] = { { .tv_nsec = UTIME_OMIT },
				 { .tv_sec = time(NULL) - age_s } };
	char path[200];
	FILE *f;

	snprintf(path, sizeof(path), "%s/v.stage", d->path);
	f = fopen(path, "we");
	cr_assert(f && fputs(text, f) >= 0 && fclose(f) == 0);
	cr_assert_eq(utimensat(AT_FDCWD, path, t, 0), 0);
}

/* A power cut may leave anything of what was not synced. */
Test(record, one_that_an_earlier_boot_tore_is_none)
{
	static const char *const torn[] = { "", "version=1\nboot=abc\nvolu" };
	struct nvme_record r = sample(), back;
	struct err err = { .code = ERR_OK };
	struct record_dir d;
	struct timespec up;
	char dir[128];

	cr_assert_eq(clock_gettime(CLOCK_BOOTTIME, &up), 0);
	cr_assert_eq(record_open(&d, t_mkdir(dir), &err), 0);
	for (int i = 0; i < 2; i++) {
		put_torn(&d, torn[i], 0);
		cr_assert_eq(record_read(&d, "v", &back, &err), -1);
		cr_assert_eq(err.code, ERR_DATA_LOSS, "of this boot: %s", err.msg);
		put_torn(&d, torn[i], up.tv_sec + 100);
		cr_assert_eq(record_read(&d, "v", &back, &err), -1);
		cr_assert_eq(err.code, ERR_NOT_FOUND, "%s", err.msg);
	}
	put_torn(&d, "version=2\n", up.tv_sec + 100);
	cr_assert_eq(record_read(&d, "v", &back, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION, "a newer driver's is whole");
	r.may_be_lost = true;
	cr_assert_eq(record_write(&d, "v", &r, &err), 0);
	cr_assert_eq(record_read(&d, "v", &back, &err), 0);
	cr_assert(back.stage == r.stage && !back.may_be_lost);
	t_rmdir(dir);
	cr_assert_eq(mem_live(), 0);
}

/* As at the first start on a node: the kubelet makes its plugins/, and nothing in it. */
Test(record, makes_its_directory_and_the_one_above_and_no_more)
{
	struct record_dir d;
	struct err err;
	char dir[128], path[160];

	(void)snprintf(path, sizeof(path), "%s/driver/state", t_mkdir(dir));
	cr_assert_eq(record_open(&d, path, &err), 0, "%s", err.msg);
	cr_assert_eq(access(path, R_OK | W_OK | X_OK), 0);
	cr_assert_eq(record_open(&d, path, &err), 0, "%s", err.msg);
	(void)snprintf(path, sizeof(path), "%s/no/driver/state", dir);
	cr_assert_eq(record_open(&d, path, &err), -1);
	cr_assert_eq(err.code, ERR_PRECONDITION);
	cr_assert(strstr(err.msg, "No such file"), "%s", err.msg);
	t_rmdir(dir);
}

Test(record, no_value_can_forge_a_line)
{
	struct nvme_record r = sample();
	struct err err = { .code = ERR_OK };
	struct buf b;

	strcpy(r.source, "x\nstage=staged");
	buf_init(&b, RECORD_MAX);
	cr_assert_eq(record_format(&r, "v", "boot", &b, &err), -1);
	cr_assert_eq(err.code, ERR_INVALID);
	buf_fini(&b);
}

static void one_oom_run(const struct record_dir *d)
{
	struct nvme_record r = sample(), back;
	struct err err = { .code = ERR_OK };

	if (record_write(d, "v", &r, &err) || record_read(d, "v", &back, &err))
		cr_assert_eq(err.code, ERR_EXHAUSTED, "%s", err.msg);
}

Test(record, every_allocation_may_fail)
{
	struct record_dir d;
	struct err err;
	char dir[128];

	cr_assert_eq(record_open(&d, t_mkdir(dir), &err), 0);
	T_EACH_ALLOC_FAILS(one_oom_run(&d));
	t_rmdir(dir);
	cr_assert_eq(mem_live(), 0);
}

static unsigned n_seen;
static char seen[4][NVME_ID_MAX + 1];

static bool on_id(void *arg, const char *id)
{
	cr_assert_lt(n_seen, 4);
	strcpy(seen[n_seen++], id);
	return n_seen < *(unsigned *)arg;
}

Test(record, all_ids_are_told_and_nothing_else)
{
	struct nvme_record r = sample();
	struct record_dir d;
	struct err err;
	char dir[128], path[200];
	unsigned limit = 100;
	int fd = -1;

	cr_assert_eq(record_open(&d, t_mkdir(dir), &err), 0);
	cr_assert_eq(record_write(&d, "pvc-1", &r, &err), 0);
	cr_assert_eq(record_write(&d, "pvc-2", &r, &err), 0);
	cr_assert_eq(record_lock(&d, "pvc-3", &fd, &err), 0);
	close(fd);
	snprintf(path, sizeof(path), "%s/.stage", dir);
	fclose(fopen(path, "w"));
	snprintf(path, sizeof(path), "%s/pvc-4.stage.new", dir);
	fclose(fopen(path, "w"));
	cr_assert_eq(record_each(&d, on_id, &limit, &err), 0);
	cr_assert_eq(n_seen, 2);
	cr_assert(strcmp(seen[0], seen[1]) && !strncmp(seen[0], "pvc-", 4));
	cr_assert(!strcmp(seen[0], "pvc-1") || !strcmp(seen[1], "pvc-1"));
	n_seen = 0;
	limit = 1;
	cr_assert_eq(record_each(&d, on_id, &limit, &err), 0);
	cr_assert_eq(n_seen, 1, "it was told to stop");
	t_rmdir(dir);
	cr_assert_eq(record_each(&d, on_id, &limit, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
}
