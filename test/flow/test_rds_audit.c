#include "support/box.h"

#include <jansson.h>
#include <string.h>

#include "core/log.h"
#include "rds/pool.h"
#include "support/capture.h"

/* The security record of the sessions with the box. The clock stands still but where a
 * test moves it. */
static struct t_box b;
static const char *lines;

static void get(enum err_code want)
{
	struct t_req q;

	t_req_init(&q, RDS_GET, "pvc-1");
	t_req_run(&b, &q);
	cr_assert_eq(q.err.code, want, "%d %s", q.err.code, q.err.msg);
}

static unsigned count(const char *event)
{
	char key[80];
	unsigned n = 0;

	snprintf(key, sizeof(key), "\"event\":\"%s\"", event);
	for (const char *p = lines; (p = strstr(p, key)); p++)
		n++;
	return n;
}

static void begin(void)
{
	log_open(LOG_ERROR, true); /* the record is written all the same */
	t_capture();
}

static void end(void)
{
	size_t n;

	lines = t_captured(&n);
	for (const char *p = lines; *p; p = strchr(p, '\n') + 1) {
		json_t *v = json_loadb(p, strcspn(p, "\n"), 0, NULL);

		cr_assert_not_null(v, "%s", p);
		cr_assert(json_is_true(json_object_get(v, "audit")), "%s", p);
		json_decref(v);
	}
}

Test(rds_audit, each_session_is_on_record)
{
	t_box_open(&b, NULL);
	clock_hold(&b.l.uv);
	t_box_connect(&b);
	begin();
	get(ERR_OK);
	end();
	cr_assert_geq(count("ssh_connection_success"), 1);
	cr_assert_not_null(strstr(lines, "\"host_key_verified\":true"));
	cr_assert_eq(count("ssh_connection_failure"), 0);
	t_box_close(&b);
}

Test(rds_audit, an_outage_is_told_once_a_minute_with_what_was_left_out)
{
	t_box_open(&b, NULL);
	clock_hold(&b.l.uv);
	t_box_connect(&b);
	t_box_kill_sim(&b);
	begin();
	for (int i = 0; i < 4; i++) {
		get(ERR_UNAVAILABLE);
		clock_advance(&b.l.uv, POOL_BACKOFF_MAX_MS + 1);
	}
	end();
	cr_assert_eq(count("ssh_connection_failure"), 1, "%s", lines);
	begin();
	get(ERR_UNAVAILABLE);
	end();
	cr_assert_eq(count("ssh_connection_failure"), 1, "%s", lines);
	cr_assert_not_null(strstr(lines, "\"skipped\":3"), "%s", lines);
	t_box_close(&b);
}

Test(rds_audit, another_host_key_is_critical)
{
	t_box_open(&b, NULL);
	clock_hold(&b.l.uv);
	t_box_fault(&b, "host-key=1");
	t_box_connect(&b);
	begin();
	get(ERR_UNAVAILABLE);
	end();
	cr_assert_eq(count("ssh_host_key_mismatch"), 1);
	cr_assert_not_null(
		strstr(lines, "\"severity\":\"critical\",\"outcome\":\"denied\""));
	cr_assert_not_null(strstr(lines, "\"offered\":\"SHA256:"));
	t_box_close(&b);
}

Test(rds_audit, a_key_that_the_box_refuses)
{
	char key[200];
	FILE *f;

	t_box_open(&b, NULL);
	clock_hold(&b.l.uv);
	snprintf(key, sizeof(key), "ssh-keygen -q -t ed25519 -N '' -f %s/other", b.dir);
	cr_assert_eq(system(key), 0);
	snprintf(key, sizeof(key), "%s/other", b.dir);
	f = fopen(key, "r");
	cr_assert_not_null(f);
	fclose(f);
	b.conf.key_file = key;
	t_box_connect(&b);
	begin();
	get(ERR_UNAVAILABLE);
	end();
	cr_assert_eq(count("ssh_auth_failure"), 1, "%s", lines);
	cr_assert_null(strstr(lines, "PRIVATE KEY"));
	t_box_close(&b);
}
