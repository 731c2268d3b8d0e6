#ifndef CORE_LIST_H
#define CORE_LIST_H
#include <stdbool.h>
#include <stddef.h>

/* Intrusive doubly linked list. A zeroed node is "not linked"; list_remove of such a node
 * does nothing, so owners may unlink without asking. */
struct list {
	struct list *next, *prev;
};

#define CONTAINER_OF(p, type, member) \
	((type *)(void *)((char *)(p)-offsetof(type, member)))

static inline void list_init(struct list *head)
{
	head->next = head->prev = head;
}

static inline bool list_is_empty(const struct list *head)
{
	return head->next == head;
}

static inline bool list_is_linked(const struct list *node)
{
	return node->next != NULL;
}

/* Puts node before pos; with pos = the head, at the end. */
static inline void list_insert(struct list *pos, struct list *node)
{
	node->prev = pos->prev;
	node->next = pos;
	pos->prev->next = node;
	pos->prev = node;
}

static inline void list_append(struct list *head, struct list *node)
{
	list_insert(head, node);
}

static inline void list_remove(struct list *node)
{
	if (!node->next)
		return;
	node->prev->next = node->next;
	node->next->prev = node->prev;
	node->next = node->prev = NULL;
}

/* The body may remove the current node, not the next one. */
#define LIST_FOREACH(it, head)                                                 \
	for (struct list *it = (head)->next, *it##_n = it->next; it != (head); \
	     it = it##_n, it##_n = it->next)
#endif
