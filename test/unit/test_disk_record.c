#include "support/t.h"

#include <ctype.h>

#include "rds/disk_record.h"

#define HEAD "rds-csi:1 0123abcd c=prod-1 "

static struct rds_record parse(const char *text)
{
	struct rds_record r;

	memset(&r, 0xa5, sizeof(r));
	disk_record_parse(&r, text, "prod-1");
	return r;
}

Test(disk_record, reads_a_whole_one)
{
	struct rds_record r =
		parse(HEAD "g=7 s=fencing h=node-a/x,n.b_c/r b=1 q=ns/data-0");

	cr_assert_eq(r.kind, RDS_RECORD_OURS);
	cr_assert_str_eq(r.nonce, "0123abcd");
	cr_assert_str_eq(r.cluster, "prod-1");
	cr_assert_eq(r.generation, 7);
	cr_assert(r.is_fencing && r.is_bound);
	cr_assert_eq(r.n_holders, 2);
	cr_assert_str_eq(r.holders[0].node, "node-a");
	cr_assert_eq(r.holders[0].use, 'x');
	cr_assert_str_eq(r.holders[1].node, "n.b_c");
	cr_assert_eq(r.holders[1].use, 'r');
	cr_assert_str_eq(r.claim, "ns/data-0");
}

Test(disk_record, tells_none_ours_foreign_and_unreadable_apart)
{
	cr_assert_eq(parse(NULL).kind, RDS_RECORD_NONE);
	cr_assert_eq(parse("").kind, RDS_RECORD_NONE);
	cr_assert_eq(parse("my photos").kind, RDS_RECORD_UNREADABLE);
	cr_assert_eq(parse(HEAD "g=0 s=ok h=- b=0 q=-").kind, RDS_RECORD_OURS);
	cr_assert_eq(parse("rds-csi:1 0123abcd c=other g=0 s=ok h=- b=0 q=-").kind,
		     RDS_RECORD_FOREIGN);
	cr_assert_eq(parse("rds-csi:2 0123abcd c=prod-1 g=0 s=ok h=- b=0 q=-").kind,
		     RDS_RECORD_UNREADABLE);
}

Test(disk_record, refuses_everything_else)
{
	static const char *const bad[] = {
		" " HEAD "g=0 s=ok h=- b=0 q=-",
		HEAD " g=0 s=ok h=- b=0 q=-",
		HEAD "g=0 s=ok h=- b=0 q=- ",
		HEAD "g=0 s=ok h=- b=0 q=- x",
		HEAD "g=0 s=ok h=- b=0 q=",
		HEAD "g=0 s=ok h=- b=0",
		HEAD "g=0 s=ok h=- q=- b=0",
		HEAD "g=-1 s=ok h=- b=0 q=-",
		HEAD "g=+1 s=ok h=- b=0 q=-",
		HEAD "g=01 s=ok h=- b=0 q=-",
		HEAD "g= s=ok h=- b=0 q=-",
		HEAD "g=4294967296 s=ok h=- b=0 q=-",
		HEAD "g=0 s=OK h=- b=0 q=-",
		HEAD "g=0 s= h=- b=0 q=-",
		HEAD "g=0 s=okay h=- b=0 q=-",
		HEAD "g=0 s=ok h= b=0 q=-",
		HEAD "g=0 s=ok h=a b=0 q=-",
		HEAD "g=0 s=ok h=a/q b=0 q=-",
		HEAD "g=0 s=ok h=/w b=0 q=-",
		HEAD "g=0 s=ok h=a/w, b=0 q=-",
		HEAD "g=0 s=ok h=a/w,a/r b=0 q=-",
		HEAD "g=0 s=ok h=a$/w b=0 q=-",
		HEAD "g=0 s=ok h=- b=4 q=-",
		HEAD "g=0 s=ok h=a/w b=2 q=-",
		HEAD "g=0 s=ok h=- b= q=-",
		HEAD "g=0 s=ok h=- b=0 q=a\"b",
		HEAD "g=0 s=ok h=- b=0 q=a\nb",
		"rds-csi:1 0123ABCD c=prod-1 g=0 s=ok h=- b=0 q=-",
		"rds-csi:1 0123abc c=prod-1 g=0 s=ok h=- b=0 q=-",
		"rds-csi:1 0123abcde c=prod-1 g=0 s=ok h=- b=0 q=-",
		"rds-csi:1 0123abcd c= g=0 s=ok h=- b=0 q=-",
		"rds-csi:1 0123abcd c=a_b g=0 s=ok h=- b=0 q=-",
		"rds-csi:1 0123abcd c=1234567890123456789012345678901234567 g=0 s=ok h=- "
		"b=0 "
		"q=-",
	};

	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++)
		cr_assert_eq(parse(bad[i]).kind, RDS_RECORD_UNREADABLE, "%s", bad[i]);
}

static struct rds_record largest(void)
{
	struct rds_record r = { .kind = RDS_RECORD_OURS,
				.nonce = "deadbeef",
				.generation = UINT32_MAX,
				.is_fencing = true,
				.is_bound = true,
				.n_holders = RDS_MAX_HOLDERS };

	memset(r.cluster, 'c', RDS_CLUSTER_MAX);
	memset(r.claim, 'q', RDS_CLAIM_MAX);
	for (unsigned i = 0; i < RDS_MAX_HOLDERS; i++) {
		memset(r.holders[i].node, 'n', RDS_NODE_MAX);
		r.holders[i].node[0] = (char)('a' + i);
		r.holders[i].use = "wxr"[i % 3];
	}
	return r;
}

Test(disk_record, survives_the_round_trip_even_at_its_largest)
{
	struct rds_record r = largest(), back;
	char text[RDS_RECORD_MAX];
	struct err err;

	cr_assert_eq(disk_record_format(text, &r, &err), 0);
	cr_assert_lt(strlen(text), RDS_RECORD_MAX - 1);
	disk_record_parse(&back, text, r.cluster);
	cr_assert_eq(back.kind, RDS_RECORD_OURS);
	cr_assert_eq(memcmp(&r, &back, sizeof(r)), 0);

	r.n_holders = 0;
	r.claim[0] = '\0';
	r.is_fencing = r.is_bound = false;
	cr_assert_eq(disk_record_format(text, &r, &err), 0);
	cr_assert(strstr(text, " s=ok h=- b=0 q=-"), "%s", text);
	disk_record_parse(&back, text, r.cluster);
	cr_assert_eq(back.n_holders, 0);
	cr_assert_str_eq(back.claim, "");
}

Test(disk_record, a_released_one_has_no_holder)
{
	struct rds_record r = parse(HEAD "g=0 s=ok h=- b=2 q=-");
	char text[RDS_RECORD_MAX];
	struct err err;

	cr_assert_eq(r.kind, RDS_RECORD_OURS);
	cr_assert(r.is_bound && r.is_released);
	cr_assert_eq(disk_record_format(text, &r, &err), 0);
	cr_assert_str_eq(text, HEAD "g=0 s=ok h=- b=2 q=-");
	/* The next holder takes it away for good. */
	r.n_holders = 1;
	r.holders[0] = (struct rds_holder){ .node = "a", .use = 'w' };
	cr_assert_eq(disk_record_format(text, &r, &err), 0);
	cr_assert_str_eq(text, HEAD "g=0 s=ok h=a/w b=3 q=-");
	cr_assert(!parse(text).is_released);
}

Test(disk_record, tells_the_policy_and_since_when_it_is_released)
{
	static const struct {
		const char *bound;
		bool is_bound, is_deletable, is_released;
		uint32_t at;
	} good[] = {
		{ "0", false, false, false, 0 },
		{ "1", true, false, false, 0 },
		{ "2", true, true, true, 0 },
		{ "2.1763763763", true, true, true, 1763763763 },
		{ "2.4294967295", true, true, true, UINT32_MAX },
		{ "3", true, true, false, 0 },
	};
	static const char *const bad[] = {
		"4",	"",	"2.",	"2.0", "2.01", "2.4294967296", "1.12",
		"3.12", "2:12", "2.1x", "22",  "2.-1", "2.1.2",	       "2.12345678901"
	};
	char text[RDS_RECORD_MAX], line[RDS_RECORD_MAX];
	struct rds_record r;
	struct err err;

	for (size_t i = 0; i < sizeof(good) / sizeof(good[0]); i++) {
		snprintf(line, sizeof(line), HEAD "g=0 s=ok h=- b=%s q=-", good[i].bound);
		r = parse(line);
		cr_assert_eq(r.kind, RDS_RECORD_OURS, "%s", line);
		cr_assert_eq(r.is_bound, good[i].is_bound, "%s", line);
		cr_assert_eq(r.is_deletable, good[i].is_deletable, "%s", line);
		cr_assert_eq(r.is_released, good[i].is_released, "%s", line);
		cr_assert_eq(r.released_at, good[i].at, "%s", line);
		cr_assert_eq(disk_record_format(text, &r, &err), 0);
		cr_assert_str_eq(text, line);
	}
	for (size_t i = 0; i < sizeof(bad) / sizeof(bad[0]); i++) {
		snprintf(line, sizeof(line), HEAD "g=0 s=ok h=- b=%s q=-", bad[i]);
		cr_assert_eq(parse(line).kind, RDS_RECORD_UNREADABLE, "%s", line);
	}
}

Test(disk_record, never_writes_what_it_would_not_read)
{
	struct rds_record r = largest(), back;
	char text[RDS_RECORD_MAX];
	struct err err;

	strcpy(r.claim, "ns/a \"b\";$[x]\n");
	cr_assert_eq(disk_record_format(text, &r, &err), 0);
	disk_record_parse(&back, text, r.cluster);
	cr_assert_eq(back.kind, RDS_RECORD_OURS);
	cr_assert_str_eq(back.claim, "ns/a--b----x--");

	for (int c = 1; c < 256; c++) {
		r = largest();
		r.holders[3].node[5] = (char)c;
		bool is_plain = isalnum(c) || strchr("._-", c);

		cr_assert_eq(disk_record_format(text, &r, &err), is_plain ? 0 : -1, "%d",
			     c);
	}
	r = largest();
	r.holders[2] = r.holders[9];
	cr_assert_eq(disk_record_format(text, &r, &err), -1);
	r = largest();
	r.holders[0].use = 'z';
	cr_assert_eq(disk_record_format(text, &r, &err), -1);
	r = largest();
	r.nonce[0] = 'X';
	cr_assert_eq(disk_record_format(text, &r, &err), -1);
	r = largest();
	r.cluster[1] = ' ';
	cr_assert_eq(disk_record_format(text, &r, &err), -1);
}

Test(disk_record, every_cut_or_changed_byte_is_noticed_or_harmless)
{
	struct rds_record r = largest(), back;
	char text[RDS_RECORD_MAX], bad[RDS_RECORD_MAX], again[RDS_RECORD_MAX];
	struct err err;

	r.n_holders = 2;
	cr_assert_eq(disk_record_format(text, &r, &err), 0);
	for (size_t cut = 1; cut < strlen(text) - RDS_CLAIM_MAX; cut++) {
		memcpy(bad, text, cut);
		bad[cut] = '\0';
		cr_assert_eq((disk_record_parse(&back, bad, r.cluster), back.kind),
			     RDS_RECORD_UNREADABLE, "%s", bad);
	}
	/* Whatever still parses is spelled the only way there is. */
	for (size_t i = 0; i < strlen(text); i++)
		for (int c = 1; c < 256; c++) {
			strcpy(bad, text);
			bad[i] = (char)c;
			disk_record_parse(&back, bad, r.cluster);
			if (back.kind != RDS_RECORD_OURS &&
			    back.kind != RDS_RECORD_FOREIGN)
				continue;
			cr_assert_eq(disk_record_format(again, &back, &err), 0, "%s",
				     bad);
			cr_assert_str_eq(again, bad);
		}
}
