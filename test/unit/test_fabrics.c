#include "nvme/fabrics.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "support/t.h"

#define UNSET "-2147483648"
#define ALL_UNSET UNSET "," UNSET "," UNSET "," UNSET "," UNSET "," UNSET

static const struct fabrics plain = { .nqn = "nqn.a",
				      .host_nqn = "nqn.h",
				      .host_id = "id",
				      .address = "fe80::1%eth0",
				      .port = "4420",
				      .settings = ALL_UNSET };
static char line[FABRICS_LINE_MAX];

static enum err_code make(struct fabrics to)
{
	struct err err = { .code = ERR_OK };

	cr_assert_eq(fabrics_line(&to, line, &err), err.code == ERR_OK ? 0 : -1);
	return err.code;
}

Test(fabrics, the_line_has_what_is_set_and_no_more)
{
	struct fabrics to = plain;

	cr_assert_eq(make(to), ERR_OK);
	cr_assert_str_eq(line, "nqn=nqn.a,transport=tcp,traddr=fe80::1%eth0,trsvcid=4420,"
			       "hostnqn=nqn.h,hostid=id");
	to.settings = "4,128,-1,5,0,0";
	cr_assert_eq(make(to), ERR_OK);
	cr_assert_str_eq(strstr(line, "hostid="),
			 "hostid=id,nr_io_queues=4,queue_size=128,ctrl_loss_tmo=-1,"
			 "reconnect_delay=5,keep_alive_tmo=0,fast_io_fail_tmo=0");
}

Test(fabrics, nothing_slips_in_as_an_option_of_its_own)
{
	static const char *const bad[] = { "", "a,b", "a b", "a\n", "a\tb" };

	for (unsigned i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		struct fabrics to[] = { plain, plain, plain, plain, plain };

		to[0].nqn = to[1].host_nqn = to[2].host_id = bad[i];
		to[3].address = to[4].port = bad[i];
		for (unsigned k = 0; k < 5; k++)
			cr_assert_eq(make(to[k]), ERR_INTERNAL, "%u %u", i, k);
	}
}

Test(fabrics, settings_that_are_not_six_are_refused)
{
	struct fabrics to = plain;

	to.settings = "1,2,3,4,5";
	cr_assert_eq(make(to), ERR_INTERNAL);
	to.settings = "";
	cr_assert_eq(make(to), ERR_INTERNAL);
}

Test(fabrics, a_line_that_would_be_cut_is_refused)
{
	struct fabrics to = plain;
	char nqn[FABRICS_LINE_MAX];
	size_t rest, n;

	cr_assert_eq(make(to), ERR_OK);
	rest = strlen(line) - strlen(plain.nqn);
	n = FABRICS_LINE_MAX - 1 - rest;
	memset(nqn, 'n', n);
	nqn[n] = '\0';
	to.nqn = nqn;
	cr_assert_eq(make(to), ERR_OK);
	cr_assert_eq(strlen(line), FABRICS_LINE_MAX - 1);
	nqn[n] = 'n';
	nqn[n + 1] = '\0';
	cr_assert_eq(make(to), ERR_INTERNAL);
}

Test(fabrics, the_answer_names_the_session)
{
	char ctrl[NVME_CTRL_MAX + 1];

	cr_assert_eq(fabrics_ctrl("instance=13,cntlid=1\n", ctrl), 0);
	cr_assert_str_eq(ctrl, "nvme13");
	cr_assert_eq(fabrics_ctrl("instance=0", ctrl), 0);
	cr_assert_str_eq(ctrl, "nvme0");
	cr_assert_eq(fabrics_ctrl("", ctrl), -1);
	cr_assert_eq(fabrics_ctrl("cntlid=1,instance=1", ctrl), -1);
}

Test(fabrics, errors_are_for_people)
{
	struct err err = { .code = ERR_OK };

	cr_assert_eq(fabrics_fail(EIO, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert(strstr(err.msg, "the target refuses"), "%s", err.msg);
	cr_assert_eq(fabrics_fail(ECONNREFUSED, &err), -1);
	cr_assert_eq(err.code, ERR_UNAVAILABLE);
	cr_assert_str_eq(err.msg, "connect: Connection refused");
}
