#include "k8s/store.h"

#include <stdio.h>
#include <string.h>

#include "support/t.h"

/* What a listener was told, as text: "+name:uid ", "~name ", "-name:uid ". */
struct ear {
	struct k8s_listener l;
	struct k8s_store *s;
	char heard[4096];
};

static void on_change(struct k8s_listener *l, const struct k8s_object *before,
		      const struct k8s_object *after)
{
	struct ear *e = CONTAINER_OF(l, struct ear, l);
	size_t n = strlen(e->heard);
	const struct k8s_object *o = after ? after : before;

	if (before && after)
		cr_assert_str_eq(before->uid, after->uid);
	snprintf(e->heard + n, sizeof(e->heard) - n, "%c%s:%s ",
		 before ? after ? '~' : '-' : '+', o->name, o->uid);
	if (after)
		cr_assert_eq(k8s_store_find(e->s, after->name), after);
	else
		cr_assert_neq(k8s_store_find(e->s, before->name), before);
}

static void open_ear(struct ear *e, struct k8s_store *s)
{
	*e = (struct ear){ .s = s, .l.changed = on_change };
	k8s_store_init(s, K8S_VA);
	k8s_store_listen(s, &e->l);
}

static void expect(struct ear *e, const char *heard)
{
	cr_assert_str_eq(e->heard, heard);
	e->heard[0] = '\0';
}

static int put(struct k8s_store *s, const char *name, const char *uid,
	       const char *version)
{
	struct k8s_va va = {
		.o = { .kind = K8S_VA, .name = name, .uid = uid, .version = version },
		.node = "node-a"
	};
	struct k8s_object *o = k8s_object_copy(&va.o);

	return o ? k8s_store_put_take(s, o) : -1;
}

static void close_store(struct k8s_store *s)
{
	k8s_store_fini(s);
	cr_assert_eq(mem_live(), 0);
	T_LSAN();
}

Test(k8s_store, tells_of_what_comes_changes_and_goes)
{
	struct k8s_store s;
	struct ear e;

	open_ear(&e, &s);
	put(&s, "a", "1", "10");
	expect(&e, "+a:1 ");
	put(&s, "a", "1", "11");
	expect(&e, "~a:1 ");
	put(&s, "a", "1", "11");
	expect(&e, "");
	k8s_store_remove(&s, "b");
	expect(&e, "");
	k8s_store_remove(&s, "a");
	expect(&e, "-a:1 ");
	cr_assert_null(k8s_store_find(&s, "a"));
	close_store(&s);
}

Test(k8s_store, another_object_under_the_same_name_is_one_gone_and_one_come)
{
	struct k8s_store s;
	struct ear e;

	open_ear(&e, &s);
	put(&s, "a", "1", "10");
	put(&s, "a", "2", "12");
	expect(&e, "+a:1 -a:1 +a:2 ");
	cr_assert_eq(s.objects.count, 1);
	close_store(&s);
}

Test(k8s_store, a_list_removes_what_it_did_not_show)
{
	struct k8s_store s;
	struct ear e;

	open_ear(&e, &s);
	put(&s, "a", "1", "10");
	put(&s, "b", "2", "11");
	put(&s, "c", "3", "12");
	expect(&e, "+a:1 +b:2 +c:3 ");
	k8s_store_list_begin(&s);
	put(&s, "b", "2", "11");
	put(&s, "d", "4", "20");
	expect(&e, "+d:4 ");
	cr_assert_not(s.is_complete);
	k8s_store_list_end(&s, 1000);
	cr_assert(strcmp(e.heard, "-a:1 -c:3 ") == 0 ||
		  strcmp(e.heard, "-c:3 -a:1 ") == 0);
	cr_assert(s.is_complete);
	close_store(&s);
}

Test(k8s_store, a_list_without_its_end_removes_nothing_however_often)
{
	struct k8s_store s;
	struct ear e;

	open_ear(&e, &s);
	put(&s, "a", "1", "10");
	k8s_store_list_begin(&s);
	k8s_store_list_end(&s, 1);
	expect(&e, "+a:1 -a:1 ");
	put(&s, "a", "2", "20");
	put(&s, "b", "3", "21");
	for (int i = 0; i < 1000; i++) {
		k8s_store_list_begin(&s);
		put(&s, "b", "3", "21");
	}
	expect(&e, "+a:2 +b:3 ");
	k8s_store_list_begin(&s);
	put(&s, "b", "3", "21");
	k8s_store_list_end(&s, 2);
	expect(&e, "-a:2 ");
	/* What an event added between two lists is aged by the next one like others. */
	put(&s, "c", "4", "30");
	k8s_store_list_begin(&s);
	k8s_store_list_end(&s, 3);
	cr_assert_eq(s.objects.count, 0);
	close_store(&s);
}

Test(k8s_store, is_current_when_complete_and_heard_of_lately)
{
	struct k8s_store s;

	k8s_store_init(&s, K8S_VA);
	s.heard_ms = 5000;
	cr_assert_not(k8s_store_is_current(&s, 5000));
	k8s_store_list_begin(&s);
	k8s_store_list_end(&s, 5000);
	cr_assert(k8s_store_is_current(&s, 5000));
	cr_assert(k8s_store_is_current(&s, 5000 + K8S_STALE_MS));
	cr_assert_not(k8s_store_is_current(&s, 5001 + K8S_STALE_MS));
	close_store(&s);
}

Test(k8s_store, a_put_without_memory_leaves_it_as_it_was)
{
	struct k8s_store s;
	struct ear e;
	char name[16];
	unsigned n_failed = 0;

	open_ear(&e, &s);
	for (int i = 0; i < 100; i++) {
		struct k8s_va va = { .o = { .kind = K8S_VA, .name = name } };
		struct k8s_object *o;
		size_t before = s.objects.count;

		snprintf(name, sizeof(name), "va-%d", i);
		o = k8s_object_copy(&va.o);
		e.heard[0] = '\0';
		mem_fail_at(0);
		if (k8s_store_put_take(&s, o)) {
			n_failed++;
			expect(&e, "");
			cr_assert_eq(s.objects.count, before);
			cr_assert_null(k8s_store_find(&s, name));
		}
		mem_fail_at(-1);
		put(&s, name, "u", "1");
	}
	cr_assert_gt(n_failed, 0);
	cr_assert_eq(s.objects.count, 100);
	/* Replacing needs no memory of the table's. */
	for (int i = 0; i < 100; i++) {
		struct k8s_va va = { .o = { .kind = K8S_VA, .name = name, .uid = "v" } };
		struct k8s_object *o;

		snprintf(name, sizeof(name), "va-%d", i);
		o = k8s_object_copy(&va.o);
		e.heard[0] = '\0';
		mem_fail_at(0);
		cr_assert_eq(k8s_store_put_take(&s, o), 0);
		mem_fail_at(-1);
	}
	close_store(&s);
}

Test(k8s_store, an_unreadable_object_keeps_its_old_state_and_its_name)
{
	struct k8s_store s;
	struct ear e;

	open_ear(&e, &s);
	put(&s, "a", "1", "10");
	cr_assert_eq(k8s_store_put_unreadable(&s, "a"), 0);
	cr_assert_eq(k8s_store_put_unreadable(&s, "a"), 0);
	cr_assert_eq(k8s_store_put_unreadable(&s, "b"), 0);
	cr_assert_eq(s.unreadable.count, 2);
	expect(&e, "+a:1 ");
	k8s_store_list_begin(&s);
	cr_assert_eq(k8s_store_put_unreadable(&s, "a"), 0);
	k8s_store_list_end(&s, 5);
	expect(&e, "");
	cr_assert(k8s_store_is_unreadable(&s, "a") && !k8s_store_is_unreadable(&s, "b"));
	put(&s, "a", "1", "11");
	cr_assert_not(k8s_store_is_unreadable(&s, "a"));
	(void)k8s_store_put_unreadable(&s, "a");
	k8s_store_remove(&s, "a");
	cr_assert_eq(s.unreadable.count, 0);
	for (int i = 0; i <= K8S_UNREADABLE_MAX; i++) {
		char name[16];

		snprintf(name, sizeof(name), "n%d", i);
		cr_assert_eq(k8s_store_put_unreadable(&s, name) != 0,
			     i == K8S_UNREADABLE_MAX);
	}
	close_store(&s);
}
