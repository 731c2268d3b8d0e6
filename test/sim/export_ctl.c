/* POST /nvmet: its words and what they ask for. */
#include <stdlib.h>
#include <string.h>

#include "sim/control.h"
#include "sim/export.h"

struct query {
	struct export_verb v;
	const char *verb, *port, *ms;
};

static int take(struct query *q, const char *key, const char *value)
{
	struct {
		const char *key, **to;
	} keys[] = { { "slot", &q->v.slot }, { "do", &q->verb },
		     { "port", &q->port },   { "ms", &q->ms },
		     { "uuid", &q->v.uuid }, { "file", &q->v.file } };

	for (size_t i = 0; i < sizeof keys / sizeof *keys; i++)
		if (!strcmp(keys[i].key, key)) {
			*keys[i].to = value;
			return 0;
		}
	return -1;
}

static int split(struct query *q, char *text)
{
	char *save = NULL, *eq;

	for (char *p = strtok_r(text, "&", &save); p; p = strtok_r(NULL, "&", &save)) {
		eq = strchr(p, '=');
		if (!eq)
			return -1;
		*eq++ = 0;
		control_decode(eq);
		if (take(q, p, eq) < 0)
			return -1;
	}
	return !q->ms || parse_u64(q->ms, &q->v.back_ms) == 0 ? 0 : -1;
}

static int read_verb(struct query *q)
{
	q->v.is_recreate = !strcmp(q->verb, "recreate");
	if (q->v.is_recreate) {
		q->v.uuid = q->v.uuid ? q->v.uuid : "new";
		return 0;
	}
	for (int act = NVMET_ON; act <= NVMET_GROWN; act++)
		if (!strcmp(nvmet_act_name((enum nvmet_act)act), q->verb)) {
			q->v.act = (enum nvmet_act)act;
			return 0;
		}
	return -1;
}

int export_query(struct box *b, char *query, const char **ret_err)
{
	struct query q = { 0 };

	*ret_err = "port=off|on, or slot=S&do=VERB; see --help";
	if (split(&q, query) < 0)
		return -1;
	if (!b->opt.nvmet.is_on) {
		*ret_err = "not started with --export=nvmet";
		return -1;
	}
	if (q.port && !strcmp(q.port, "off")) {
		box_port_off(b, q.v.back_ms);
		return 0;
	}
	if (q.port && !strcmp(q.port, "on")) {
		box_port_on(b);
		return 0;
	}
	if (q.port || !q.v.slot || !q.verb || read_verb(&q) < 0)
		return -1;
	return box_export_verb(b, &q.v, ret_err);
}
