/* Who may log in and do what: users, groups and their policies, public keys. They change
 * by /user, /user/group and /user/ssh-keys, and are not kept over a restart. */
#ifndef SIM_USERS_H
#define SIM_USERS_H

#include <stdbool.h>

enum {
	USERS_MAX = 16,
	USERS_TEXT = 256,
};

struct sim_group {
	char name[64], policy[USERS_TEXT], comment[64];
};

struct sim_user {
	char name[64], group[64], comment[64];
	bool is_disabled;
};

struct sim_key {
	char user[64], type[32], base64[2048];
};

struct users {
	unsigned n_groups, n_users, n_keys;
	struct sim_group groups[USERS_MAX];
	struct sim_user users[USERS_MAX];
	struct sim_key keys[USERS_MAX];
};

/* admin of group full, and csi of group csi with these policies. */
void users_init(struct users *u, const char *csi_policy);
struct sim_group *users_group(struct users *u, const char *name); /* NULL: none */
struct sim_user *users_user(struct users *u, const char *name);
bool users_has_policy(const char *policy, const char *want);
/* What the user may, as a list of policies; NULL: not listed, and so not restricted. */
const char *users_policy(struct users *u, const char *name);
/* Whether the user may come in at all: listed ones need policy ssh and must be enabled.
 */
bool users_may_enter(struct users *u, const char *name);
/* Whether that public key, base64 as in its file, was imported for the user. */
bool users_has_key(const struct users *u, const char *name, const char *base64);

#endif
