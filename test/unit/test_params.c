#include "support/t.h"

#include <string.h>

#include "csi.pb-c.h"
#include "csi/controller/message.h"
#include "csi/controller/params.h"
#include "csi/controller/sizes.h"

typedef Csi__V1__CreateVolumeRequest__ParametersEntry entry;

static int parse(const char *const *pairs, size_t n, struct params *p, struct err *err)
{
	static entry e[20];
	static entry *list[20];

	for (size_t i = 0; i < n; i++) {
		csi__v1__create_volume_request__parameters_entry__init(&e[i]);
		e[i].key = (char *)(uintptr_t)pairs[2 * i];
		e[i].value = (char *)(uintptr_t)pairs[2 * i + 1];
		list[i] = &e[i];
	}
	*err = (struct err){ .code = ERR_OK };
	return params_parse(list, n, p, err);
}

Test(params, defaults)
{
	struct params p;
	struct err err;

	cr_assert_eq(parse(NULL, 0, &p, &err), 0);
	cr_assert_null(p.volume_path);
	cr_assert_eq(p.nvme_port, 0);
	cr_assert_eq(p.ctrl_loss_tmo, -1);
	cr_assert_eq(p.reconnect_delay, 5);
	cr_assert_eq(p.keep_alive_tmo, 0);
	cr_assert_eq(p.migration_timeout_s, 300);
	cr_assert_eq(p.layout, RDS_LAYOUT_AUTO);
	cr_assert_str_eq(p.claim, "");
}

Test(params, each_value_is_taken_or_refused_by_name)
{
	static const struct {
		const char *pair[2];
		bool is_ok;
	} cases[] = {
		{ { "volumePath", "/storage-pool/metal-csi" }, true },
		{ { "volumePath", "storage-pool" }, false },
		{ { "volumePath", "" }, false },
		{ { "volumePath", "/" }, false },
		{ { "volumePath", "/a/" }, false },
		{ { "volumePath", "/a//b" }, false },
		{ { "volumePath", "/a/../b" }, false },
		{ { "volumePath", "/a b" }, false },
		{ { "volumePath", "/a\"b" }, false },
		{ { "volumePath", "/a$b" }, false },
		{ { "volumePath", "/a[b" }, false },
		{ { "volumePath", "/a;b" }, false },
		{ { "volumePath", "/a\nb" }, false },
		{ { "nvmePort", "1" }, true },
		{ { "nvmePort", "65535" }, true },
		{ { "nvmePort", "0" }, false },
		{ { "nvmePort", "65536" }, false },
		{ { "nvmePort", "4420abc" }, false },
		{ { "nvmePort", "" }, false },
		{ { "nvmeAddress", "fd00::1" }, true },
		{ { "nvmeAddress", "box.example" }, false },
		{ { "nvmeAddress", "" }, false },
		{ { "nvmeAddress", "1.2.3.4;x" }, false },
		{ { "rdsAddress", "10.0.0.1" }, true },
		{ { "rdsAddress", "a b" }, false },
		{ { "ctrlLossTmo", "-1" }, true },
		{ { "ctrlLossTmo", "-2" }, false },
		{ { "ctrlLossTmo", "600" }, true },
		{ { "ctrlLossTmo", "99999999999" }, false },
		{ { "reconnectDelay", "1" }, true },
		{ { "reconnectDelay", "0" }, false },
		{ { "keepAliveTmo", "0" }, true },
		{ { "keepAliveTmo", "-1" }, false },
		{ { "keepAliveTmo", "5s" }, false },
		{ { "migrationTimeoutSeconds", "x" }, false },
		{ { "layout", "auto" }, true },
		{ { "layout", "subvolume" }, true },
		{ { "layout", "file" }, true },
		{ { "layout", "File" }, false },
		{ { "nrIoQueues", "4" }, true },
		{ { "nrIoQueues", "0" }, false },
		{ { "queueSize", "128" }, true },
		{ { "queueSize", "15" }, false },
		{ { "queueSize", "1025" }, false },
		{ { "fastIoFailTmo", "-1" }, true },
		{ { "fastIoFailTmo", "x" }, false },
		{ { "sshPort", "22" }, true },
		{ { "rdsPort", "22" }, true },
		{ { "nqnPrefix", "x" }, true },
		{ { "fsType", "xfs" }, true },
		{ { "csi.storage.k8s.io/anything", "\"$[;" }, true },
		{ { "volumepath", "/a" }, false },
		{ { "", "" }, false },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params p;
		struct err err;

		cr_assert_eq(parse(cases[i].pair, 1, &p, &err), cases[i].is_ok ? 0 : -1,
			     "%s=%s", cases[i].pair[0], cases[i].pair[1]);
		if (cases[i].is_ok)
			continue;
		cr_assert_eq(err.code, ERR_INVALID);
		cr_assert_not_null(strstr(err.msg, cases[i].pair[0]), "%s", err.msg);
	}
}

Test(params, values_arrive)
{
	static const char *const pairs[] = {
		"volumePath",
		"/pool/x",
		"nvmePort",
		"4421",
		"nvmeAddress",
		"10.1.1.1",
		"rdsAddress",
		"10.2.2.2",
		"ctrlLossTmo",
		"60",
		"reconnectDelay",
		"2",
		"keepAliveTmo",
		"9",
		"layout",
		"file",
		"nrIoQueues",
		"3",
		"queueSize",
		"64",
		"fastIoFailTmo",
		"30",
		"fsType",
		"xfs",
		"csi.storage.k8s.io/pvc/name",
		"data-0",
		"csi.storage.k8s.io/pvc/namespace",
		"db",
	};
	struct params p;
	struct err err;

	cr_assert_eq(parse(pairs, sizeof(pairs) / sizeof(pairs[0]) / 2, &p, &err), 0,
		     "%s", err.msg);
	cr_assert_str_eq(p.volume_path, "/pool/x");
	cr_assert_eq(p.nvme_port, 4421);
	cr_assert_str_eq(p.nvme_address, "10.1.1.1");
	cr_assert_str_eq(p.rds_address, "10.2.2.2");
	cr_assert_eq(p.ctrl_loss_tmo, 60);
	cr_assert_eq(p.reconnect_delay, 2);
	cr_assert_eq(p.keep_alive_tmo, 9);
	cr_assert_eq(p.layout, RDS_LAYOUT_FILE);
	cr_assert_str_eq(p.nr_io_queues, "3");
	cr_assert_str_eq(p.queue_size, "64");
	cr_assert_str_eq(p.fast_io_fail_tmo, "30");
	cr_assert_str_eq(p.ignored, "fsType");
	cr_assert_str_eq(p.claim, "db/data-0");
}

Test(params, the_migration_timeout_is_clamped)
{
	static const struct {
		const char *pair[2];
		uint32_t want;
	} cases[] = {
		{ { "migrationTimeoutSeconds", "0" }, 300 },
		{ { "migrationTimeoutSeconds", "-5" }, 300 },
		{ { "migrationTimeoutSeconds", "1" }, 30 },
		{ { "migrationTimeoutSeconds", "29" }, 30 },
		{ { "migrationTimeoutSeconds", "31" }, 31 },
		{ { "migrationTimeoutSeconds", "3601" }, 3600 },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct params p;
		struct err err;

		cr_assert_eq(parse(cases[i].pair, 1, &p, &err), 0);
		cr_assert_eq(p.migration_timeout_s, cases[i].want, "%s",
			     cases[i].pair[1]);
	}
}

Test(params, what_the_kernel_would_refuse_at_connect_is_refused_now)
{
	static const char *const bad[] = { "ctrlLossTmo", "10", "fastIoFailTmo", "11" };
	static const char *const good[] = { "ctrlLossTmo", "-1", "fastIoFailTmo", "11" };
	struct params p;
	struct err err;

	cr_assert_eq(parse(bad, 2, &p, &err), -1);
	cr_assert_eq(parse(good, 2, &p, &err), 0);
}

/* The claim goes into a record of a narrow alphabet. */
Test(params, a_claim_outside_the_record_s_alphabet_is_left_out)
{
	static const char *const names[] = { "a b", "a\"b", "a\nb", "a,b", "", "a/b" };

	for (size_t i = 0; i < sizeof(names) / sizeof(names[0]); i++) {
		const char *pairs[] = { "csi.storage.k8s.io/pvc/name", names[i],
					"csi.storage.k8s.io/pvc/namespace", "ns" };
		struct params p;
		struct err err;

		cr_assert_eq(parse(pairs, 2, &p, &err), 0);
		cr_assert_str_eq(p.claim, "", "%s", names[i]);
	}
}

Test(sizes, a_missing_range_asks_for_the_minimum_and_fits_anything)
{
	uint64_t bytes = 0;
	struct err err;

	cr_assert_eq(sizes_pick(NULL, &bytes, &err), 0);
	cr_assert_eq(bytes, SIZES_MIN);
	cr_assert(sizes_fit(NULL, 1));
}
