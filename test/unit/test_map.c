#include "support/t.h"

#include <stdio.h>

#include "core/list.h"
#include "core/map.h"

enum { N = 5000 };

struct item {
	struct map_node node;
	char key[16];
	unsigned n_seen;
};

static struct item items[N];

static void add_all(struct map *m)
{
	map_init(m);
	for (int i = 0; i < N; i++) {
		snprintf(items[i].key, sizeof(items[i].key), "key-%d", i);
		cr_assert_eq(map_add(m, &items[i].node, items[i].key), 0);
	}
}

Test(map, finds_what_was_added_and_nothing_else)
{
	struct map m;

	map_init(&m);
	cr_assert_null(map_find(&m, "key-1"));
	add_all(&m);
	cr_assert_eq(m.count, N);
	for (int i = 0; i < N; i++)
		cr_assert_eq(map_find(&m, items[i].key), &items[i].node);
	cr_assert_null(map_find(&m, "key-5000"));
	cr_assert_null(map_find(&m, ""));
	map_fini(&m);
	cr_assert_eq(mem_live(), 0);
}

Test(map, one_node_a_key)
{
	struct map m;
	struct map_node other;

	add_all(&m);
	cr_assert_eq(map_add(&m, &other, "key-7"), -1);
	cr_assert_eq(map_find(&m, "key-7"), &items[7].node);
	map_remove(&m, &items[7].node);
	cr_assert_null(map_find(&m, "key-7"));
	cr_assert_eq(map_add(&m, &other, "key-7"), 0);
	cr_assert_eq(map_find(&m, "key-7"), &other);
	map_fini(&m);
}

Test(map, removing_twice_or_from_an_empty_map_does_nothing)
{
	struct map m;

	map_init(&m);
	map_remove(&m, &items[0].node);
	add_all(&m);
	for (int i = 0; i < N; i += 2) {
		map_remove(&m, &items[i].node);
		map_remove(&m, &items[i].node);
	}
	cr_assert_eq(m.count, N / 2);
	for (int i = 0; i < N; i++)
		cr_assert_eq(map_find(&m, items[i].key) != NULL, i % 2);
	map_fini(&m);
}

Test(map, visits_each_node_once)
{
	struct map m;
	size_t pos = 0;
	unsigned n = 0;

	map_init(&m);
	cr_assert_null(map_next(&m, &pos, NULL));
	add_all(&m);
	pos = 0;
	for (struct map_node *it = NULL; (it = map_next(&m, &pos, it)); n++)
		CONTAINER_OF(it, struct item, node)->n_seen++;
	cr_assert_eq(n, N);
	for (int i = 0; i < N; i++)
		cr_assert_eq(items[i].n_seen, 1);
	map_fini(&m);
}

Test(map, every_allocation_may_fail)
{
	T_EACH_ALLOC_FAILS({
		struct map m;
		unsigned n = 0;

		map_init(&m);
		for (int i = 0; i < 100; i++) {
			snprintf(items[i].key, sizeof(items[i].key), "k%d", i);
			n += map_add(&m, &items[i].node, items[i].key) == 0;
		}
		cr_assert_eq(m.count, n);
		cr_assert_geq(n, 99);
		map_fini(&m);
		cr_assert_eq(mem_live(), 0);
	});
}
