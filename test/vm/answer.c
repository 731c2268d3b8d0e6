#include "vm/answer.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

void health_get(struct driver *d, const struct vol *v, struct health *ret)
{
	Csi__V1__NodeGetVolumeStatsRequest *m = rpc_request("NodeGetVolumeStats");
	const Csi__V1__NodeGetVolumeStatsResponse *r;
	struct rpc_call c;

	memset(ret, 0, sizeof(*ret));
	m->volume_id = rpc_text(v->id);
	m->volume_path = rpc_text(v->target);
	m->staging_target_path = rpc_text(v->staging);
	rpc_start(d, &c, "NodeGetVolumeStats", m, 0);
	ret->code = rpc_wait(d, &c);
	r = (const void *)c.answer;
	if (!r) {
		(void)snprintf(ret->message, sizeof(ret->message), "%s", rpc_message());
	} else {
		for (size_t i = 0; i < r->n_usage; i++)
			if (r->usage[i]->unit == CSI__V1__VOLUME_USAGE__UNIT__BYTES)
				ret->total_bytes = r->usage[i]->total;
		ret->has_condition = r->volume_condition != NULL;
	}
	if (ret->has_condition) {
		ret->is_abnormal = r->volume_condition->abnormal;
		(void)snprintf(ret->message, sizeof(ret->message), "%s",
			       r->volume_condition->message);
	}
	rpc_free(&c);
	rpc_reset();
}

bool answer_has(const char *message, const char *word)
{
	return !word || strcasestr(message, word);
}

bool health_is_bad(struct driver *d, const struct vol *v, const char *word,
		   unsigned timeout_ms)
{
	uint64_t end = e2e_now_ms() + timeout_ms;
	struct health h;

	do {
		health_get(d, v, &h);
		if (h.has_condition && h.is_abnormal && answer_has(h.message, word))
			return true;
		e2e_sleep_ms(100);
	} while (e2e_now_ms() < end);
	return CHECK(false, "%s: no abnormal condition with '%s': %s, \"%s\"", v->id,
		     word ? word : "", h.is_abnormal ? "abnormal" : "normal", h.message);
}

bool health_is_good(struct driver *d, const struct vol *v, unsigned timeout_ms)
{
	uint64_t end = e2e_now_ms() + timeout_ms;
	struct health h;

	do {
		health_get(d, v, &h);
		if (h.has_condition && !h.is_abnormal)
			return true;
		e2e_sleep_ms(100);
	} while (e2e_now_ms() < end);
	return CHECK(false, "%s: %s, \"%s\"", v->id,
		     h.has_condition ? "abnormal" : "no condition", h.message);
}

bool answer_is(struct driver *d, struct vol *v, enum vol_step step, enum err_code code,
	       const char *word)
{
	uint64_t end = e2e_now_ms() + 120000;
	enum err_code got;

	do
		got = vol_do(d, v, step);
	while (got != code && vol_may_retry(got) && e2e_now_ms() < end);
	return CHECK(got == code && answer_has(rpc_message(), word),
		     "%s of %s: not %s with '%s', but %s", vol_step_name(step), v->id,
		     err_name(code), word ? word : "", rpc_message());
}

bool answer_is_recorded(const struct driver *d, const struct vol *v)
{
	char path[E2E_PATH];

	return access(e2e_path(path, "%s.state/%.100s.stage", d->name, v->id), F_OK) == 0;
}

bool answer_fence(const struct sim *box, struct vol *v)
{
	struct driver d = { .name = "fencer",
			    .sim = box,
			    .is_controller = true,
			    .known_nodes = "node-b" };
	bool ok;

	driver_open(&d);
	ok = driver_start(&d) && vol_must(&d, v, VOL_UNPUBLISH);
	driver_close(&d);
	return ok;
}
