#include "support/t.h"

#include <jansson.h>
#include <string.h>

#include "core/audit.h"
#include "support/capture.h"

static const char *const severities[] = { "info", "warning", "error", "critical", NULL };
static const char *const outcomes[] = { "success", "failure", "denied", NULL };
static const char *const categories[] = { "authentication",	"authorization",
					  "volume_operation",	"network_access",
					  "data_access",	"config_change",
					  "security_violation", NULL };

static bool is_in(const char *s, const char *const *list)
{
	for (; s && *list; list++)
		if (strcmp(s, *list) == 0)
			return true;
	return false;
}

static json_t *captured(void)
{
	const char *text;
	size_t n;
	json_t *v;

	text = t_captured(&n);
	v = json_loads(text, JSON_REJECT_DUPLICATES, NULL);
	cr_assert_not_null(v, "%s", text);
	return v;
}

static const char *field(json_t *v, const char *key)
{
	return json_string_value(json_object_get(v, key));
}

static void check_words(const struct log_audit *a)
{
	cr_assert(a->event && *a->event);
	cr_assert_eq(a->event[strspn(a->event, "abcdefghijklmnopqrstuvwxyz_")], '\0');
	cr_assert(is_in(a->category, categories), "%s", a->event);
	cr_assert(is_in(a->severity, severities), "%s", a->event);
	cr_assert(is_in(a->outcome, outcomes), "%s", a->event);
}

Test(audit, every_event_is_written_whatever_the_level)
{
	for (int i = 0; i < AUDIT_N; i++) {
		json_t *v;

		check_words(&audit_events[i]);
		log_open(LOG_ERROR, true);
		t_capture();
		log_audit((enum audit_event)i, "x", "text", KS("volume", "a\"\nb"));
		v = captured();
		cr_assert(json_is_true(json_object_get(v, "audit")));
		cr_assert_str_eq(field(v, "event"), audit_events[i].event);
		cr_assert_str_eq(field(v, "category"), audit_events[i].category);
		cr_assert_str_eq(field(v, "severity"), audit_events[i].severity);
		cr_assert_str_eq(field(v, "outcome"), audit_events[i].outcome);
		cr_assert_str_eq(field(v, "volume"), "a\"\nb");
		json_decref(v);
	}
}

Test(audit, the_level_is_the_severity)
{
	cr_assert_eq(audit_level(AUDIT_SSH_CONNECTED), LOG_INFO);
	cr_assert_eq(audit_level(AUDIT_SSH_FAILED), LOG_WARN);
	cr_assert_eq(audit_level(AUDIT_SSH_REFUSED), LOG_ERROR);
	cr_assert_eq(audit_level(AUDIT_HOST_KEY_MISMATCH), LOG_ERROR);
}

Test(audit, the_end_of_a_call_has_a_name)
{
	static const struct {
		const char *verb;
		enum err_code code;
		const char *want[4];
	} rows[] = {
		{ "create",
		  ERR_OK,
		  { "volume_create_success", "volume_operation", "info", "success" } },
		{ "stage",
		  ERR_UNAVAILABLE,
		  { "volume_stage_failure", "volume_operation", "error", "failure" } },
		{ "unstage",
		  ERR_ABORTED,
		  { "volume_unstage_failure", "volume_operation", "warning",
		    "failure" } },
		{ "delete",
		  ERR_PRECONDITION,
		  { "volume_delete_failure", "volume_operation", "warning", "failure" } },
		{ "delete",
		  ERR_INVALID,
		  { "validation_failure", "security_violation", "warning", "denied" } },
	};

	for (size_t i = 0; i < sizeof(rows) / sizeof(rows[0]); i++) {
		char name[AUDIT_NAME];
		struct log_audit a;

		audit_volume(&a, name, rows[i].verb, rows[i].code);
		check_words(&a);
		cr_assert_str_eq(a.event, rows[i].want[0]);
		cr_assert_str_eq(a.category, rows[i].want[1]);
		cr_assert_str_eq(a.severity, rows[i].want[2]);
		cr_assert_str_eq(a.outcome, rows[i].want[3]);
	}
}
