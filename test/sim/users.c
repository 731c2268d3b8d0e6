#include "sim/users.h"

#include <stdio.h>
#include <string.h>

#define ALL                                                                             \
	"local,telnet,ssh,ftp,reboot,read,write,policy,test,winbox,password,web,sniff," \
	"sensitive,api,romon,rest-api"

static void add_group(struct users *u, const char *name, const char *policy)
{
	struct sim_group *g = &u->groups[u->n_groups++];

	snprintf(g->name, sizeof g->name, "%s", name);
	snprintf(g->policy, sizeof g->policy, "%s", policy);
}

static void add_user(struct users *u, const char *name, const char *group)
{
	struct sim_user *s = &u->users[u->n_users++];

	snprintf(s->name, sizeof s->name, "%s", name);
	snprintf(s->group, sizeof s->group, "%s", group);
}

void users_init(struct users *u, const char *csi_policy)
{
	memset(u, 0, sizeof *u);
	add_group(u, "full", ALL);
	add_group(u, "csi", csi_policy);
	add_user(u, "admin", "full");
	add_user(u, "csi", "csi");
}

struct sim_group *users_group(struct users *u, const char *name)
{
	for (unsigned i = 0; i < u->n_groups; i++)
		if (!strcmp(u->groups[i].name, name))
			return &u->groups[i];
	return NULL;
}

struct sim_user *users_user(struct users *u, const char *name)
{
	for (unsigned i = 0; i < u->n_users; i++)
		if (!strcmp(u->users[i].name, name))
			return &u->users[i];
	return NULL;
}

bool users_has_policy(const char *policy, const char *want)
{
	size_t n = strlen(want);

	while (*policy) {
		size_t len = strcspn(policy, ",");

		if (len == n && !strncmp(policy, want, n))
			return true;
		policy += len + (policy[len] == ',');
	}
	return false;
}

const char *users_policy(struct users *u, const char *name)
{
	struct sim_user *user = users_user(u, name);
	struct sim_group *group = user ? users_group(u, user->group) : NULL;

	if (!user)
		return NULL;
	return group ? group->policy : "";
}

bool users_may_enter(struct users *u, const char *name)
{
	struct sim_user *user = users_user(u, name);

	return !user ||
	       (!user->is_disabled && users_has_policy(users_policy(u, name), "ssh"));
}

bool users_has_key(const struct users *u, const char *name, const char *base64)
{
	for (unsigned i = 0; i < u->n_keys; i++)
		if (!strcmp(u->keys[i].user, name) && !strcmp(u->keys[i].base64, base64))
			return true;
	return false;
}
