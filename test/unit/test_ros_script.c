#include "support/t.h"

#include <regex.h>
#include <string.h>

#include "rds/ros_join.h"
#include "rds/ros_template.h"
#include "rds/ros_text.h"

static struct ros_site site = {
	.cluster_id = "prod-1",
	.reserve_percent = 5,
	.n_bases = 1,
	.bases = { "storage-pool/metal.csi" },
	.pool = "storage-pool",
	.pool_slot = "raid1",
	.label = "pool",
};
static struct ros_args args = {
	.id = "pvc-1",
	.layout = RDS_LAYOUT_SUBVOLUME,
	.size_bytes = 1 << 30,
	.port = 4420,
	.nqn = "nqn.2000-02.com.mikrotik:pvc-1.g0-01234567",
	.record = "rds-csi:1 aaaaaaaa c=prod-1 g=0 s=ok h=- b=0 q=ns/c",
	.nonce = "aaaaaaaa",
	.expect_nonce = "bbbbbbbb",
};

static const char *make(enum ros_step step)
{
	static char text[ROS_SCRIPT_MAX + 1];
	const struct ros_args *rows[] = { &args };
	struct ros_order order = { step, &site, rows, 1, "0123456789abcdef" };
	struct err err;
	struct buf b;

	buf_init(&b, ROS_SCRIPT_MAX);
	if (ros_script(&b, &order, &err))
		snprintf(text, sizeof(text), "error %d", err.code);
	else
		snprintf(text, sizeof(text), "%s", b.data);
	buf_fini(&b);
	return text;
}

/* What stands in the brackets, parentheses and braces after the text from on. */
static size_t clause_len(const char *from)
{
	int depth = 0;
	size_t i = 0;
	bool in_string = false;

	for (; from[i]; i++) {
		if (in_string && from[i] == '\\')
			i++;
		else if (from[i] == '"')
			in_string = !in_string;
		else if (!in_string && strchr("[({", from[i]))
			depth++;
		else if (!in_string && strchr("])}", from[i]) && --depth < 0)
			break;
	}
	return i;
}

static bool is_local(const char *s)
{
	return s[0] == '$' && s[1] == 'v' && s[2] >= '0' && s[2] <= '9' &&
	       !strchr("abcdefghijklmnopqrstuvwxyz0123456789-", s[3]);
}

/* In a where, every value is a literal, a %value (which is quoted) or a local v0-v9. The
 * first one that is not, or NULL. */
static const char *bad_where(const char *at)
{
	size_t n = clause_len(at);
	bool in_string = false;

	for (size_t i = 0; i < n; i++) {
		if (at[i] == '"' && (i == 0 || at[i - 1] != '\\'))
			in_string = !in_string;
		if (in_string)
			continue;
		if (at[i] == '$' && !is_local(at + i))
			return at + i;
		if ((at[i] == '=' || at[i] == '~') && !strchr("\"%$", at[i + 1]))
			return at + i;
	}
	return NULL;
}

static const char *find_trap(const char *text)
{
	const char *bad;

	for (const char *p = text; (p = strstr(p, "where ")); p += 6)
		if ((bad = bad_where(p + 6)))
			return bad;
	for (const char *p = text; (p = strstr(p, "find")); p += 4)
		if (strncmp(p, "find where ", 11) != 0)
			return p;
	bad = strstr(text, "remove [");
	return bad ? bad : strstr(text, "set [");
}

static void check_traps(const char *text)
{
	const char *bad = find_trap(text);

	cr_assert_null(bad, "%.60s", bad);
}

Test(ros_script, no_template_falls_into_the_traps_of_where_and_find)
{
	for (int i = 0; i < ROS_T_N; i++)
		check_traps(ros_templates[i]);
}

Test(ros_script, the_check_of_the_traps_finds_them)
{
	cr_assert(find_trap("[/disk find where slot=$slot]"));
	cr_assert(find_trap("[/disk find where slot=slot]"));
	cr_assert(find_trap("[/disk find where a=\"b\" and slot=$v10]"));
	cr_assert(find_trap("/disk/remove [find]"));
	cr_assert(find_trap("/disk/remove [find where slot=\"a\"]"));
	cr_assert(find_trap("/disk/set [find where slot=\"a\"]"));
	cr_assert(find_trap("[/disk find slot=\"a\"]"));
	cr_assert(!find_trap("[/disk find where slot=\"a=b\" and x=$v1]"));
}

Test(ros_script, every_local_has_a_name_that_no_property_has)
{
	regex_t re;

	cr_assert_eq(regcomp(&re, ":(local|set|foreach|onerror) v[0-9] ", REG_EXTENDED),
		     0);
	for (int i = 0; i < ROS_T_N; i++)
		for (const char *p = ros_templates[i]; (p = strchr(p, ':')); p++)
			if (strncmp(p, ":local", 6) == 0 || strncmp(p, ":set", 4) == 0 ||
			    strncmp(p, ":foreach", 8) == 0 ||
			    strncmp(p, ":onerror", 8) == 0) {
				regmatch_t m;

				cr_assert_eq(regexec(&re, p, 1, &m, 0), 0);
				cr_assert_eq(m.rm_so, 0, "%.40s", p);
			}
	regfree(&re);
}

Test(ros_script, each_is_one_ascii_line_that_ends_in_the_sentinel)
{
	static const char end[] = ":put \"@ok 0123456789abcdef\"";

	for (enum ros_step s = ROS_GET; s <= ROS_EXPORT; s++) {
		const char *text = make(s);
		size_t n = strlen(text);

		cr_assert_gt(n, sizeof(end));
		cr_assert_leq(n, ROS_SCRIPT_MAX);
		cr_assert_str_eq(text + n - sizeof(end) + 1, end, "%s", text);
		cr_assert_null(strchr(text, '%'), "%s", text);
		for (size_t i = 0; i < n; i++)
			cr_assert(text[i] >= ' ' && text[i] <= '~');
		check_traps(text);
	}
}

/* The pattern that stands after the text, without the quoting. */
static void compile(regex_t *re, const char *script, const char *after)
{
	const char *at = strstr(script, after);
	char pattern[600];
	size_t n = 0;

	cr_assert_not_null(at, "%s: %s", after, script);
	for (at += strlen(after); *at != '"'; at++)
		if (*at != '\\')
			pattern[n++] = *at;
	pattern[n] = '\0';
	cr_assert_eq(regcomp(re, pattern, REG_EXTENDED), 0, "%s", pattern);
}

Test(ros_script, shapes_match_exactly_the_two_places)
{
	static const struct {
		const char *path;
		bool fits;
	} paths[] = {
		{ "/storage-pool/vol-pvc-1/volume.img", true },
		{ "storage-pool/vol-pvc-1/volume.img", true },
		{ "/storage-pool/metal.csi/pvc-1.img", true },
		{ "/storage-pool/metalxcsi/pvc-1.img", false },
		{ "/storage-pool/metal.csi/pvc-1ximg", false },
		{ "/storage-pool/metal.csi/pvc-11.img", false },
		{ "/storage-pool/metal.csi/x/pvc-1.img", false },
		{ "/storage-pool/metal.csi-other/pvc-1.img", false },
		{ "/x/storage-pool/metal.csi/pvc-1.img", false },
		{ "/storage-pool/vol-pvc-1/volume.img.bak", false },
		{ "/storage-pool/vol-pvc-1/other.img", false },
	};
	regex_t re;

	compile(&re, make(ROS_PUBLISH), "$v2 ~ \"");
	for (size_t i = 0; i < sizeof(paths) / sizeof(paths[0]); i++) {
		cr_assert_eq(regexec(&re, paths[i].path, 0, NULL, 0) == 0, paths[i].fits,
			     "%s", paths[i].path);
		cr_assert_eq(ros_site_layout(&site, "pvc-1", paths[i].path) !=
				     RDS_LAYOUT_AUTO,
			     paths[i].fits, "%s", paths[i].path);
	}
	regfree(&re);
}

Test(ros_script, without_a_record_it_is_grown_only_where_that_is_adopted)
{
	static const struct {
		const char *comment;
		bool grows;
	} comments[] = {
		{ "rds-csi:1 aaaaaaaa c=prod-1 g=0 s=ok h=- b=0 q=ns/c", true },
		{ "rds-csi:1 aaaaaaaa c=prod-1 g=0 s=ok h=- b=0 q=", true },
		{ "rds-csi:1 aaaaaaaa c=prod-1 g=0 s=ok h=node-a b=0 q=ns/c", true },
		{ "rds-csi:1 aaaaaaaa c=prod-2 g=0 s=ok h=- b=0 q=ns/c", false },
		{ "somebody's disk", false },
		{ "rds-csi:1", false },
	};
	regex_t grow;

	for (int adopt = 0; adopt < 2; adopt++) {
		site.adopt_unmarked = adopt;
		compile(&grow, make(ROS_GROW), "comment]] ~ \"");
		for (size_t i = 0; i < sizeof(comments) / sizeof(comments[0]); i++)
			cr_assert_eq(regexec(&grow, comments[i].comment, 0, NULL, 0) == 0,
				     comments[i].grows, "%s", comments[i].comment);
		cr_assert_eq(regexec(&grow, "", 0, NULL, 0) == 0, adopt);
		regfree(&grow);
	}
	site.adopt_unmarked = false;
}

#define TAKES(re, text) (regexec(re, text, 0, NULL, 0) == 0)

/* By the comment and the NQN that were read; neither of a disk that was not there. */
Test(ros_script, only_the_disk_that_was_read_is_deleted)
{
	static const struct {
		const char *nonce, *nqn;
		bool takes_bbbbbbbb, takes_none; /* a record of that nonce, no record */
	} seen[] = {
		{ "bbbbbbbb", "nqn.2000-02.com.mikrotik:pvc-1.g0-01234567", true, false },
		{ "aaaaaaaa", "nqn.2000-02.com.mikrotik:pvc-1.g0-01234567", false,
		  false },
		{ NULL, "nqn.2000-02.com.mikrotik:pvc-1.g0-01234567", false, true },
		{ NULL, "nqn.2000-02.com.mikrotik:pvc-1", false, true },
		{ NULL, NULL, false, false },
	};
	const struct ros_args was = args;
	const char *script;
	regex_t record, nqn;

	for (size_t i = 0; i < sizeof(seen) / sizeof(seen[0]); i++) {
		args.expect_nonce = seen[i].nonce;
		args.nqn = seen[i].nqn;
		script = strstr(make(ROS_DELETE), "@foreign");
		cr_assert_not_null(script);
		compile(&record, script, "$v3 ~ \"");
		compile(&nqn, script, "nvme-tcp-server-nqn]] ~ \"");
		cr_assert_eq(TAKES(&record, "rds-csi:1 bbbbbbbb c=prod-1 g=3 s=ok h=- "
					    "b=0 q=ns/c"),
			     seen[i].takes_bbbbbbbb);
		cr_assert_eq(TAKES(&record, ""), seen[i].takes_none);
		cr_assert_not(TAKES(&record, "rds-csi:1 bbbbbbbb c=prod-1 g=3 s=ok "
					     "h=node-a/w b=0 q=ns/c"));
		cr_assert_not(TAKES(&record, "rds-csi:1 bbbbbbbb c=prod-1 g=3 s=fencing "
					     "h=- b=0 q=ns/c"));
		cr_assert_not(TAKES(&record, "rds-csi:1 bbbbbbbb c=prod-2 g=3 s=ok h=- "
					     "b=0 q=ns/c"));
		cr_assert_not(TAKES(&nqn, "nqn.2000-02.com.mikrotik:pvc-1.g0-76543210"));
		cr_assert_not(TAKES(&nqn, ""));
		cr_assert_eq(TAKES(&nqn, "nqn.2000-02.com.mikrotik:pvc-1.g0-01234567"),
			     seen[i].nqn && strlen(seen[i].nqn) > 40);
		regfree(&record);
		regfree(&nqn);
	}
	args = was;
}

/* Fills a joined script up to the room that there is said to be. */
static unsigned fill_joined(enum ros_step step, const struct ros_site *where,
			    const char *claim)
{
	static struct ros_args rows[64];
	static char ids[64][64], nqns[64][RDS_NQN_MAX + 1], records[64][300];
	const struct ros_args *p[64];
	struct ros_order order = { step, where, p, 0, "0123456789abcdef" };
	struct err err = { .code = ERR_OK };
	size_t used = 0;
	struct buf b;

	for (unsigned i = 0; i < 64; i++) {
		snprintf(ids[i], 64, "pvc-00000000-1111-2222-3333-4444444444%02u", i);
		snprintf(nqns[i], sizeof(nqns[i]), "nqn.2000-02.com.mikrotik:%s.g0-%08x",
			 ids[i], i);
		snprintf(records[i], sizeof(records[i]),
			 "rds-csi:1 aaaaaaaa c=%s g=0 s=ok h=- b=0 q=%s",
			 where->cluster_id, claim);
		rows[i] = args;
		rows[i].id = ids[i];
		rows[i].nqn = nqns[i];
		rows[i].record = records[i];
		rows[i].layout = where->label[0] ? RDS_LAYOUT_SUBVOLUME : RDS_LAYOUT_FILE;
		rows[i].size_bytes = UINT64_C(1) << 44;
		p[i] = &rows[i];
		cr_assert(ros_may_join(order.step, p[0], p[i]));
		used += ros_join_bytes(order.step, p[i]);
		if (used + ros_join_head(order.step, p[0]) >
		    ros_join_room(order.step, where))
			break;
		order.n = i + 1;
	}
	buf_init(&b, ROS_SCRIPT_MAX);
	cr_assert_eq(ros_script(&b, &order, &err), 0, "%u: %s", order.n, err.msg);
	check_traps(b.data);
	buf_fini(&b);
	return order.n;
}

Test(ros_script, joined_ones_fit_when_the_room_says_so)
{
	struct ros_site largest = site;
	char cluster[RDS_CLUSTER_MAX + 1] = "";

	cr_assert_geq(fill_joined(ROS_CREATE, &site, "namespace/pvc-name"), 17);
	memset(cluster, 'c', RDS_CLUSTER_MAX);
	largest.cluster_id = cluster;
	memset(largest.pool, 'p', 64);
	memset(largest.pool_slot, 's', 64);
	memset(largest.label, 'l', 64);
	memset(largest.bases[0], 'b', 200);
	largest.bases[0][200] = '\0';
	cr_assert_geq(fill_joined(ROS_CREATE, &largest, "namespace/pvc-name"), 10);
	largest.label[0] = '\0';
	cr_assert_geq(fill_joined(ROS_CREATE, &largest, "n/c"), 10);
	cr_assert_geq(fill_joined(ROS_PUBLISH, &site, "namespace/pvc-name"), 10);
	cr_assert_geq(fill_joined(ROS_PUBLISH, &largest, "namespace/pvc-name"), 5);
	memset(largest.bases[0], '.', 200);
	(void)fill_joined(ROS_PUBLISH, &largest, "n/c");
}

/* What alone is compared and written is so among others, too. */
Test(ros_script, a_joined_publish_is_the_lone_one_for_each_row)
{
	struct ros_args other = args;
	const struct ros_args *rows[] = { &args, &other };
	struct ros_order order = { ROS_PUBLISH, &site, rows, 2, "0123456789abcdef" };
	struct err err = { .code = ERR_OK };
	struct buf b;

	other.id = "pvc-2";
	other.nqn = "nqn.2000-02.com.mikrotik:pvc-2.g3-89abcdef";
	other.record = "rds-csi:1 cccccccc c=prod-1 g=3 s=ok h=node-b/w b=1 q=x/y";
	other.nonce = "cccccccc";
	other.expect_nonce = "dddddddd";
	buf_init(&b, ROS_SCRIPT_MAX);
	cr_assert_eq(ros_script(&b, &order, &err), 0, "%s", err.msg);
	cr_assert_not_null(strstr(
		b.data, ";{\"pvc-2\";\"dddddddd\";\"cccccccc\";\"g=3 s=ok h=node-b/w b=1 "
			"q=x/y\";\"nqn.2000-02.com.mikrotik:pvc-2.g3-89abcdef\"}"));
	cr_assert_not_null(strstr(b.data, ":local v4 (\"^/\?(storage-pool/vol-\".$v6."
					  "\"/volume[.]img|storage-pool/metal[.]csi/\"."
					  "$v6.\"[.]img)\\$\");"),
			   "%s", b.data);
	buf_fini(&b);
	other.expect_nonce = NULL;
	cr_assert(!ros_may_join(ROS_PUBLISH, &args, &other));
	other = args;
	other.record = "rds-csi:1 aaaaaaaa c=prod-1 ";
	cr_assert(!ros_may_join(ROS_PUBLISH, &args, &other));
	cr_assert(!ros_may_join(ROS_UNPUBLISH, &args, &args));
}

/* The ids of two volumes may differ in case alone; all that a host knows of them may not.
 */
Test(ros_script, a_create_keeps_all_names_of_its_id_for_itself)
{
	static const struct {
		const char *nqn;
		bool is_taken;
	} nqns[] = {
		{ "nqn.2000-02.com.mikrotik:pvc-1", true },
		{ "nqn.2000-02.com.mikrotik:pvc-1.g0-01234567", true },
		{ "nqn.2000-02.com.mikrotik:pvc-1.g7-89abcdef", true },
		{ "nqn.2000-02.com.mikrotik:pvc-10", false },
		{ "nqn.2000-02.com.mikrotik:pvc-1-g", false },
		{ "nqn.2000-02.com.mikrotik:pvc", false },
		{ "nqn.2000-02-com.mikrotik:pvc-1", false },
	};
	static const enum ros_step steps[] = { ROS_CREATE, ROS_ADOPT };
	regex_t re;

	for (int k = 0; k < 2; k++) {
		cr_assert_not_null(strstr(make(steps[k]), "nvme-tcp-server-nqn~$v1"));
		compile(&re, make(steps[k]), ":local v1 \"");
		for (size_t i = 0; i < sizeof(nqns) / sizeof(nqns[0]); i++)
			cr_assert_eq(regexec(&re, nqns[i].nqn, 0, NULL, 0) == 0,
				     nqns[i].is_taken, "%s", nqns[i].nqn);
		regfree(&re);
	}
}

Test(ros_script, what_differs_beyond_id_size_nonce_claim_and_name_is_not_joined)
{
	struct ros_args other = args;

	other.id = "pvc-2";
	cr_assert(!ros_may_join(ROS_CREATE, &args, &other),
		  "its NQN is made of another id");
	other.nqn = "nqn.2000-02.com.mikrotik:pvc-2.g0-89abcdef";
	other.record = "rds-csi:1 bbbbbbbb c=prod-1 g=0 s=ok h=- b=0 q=x/y";
	cr_assert(ros_may_join(ROS_CREATE, &args, &other));
	other.nqn = "nqn.2000-02.com.mikrotik:pvc-2.g1-89abcdef";
	cr_assert(!ros_may_join(ROS_CREATE, &args, &other));
	other.nqn = "nqn.2000-02.com.mikrotik:pvc-2";
	cr_assert(!ros_may_join(ROS_CREATE, &args, &other) &&
		  !ros_may_join(ROS_CREATE, &other, &other));
	other.nqn = "nqn.2000-02.com.mikrotik:pvc-2.g0-89abcdef";
	other.port = 4421;
	cr_assert(!ros_may_join(ROS_CREATE, &args, &other));
	other.port = args.port;
	other.record = "rds-csi:1 bbbbbbbb c=prod-1 g=0 s=ok h=- b=1 q=x/y";
	cr_assert(!ros_may_join(ROS_CREATE, &args, &other));
}

Test(ros_script, a_value_of_the_wrong_kind_makes_no_script)
{
	struct ros_args saved = args;

	args.id = "x\" or 1";
	cr_assert_str_eq(make(ROS_GET), "error 3");
	args = saved;
	args.record = "rds-csi:1 \"; /system reset";
	cr_assert_str_eq(make(ROS_PUBLISH), "error 3");
	args = saved;
	args.expect_nonce = "a\"b";
	cr_assert_str_eq(make(ROS_PUBLISH), "error 3");
	args = saved;
	args.nqn = "nqn.x:$y";
	cr_assert_str_eq(make(ROS_CREATE), "error 3");
	args = saved;
	strcpy(site.label, "a b$");
	cr_assert_str_eq(make(ROS_CREATE), "error 3");
	strcpy(site.label, "pool");
}
