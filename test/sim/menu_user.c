/* /user, /user/group, /user/ssh-keys over the table of users.c. Refusals are chosen: a
 * name that is there already, a group or user that is not, a key that is none, a group
 * that somebody is in. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "sim/menu.h"
#include "sim/users.h"

static struct users *users(struct run *r)
{
	return r->box->users;
}

static int copy(struct run *r, char *out, size_t size, const struct call *c,
		const char *arg)
{
	const char *text = call_text(r, c, arg);

	if (!text)
		return 0;
	if (strlen(text) >= size)
		return run_error(r, arg, "invalid value for argument %s", arg);
	snprintf(out, size, "%s", text);
	return 0;
}

static void changed(struct run *r, const char *op, const char *name)
{
	r->mutations++;
	box_history(r->box, r, op, (const char *const[]){ "name", name, NULL });
}

/* Ids are positions; what is removed is moved together, as nobody keeps ids here. */
static const char *id_at(struct run *r, const char *base, const void *row, size_t size)
{
	return arena_printf(&r->a, "*%X",
			    (unsigned)(((const char *)row - base) / (ptrdiff_t)size + 1));
}

static void *at_id(const char *id, void *base, size_t size, unsigned n)
{
	unsigned long i = strtoul(id + 1, NULL, 16);

	return i >= 1 && i <= n ? (char *)base + (i - 1) * size : NULL;
}

/* ---- groups ---- */

static void group_list(struct run *r, const struct hints *h, struct rows *out)
{
	(void)h;
	for (unsigned i = 0; i < users(r)->n_groups; i++)
		rows_add(r, out, &users(r)->groups[i]);
}

/* Several values are an array on the box. */
static struct value policies(struct run *r, const char *list)
{
	struct array *all = array_new(&r->a, 20);

	while (*list) {
		size_t n = strcspn(list, ",");

		array_push(&r->a, all, NULL, v_strn(&r->a, list, n));
		list += n + (list[n] == ',');
	}
	return v_array(all);
}

static struct value group_get(struct run *r, void *row, const char *prop, int index)
{
	const struct sim_group *g = row;

	(void)index;
	if (!strcmp(prop, "name"))
		return v_str(&r->a, g->name);
	if (!strcmp(prop, "policy"))
		return policies(r, g->policy);
	if (!strcmp(prop, "comment") && g->comment[0])
		return v_str(&r->a, g->comment);
	return v_nothing();
}

static const char *group_id(struct run *r, void *row)
{
	return id_at(r, (const char *)users(r)->groups, row, sizeof(struct sim_group));
}

static void *group_by_id(struct run *r, const char *id)
{
	return at_id(id, users(r)->groups, sizeof(struct sim_group), users(r)->n_groups);
}

static void *group_by_name(struct run *r, const char *name)
{
	return users_group(users(r), name);
}

static int group_fill(struct run *r, struct call *c, struct sim_group *g)
{
	return copy(r, g->name, sizeof g->name, c, "name") < 0 ||
			       copy(r, g->policy, sizeof g->policy, c, "policy") < 0 ||
			       copy(r, g->comment, sizeof g->comment, c, "comment") < 0
		       ? -1
		       : 0;
}

static int group_add(struct run *r, struct call *c)
{
	struct users *u = users(r);
	struct sim_group g = { 0 };

	if (group_fill(r, c, &g) < 0)
		return -1;
	if (!g.name[0] || users_group(u, g.name) || u->n_groups == USERS_MAX)
		return run_error(r, "name", "failure: group name already used");
	u->groups[u->n_groups++] = g;
	changed(r, "group-add", g.name);
	return 0;
}

static int set_group(struct run *r, struct call *c, void *row)
{
	struct sim_group *g = row;

	if (group_fill(r, c, g) < 0)
		return -1;
	changed(r, "group-set", g->name);
	return 0;
}

static int group_set(struct run *r, struct call *c)
{
	return menu_each(r, c, set_group);
}

/* ---- users ---- */

static void user_list(struct run *r, const struct hints *h, struct rows *out)
{
	(void)h;
	for (unsigned i = 0; i < users(r)->n_users; i++)
		rows_add(r, out, &users(r)->users[i]);
}

static struct value user_get(struct run *r, void *row, const char *prop, int index)
{
	const struct sim_user *u = row;

	(void)index;
	if (!strcmp(prop, "name"))
		return v_str(&r->a, u->name);
	if (!strcmp(prop, "group"))
		return v_str(&r->a, u->group);
	if (!strcmp(prop, "disabled"))
		return v_bool(u->is_disabled);
	if (!strcmp(prop, "inactivity-policy"))
		return v_lit("none");
	if (!strcmp(prop, "comment") && u->comment[0])
		return v_str(&r->a, u->comment);
	return v_nothing();
}

static const char *user_id(struct run *r, void *row)
{
	return id_at(r, (const char *)users(r)->users, row, sizeof(struct sim_user));
}

static void *user_by_id(struct run *r, const char *id)
{
	return at_id(id, users(r)->users, sizeof(struct sim_user), users(r)->n_users);
}

static void *user_by_name(struct run *r, const char *name)
{
	return users_user(users(r), name);
}

static int user_fill(struct run *r, struct call *c, struct sim_user *u)
{
	const char *disabled = call_text(r, c, "disabled");

	if (copy(r, u->name, sizeof u->name, c, "name") < 0 ||
	    copy(r, u->group, sizeof u->group, c, "group") < 0 ||
	    copy(r, u->comment, sizeof u->comment, c, "comment") < 0)
		return -1;
	if (disabled)
		u->is_disabled = !strcmp(disabled, "yes");
	if (!users_group(users(r), u->group))
		return run_error(r, "group", "input does not match any value of group");
	return 0;
}

static int user_add(struct run *r, struct call *c)
{
	struct users *all = users(r);
	struct sim_user u = { 0 };

	if (user_fill(r, c, &u) < 0)
		return -1;
	if (users_user(all, u.name) || all->n_users == USERS_MAX)
		return run_error(r, "name",
				 "failure: user with the same name already exists");
	all->users[all->n_users++] = u;
	changed(r, "user-add", u.name);
	return 0;
}

static int set_user(struct run *r, struct call *c, void *row)
{
	struct sim_user *u = row;

	if (user_fill(r, c, u) < 0)
		return -1;
	changed(r, "user-set", u->name);
	return 0;
}

static int user_set(struct run *r, struct call *c)
{
	return menu_each(r, c, set_user);
}

/* ---- keys ---- */

static void key_list(struct run *r, const struct hints *h, struct rows *out)
{
	(void)h;
	for (unsigned i = 0; i < users(r)->n_keys; i++)
		rows_add(r, out, &users(r)->keys[i]);
}

static struct value key_get(struct run *r, void *row, const char *prop, int index)
{
	const struct sim_key *k = row;

	(void)index;
	if (!strcmp(prop, "user"))
		return v_str(&r->a, k->user);
	if (!strcmp(prop, "key-type"))
		return v_str(&r->a, !strcmp(k->type, "ssh-ed25519") ? "ed25519" : "rsa");
	return v_nothing();
}

static const char *key_id(struct run *r, void *row)
{
	return id_at(r, (const char *)users(r)->keys, row, sizeof(struct sim_key));
}

static void *key_by_id(struct run *r, const char *id)
{
	return at_id(id, users(r)->keys, sizeof(struct sim_key), users(r)->n_keys);
}

static int take_key(struct run *r, const char *user, const char *text)
{
	struct users *all = users(r);
	struct sim_key k = { 0 };

	snprintf(k.user, sizeof k.user, "%s", user);
	if (!users_user(all, user))
		return run_error(r, "user", "input does not match any value of user");
	if (sscanf(text, "%31s %2047s", k.type, k.base64) != 2 ||
	    (strcmp(k.type, "ssh-ed25519") && strcmp(k.type, "ssh-rsa")) ||
	    all->n_keys == USERS_MAX)
		return run_error(r, NULL, "failure: unable to load key file");
	all->keys[all->n_keys++] = k;
	changed(r, "key-add", user);
	return 0;
}

static int key_add(struct run *r, struct call *c)
{
	const char *user = call_text(r, c, "user"), *key = call_text(r, c, "key");

	if (!user || !key)
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) "
				 "key user");
	return take_key(r, user, key);
}

static int key_import(struct run *r, struct call *c)
{
	const char *user = call_text(r, c, "user");
	const char *file = call_text(r, c, "public-key-file");
	char host[1024], text[4096] = "";
	FILE *f = NULL;

	if (!user || !file)
		return run_error(r, NULL,
				 "Script Error: missing value(s) of argument(s) "
				 "public-key-file user");
	if (box_pool_path(r->box, file)) {
		box_host_path(r->box, box_pool_path(r->box, file), host, sizeof host);
		f = fopen(host, "re");
	}
	if (!f)
		return run_error(r, "public-key-file",
				 "input does not match any value of public-key-file");
	if (!fgets(text, sizeof text, f))
		text[0] = 0;
	fclose(f);
	return take_key(r, user, text);
}

static const struct menu_cmd group_cmds[] = { { "add", group_add },
					      { "set", group_set },
					      { NULL, NULL } };
static const struct menu_cmd user_cmds[] = { { "add", user_add },
					     { "set", user_set },
					     { NULL, NULL } };
static const struct menu_cmd key_cmds[] = { { "add", key_add },
					    { "import", key_import },
					    { NULL, NULL } };
static const char *const group_summary[] = { "name", "policy", NULL };
static const char *const user_summary[] = { "name", "group", NULL };
static const char *const key_summary[] = { "user", "key-type", NULL };

struct menu menu_group = {
	.path = "/user/group",
	.list = group_list,
	.get = group_get,
	.id = group_id,
	.by_id = group_by_id,
	.by_name = group_by_name,
	.summary = group_summary,
	.cmds = group_cmds,
};
struct menu menu_user = {
	.path = "/user",
	.list = user_list,
	.get = user_get,
	.id = user_id,
	.by_id = user_by_id,
	.by_name = user_by_name,
	.summary = user_summary,
	.cmds = user_cmds,
};
struct menu menu_keys = {
	.path = "/user/ssh-keys",
	.list = key_list,
	.get = key_get,
	.id = key_id,
	.by_id = key_by_id,
	.summary = key_summary,
	.cmds = key_cmds,
};
