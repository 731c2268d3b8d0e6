#include "k8s/watch.h"

#include <string.h>

#include "fakes/exchange_seam.h"
#include "k8s/watch_rules.h"
#include "support/t.h"

#define META(name, version)                                     \
	"\"metadata\":{\"name\":\"" name "\",\"uid\":\"u-" name \
	"\",\"resourceVersion\":\"" version "\"}"
#define NODE(name, version) "{" META(name, version) "}"
#define PAGE(items, version, more)                                                \
	"{\"metadata\":{\"resourceVersion\":\"" version "\",\"continue\":\"" more \
	"\"},\"items\":[" items "]}"
#define EVENT(type, object) "{\"type\":\"" type "\",\"object\":" object "}\n"
#define BOOKMARK(version) \
	EVENT("BOOKMARK", "{\"metadata\":{\"resourceVersion\":\"" version "\"}}")

static struct lab {
	struct t_loop l;
	struct k8s_calls calls;
	struct k8s_store store;
	struct k8s_watch w;
	struct k8s_listener ear;
	struct seam_answer script[16];
	unsigned n_script, n_done;
	char told[1024];
} lab;

/* Behind the script every stream stays open and every list is refused. */
static struct seam_answer answer(unsigned nth, const struct k8s_exchange *x)
{
	if (nth < lab.n_script)
		return lab.script[nth];
	return (struct seam_answer){ .status = x->is_long ? 200 : 503,
				     .hangs = x->is_long };
}

static void on_done(struct op *op)
{
	(void)op;
	lab.n_done++;
}

static void on_change(struct k8s_listener *l, const struct k8s_object *before,
		      const struct k8s_object *after)
{
	size_t n = strlen(lab.told);

	(void)l;
	snprintf(lab.told + n, sizeof(lab.told) - n, "%c%s ",
		 before ? after ? '~' : '-' : '+', (after ? after : before)->name);
}

static void script(struct seam_answer a)
{
	lab.script[lab.n_script++] = a;
}

static void page(const char *body)
{
	script((struct seam_answer){ .status = 200, .body = body });
}

/* A stream that the API server ends behind the body. */
static void stream(const char *body)
{
	page(body);
}

static void open_lab(void)
{
	memset(&lab, 0, sizeof(lab));
	t_loop_open(&lab.l);
	clock_hold(&lab.l.uv);
	seam_open(&lab.l.uv, answer);
	k8s_calls_init(&lab.calls, &lab.l.uv, NULL, "rds.csi.srvlab.io");
	k8s_store_init(&lab.store, K8S_NODE);
	lab.ear.changed = on_change;
	k8s_store_listen(&lab.store, &lab.ear);
	lab.w.calls = &lab.calls;
	lab.w.store = &lab.store;
}

static void turn(uint64_t ms)
{
	clock_advance(&lab.l.uv, ms);
	for (int i = 0; i < 8; i++)
		(void)uv_run(&lab.l.uv, UV_RUN_NOWAIT);
}

static void pass(uint64_t ms)
{
	for (uint64_t at = 0; at < ms; at += 50)
		turn(50);
}

static void start(void)
{
	k8s_watch_start(&lab.w, on_done);
}

static void close_lab(void)
{
	k8s_watch_stop(&lab.w);
	for (int i = 0; i < 20 && !lab.n_done; i++)
		turn(0);
	cr_assert_eq(lab.n_done, 1);
	cr_assert_eq(seam.n_open, 0);
	k8s_calls_fini(&lab.calls);
	k8s_store_fini(&lab.store);
	seam_close_all();
	t_loop_close(&lab.l);
	cr_assert_eq(mem_live(), 0);
}

static void told(const char *want)
{
	cr_assert_str_eq(lab.told, want);
	lab.told[0] = '\0';
}

static bool asked(unsigned nth, const char *part)
{
	cr_assert_lt(nth, seam.n_asked);
	return strstr(seam.targets[nth], part) != NULL;
}

static bool is_list(unsigned nth)
{
	return !asked(nth, "watch=1");
}

Test(watch, lists_in_pages_and_watches_from_there)
{
	open_lab();
	page(PAGE(NODE("a", "1"), "9", "t2"));
	page(PAGE(NODE("b", "2"), "9", ""));
	script((struct seam_answer){ .status = 200,
				     .body = EVENT("MODIFIED", NODE("a", "10"))
					     EVENT("DELETED", NODE("b", "11"))
						     EVENT("ADDED", NODE("c", "12"))
							     BOOKMARK("15"),
				     .hangs = true });
	seam.piece = 7;
	start();
	cr_assert_not(lab.store.is_complete);
	pass(10000);
	told("+a +b ~a ~b -b +c "); /* deleted: told with its last state first */
	cr_assert(lab.store.is_complete);
	cr_assert_str_eq(seam.targets[0], "/api/v1/nodes?limit=500");
	cr_assert_str_eq(seam.targets[1], "/api/v1/nodes?limit=500&continue=t2");
	cr_assert(asked(2, "/api/v1/nodes?watch=1&allowWatchBookmarks=true"
			   "&resourceVersion=9&timeoutSeconds="));
	cr_assert_str_eq(lab.w.version, "15");
	cr_assert_eq(lab.w.n_failures, 0);
	close_lab();
}

Test(watch, an_ended_stream_is_resumed_from_the_last_version_heard)
{
	open_lab();
	page(PAGE("", "9", ""));
	stream(EVENT("ADDED", NODE("a", "10")));
	stream(BOOKMARK("20"));
	start();
	pass(3000);
	cr_assert(asked(1, "resourceVersion=9&"));
	cr_assert(asked(2, "resourceVersion=10&"));
	cr_assert(asked(3, "resourceVersion=20&"));
	cr_assert_eq(lab.w.n_lists, 1);
	told("+a ");
	close_lab();
}

Test(watch, a_cut_at_every_byte_of_an_event_loses_and_doubles_nothing)
{
	static const char event[] = EVENT("ADDED", NODE("a", "10"));

	for (size_t cut = 0; cut < sizeof(event); cut++) {
		char body[sizeof(event)];

		open_lab();
		memcpy(body, event, cut);
		body[cut] = '\0';
		page(PAGE(NODE("z", "1"), "9", ""));
		script((struct seam_answer){
			.status = 200, .body = body, .is_cut = true });
		script((struct seam_answer){ .status = 200,
					     .body = cut == sizeof(event) - 1 ? ""
									      : event,
					     .hangs = true });
		start();
		pass(3000);
		told("+z +a ");
		cr_assert_eq(lab.w.n_lists, 1);
		cr_assert(asked(2,
				cut == sizeof(event) - 1 ? "Version=10&" : "Version=9&"));
		close_lab();
	}
}

Test(watch, gone_both_ways_is_listed_anew_and_replaced)
{
	for (int by_line = 0; by_line < 2; by_line++) {
		open_lab();
		page(PAGE(NODE("a", "1") "," NODE("b", "2"), "9", ""));
		if (by_line)
			stream(EVENT("ERROR", "{\"kind\":\"Status\",\"code\":410}"));
		else
			script((struct seam_answer){ .status = 410, .body = "{}" });
		page(PAGE(NODE("b", "2") "," NODE("c", "30"), "33", ""));
		start();
		pass(1000);
		told("+a +b +c -a ");
		cr_assert(is_list(2));
		cr_assert(asked(3, "resourceVersion=33&"));
		cr_assert_eq(lab.w.n_lists, 2);
		close_lab();
	}
}

Test(watch, gone_again_and_again_is_no_storm)
{
	open_lab();
	for (int i = 0; i < 8; i++) {
		page(PAGE(NODE("a", "1"), "9", ""));
		script((struct seam_answer){ .status = 410 });
	}
	start();
	pass(5000);
	cr_assert_leq(seam.n_asked, 10);
	told("+a ");
	close_lab();
}

Test(watch, a_page_gone_begins_the_list_anew_and_removes_nothing_meanwhile)
{
	open_lab();
	page(PAGE(NODE("a", "1"), "9", "t2"));
	page(PAGE(NODE("b", "2"), "9", ""));
	script((struct seam_answer){ .status = 410 });
	page(PAGE(NODE("b", "2"), "20", "t3"));
	script((struct seam_answer){ .status = 410 });
	page(PAGE(NODE("b", "2"), "30", "t4"));
	page(PAGE("", "30", ""));
	start();
	pass(5000);
	told("+a +b -a ");
	cr_assert_str_eq(seam.targets[5], "/api/v1/nodes?limit=500");
	cr_assert_str_eq(seam.targets[6], "/api/v1/nodes?limit=500&continue=t4");
	close_lab();
}

Test(watch, a_page_that_is_cut_is_asked_for_again)
{
	open_lab();
	page(PAGE(NODE("a", "1"), "9", "t2"));
	script((struct seam_answer){ .status = 200,
				     .body = "{\"items\":[" NODE("b", "2") ",",
				     .is_cut = true });
	page(PAGE(NODE("b", "2") "," NODE("c", "3"), "9", ""));
	start();
	pass(5000);
	told("+a +b +c ");
	cr_assert_str_eq(seam.targets[2], "/api/v1/nodes?limit=500&continue=t2");
	cr_assert(lab.store.is_complete);
	close_lab();
}

Test(watch, a_list_cut_short_is_never_taken_for_a_whole_one)
{
	static const char whole[] = PAGE(NODE("a", "1"), "9", "");

	for (size_t cut = 0; cut < sizeof(whole) - 1; cut++) {
		char body[sizeof(whole)];

		open_lab();
		memcpy(body, whole, cut);
		body[cut] = '\0';
		page(body);
		start();
		pass(300);
		cr_assert_not(lab.store.is_complete, "cut at %zu", cut);
		close_lab();
	}
}

Test(watch, refusals_keep_the_version_and_are_paced)
{
	static const unsigned statuses[] = { 0, 429, 500, 503, 504, 403 };

	for (size_t i = 0; i < sizeof(statuses) / sizeof(statuses[0]); i++) {
		open_lab();
		page(PAGE(NODE("a", "1"), "9", ""));
		for (int k = 0; k < 5; k++)
			script((struct seam_answer){
				.status = statuses[i],
				.retry_after_ms = statuses[i] == 429 ? 3000 : 0 });
		start();
		pass(40000);
		cr_assert_eq(seam.n_asked, 7, "status %u: %u", statuses[i], seam.n_asked);
		for (unsigned k = 2; k < 7; k++) {
			cr_assert(asked(k, "resourceVersion=9&"));
			cr_assert_geq(seam.at_ms[k] - seam.at_ms[k - 1],
				      statuses[i] == 429 ? 3000 : 400);
		}
		cr_assert_geq(seam.at_ms[6] - seam.at_ms[1], 5000);
		told("+a ");
		close_lab();
	}
}

Test(watch, a_refused_token_is_read_anew)
{
	open_lab();
	script((struct seam_answer){ .status = 401 });
	page(PAGE("", "9", ""));
	script((struct seam_answer){ .status = 401 });
	start();
	pass(5000);
	cr_assert_eq(seam.n_distrusted, 2);
	cr_assert(asked(3, "resourceVersion=9&"));
	close_lab();
}

Test(watch, very_short_watches_are_failures)
{
	open_lab();
	page(PAGE("", "9", ""));
	for (int i = 0; i < 10; i++)
		stream("");
	start();
	pass(5000);
	cr_assert_leq(seam.n_asked, 6);
	cr_assert_eq(lab.w.n_lists, 1);
	close_lab();
}

Test(watch, silence_is_listed_anew_before_the_store_is_stale)
{
	open_lab();
	page(PAGE(NODE("a", "1"), "9", ""));
	script((struct seam_answer){ .status = 200, .hangs = true });
	page(PAGE(NODE("a", "1"), "10", ""));
	start();
	pass(70000);
	cr_assert_eq(seam.n_asked, 2);
	for (int i = 0; i < 300; i++) {
		turn(100);
		cr_assert(k8s_store_is_current(&lab.store, clock_now_ms(&lab.l.uv)));
	}
	cr_assert(is_list(2));
	cr_assert_eq(lab.w.n_lists, 2);
	told("+a ");
	close_lab();
}

Test(watch, junk_in_the_stream_is_no_event)
{
	static const char *const junk[] = {
		"<html>\n",
		"{\"type\":\"ADDED\"}\n",
		"{\"type\":\"ADDED\",\"object\":{\"metadata\":{\"name\":7}}}\n",
		"\xff\xfe\n",
	};

	for (size_t i = 0; i < sizeof(junk) / sizeof(junk[0]); i++) {
		open_lab();
		page(PAGE(NODE("a", "1"), "9", ""));
		stream(junk[i]);
		page(PAGE(NODE("a", "1"), "12", ""));
		start();
		pass(5000);
		told("+a ");
		cr_assert(is_list(2), "%s", junk[i]);
		close_lab();
	}
}

#define UNREADABLE(name, version) \
	"{" META(name, version) ",\"status\":{\"conditions\":7}}"

Test(watch, an_unreadable_object_keeps_its_place_and_is_known)
{
	open_lab();
	page(PAGE(NODE("a", "1") "," UNREADABLE("b", "2"), "9", ""));
	stream(EVENT("MODIFIED", UNREADABLE("a", "10")) BOOKMARK("11"));
	script((struct seam_answer){ .status = 410 });
	page(PAGE(UNREADABLE("a", "10"), "20", ""));
	start();
	turn(50);
	pass(200);
	told("+a ");
	cr_assert_not_null(k8s_store_find(&lab.store, "a"));
	cr_assert(k8s_store_is_unreadable(&lab.store, "a"));
	cr_assert_not(k8s_store_is_unreadable(&lab.store, "b"));
	cr_assert_eq(lab.w.n_lists, 2);
	close_lab();
	/* It can be read again; another is deleted. */
	open_lab();
	page(PAGE(UNREADABLE("a", "1") "," UNREADABLE("b", "2"), "9", ""));
	script((struct seam_answer){ .status = 200,
				     .body = EVENT("MODIFIED", NODE("a", "10"))
					     EVENT("DELETED", UNREADABLE("b", "11")),
				     .hangs = true });
	start();
	pass(200);
	told("+a ");
	cr_assert_eq(lab.store.unreadable.count, 0);
	close_lab();
}

Test(watch, nothing_is_forgotten_while_the_server_is_away)
{
	open_lab();
	page(PAGE(NODE("a", "1"), "9", ""));
	script((struct seam_answer){ .status = 200, .is_cut = true });
	for (int i = 0; i < 12; i++)
		script((struct seam_answer){ .is_unsent = true });
	start();
	pass(150000);
	told("+a ");
	cr_assert_not(k8s_store_is_current(&lab.store, clock_now_ms(&lab.l.uv)));
	cr_assert_leq(seam.n_asked, 15);
	cr_assert(is_list(seam.n_asked - 1));
	close_lab();
}

Test(watch, is_stopped_at_any_turn)
{
	for (int n = 0; n < 80; n++) {
		open_lab();
		page(PAGE(NODE("a", "1"), "9", "t2"));
		page(PAGE(NODE("b", "2"), "9", ""));
		stream(EVENT("ADDED", NODE("c", "10")));
		script((struct seam_answer){ .status = 410 });
		script((struct seam_answer){ .status = 503 });
		seam.piece = 60;
		start();
		for (int i = 0; i < n; i++) {
			clock_advance(&lab.l.uv, 20);
			(void)uv_run(&lab.l.uv, UV_RUN_NOWAIT);
		}
		close_lab();
	}
}

/* The list and the stream with one allocation refused: whatever it hits, the store is as
 * the API server has it in the end. */
Test(watch, want_of_memory_anywhere_only_delays)
{
	long n = 1;

	for (long i = -1; i < n; i++) {
		open_lab();
		for (int k = 0; k < 2; k++)
			page(PAGE(NODE("a", "1"), "9", ""));
		start();
		seam.answer = answer;
		mem_fail_at(i);
		pass(3000);
		if (i < 0)
			n = mem_count();
		mem_fail_at(-1);
		cr_assert(lab.store.is_complete, "allocation %ld", i);
		told("+a ");
		close_lab();
	}
	cr_assert_gt(n, 5);
}
