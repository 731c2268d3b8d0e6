/* Many disks: the indexes and the walk agree, before and after a restart. */
#include "sim/tests/t_sim.h"

enum {
	N = 3000,
};

static void check(struct t_box *t, unsigned left)
{
	char want[32];

	snprintf(want, sizeof want, "%u\n", left);
	t_is(t, ":put [:len [/disk find where type=file]]", want);
	t_is(t, ":put [:len [/disk find where slot~\"^d\"]]", want);
	t_is(t, ":put [:len [/disk find where slot=\"d2999\"]]", "1\n");
	t_is(t, ":put [:len [/disk find where slot=\"d0\"]]", left < N ? "0\n" : "1\n");
	t_is(t, ":put [:len [/disk find where nvme-tcp-server-nqn=\"q2999\"]]", "1\n");
	t_is(t, ":put [:len [/disk find where nvme-tcp-server-nqn~\"^q2999\\$\"]]",
	     "1\n");
	t_is(t, ":put [:len [/disk/btrfs/subvolume find where name=\"v2999\"]]", "1\n");
	t_is(t, ":put [:len [/disk/btrfs/subvolume find where name~\"^v\"]]", want);
	cr_expect_eq(t->box->charged, left * 4096u);
}

Test(scale, many_disks)
{
	struct t_box t;
	char line[512];
	struct sb all = { 0 };

	t_open(&t);
	for (int i = 0; i < N; i++) {
		snprintf(line, sizeof line,
			 "/disk/btrfs/subvolume/add fs=pool name=v%d;"
			 "/disk/add type=file slot=d%d "
			 "file-path=/storage-pool/v%d/volume.img "
			 "file-size=4K nvme-tcp-server-nqn=q%d",
			 i, i, i, i);
		t_is(&t, line, "");
	}
	check(&t, N);
	for (int i = 0; i < N / 2; i++) {
		snprintf(line, sizeof line,
			 "/disk/remove [find where slot=\"d%d\"];"
			 "/disk/btrfs/subvolume/remove [find where name=\"v%d\"]",
			 i, i);
		t_is(&t, line, "");
	}
	check(&t, N / 2);
	/* Ids are not used again, and the order is that of the making. */
	sb_adds(&all, t_run(&t, ":put [/disk find]"));
	box_close(t.box);
	t_start(&t);
	check(&t, N / 2);
	t_is(&t, ":put [/disk find]", all.p);
	sb_fini(&all);
	t_close(&t);
}
