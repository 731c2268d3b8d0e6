#include "csi/node/health.h"

#include <string.h>

#include "support/t.h"

/* Each thing that is wrong with a volume, and what is said of it. */

static char message[200];

static bool judge(struct nvme_view v, const char *stuck)
{
	struct nvme_record rec = { .size_bytes = 100 };
	struct health_facts f = { .view = &v, .rec = &rec, .stuck = stuck };

	return health_judge(&f, message);
}

#define DEVICE .device = { .path = "/dev/x", .size_bytes = 100 }

Test(health, a_good_volume)
{
	struct nvme_view v = { .state = NVME_LIVE, DEVICE };

	cr_assert(!judge(v, ""), "%s", message);
	cr_assert_str_eq(message, "Volume is healthy");
	v.state = NVME_ABSENT; /* a back end without sessions */
	v.device.size_bytes = 200;
	cr_assert(!judge(v, ""), "%s", message);
}

Test(health, what_is_wrong_is_said)
{
	static const struct {
		struct nvme_view view;
		const char *stuck, *says;
	} cases[] = {
		{ { .state = NVME_LIVE, DEVICE }, "unmount", "unmount" },
		{ { .state = NVME_LIVE, DEVICE, .is_dead = true }, "", "is gone" },
		{ { .state = NVME_RECOVERING, DEVICE }, "", "does not answer" },
		{ { .state = NVME_EMPTY }, "", "namespace" },
		{ { .state = NVME_GOING, DEVICE }, "", "deleted" },
		{ { .state = NVME_LIVE, DEVICE, .n_other_sessions = 1 }, "", "fenced" },
		{ { .state = NVME_LIVE }, "", "no device" },
		{ { .device = { .path = "/dev/x", .size_bytes = 99 } }, "", "99 bytes" },
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		cr_assert(judge(cases[i].view, cases[i].stuck), "case %zu", i);
		cr_assert(strstr(message, cases[i].says), "case %zu: %s", i, message);
	}
}

Test(health, a_node_that_leads_elsewhere)
{
	struct nvme_view v = { .state = NVME_LIVE, DEVICE };
	struct health_facts f = { .view = &v, .stuck = "", .is_other_node = true };

	cr_assert(health_judge(&f, message));
	f.is_other_node = false;
	cr_assert(!health_judge(&f, message));
}
