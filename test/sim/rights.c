/* What keeps a command from running: the user's policies, a package that is not there. */
#include <string.h>

#include "sim/menu.h"
#include "sim/users.h"

/* What a command needs (manual, User: policies). That the box asks test of
 * monitor-traffic, and ftp of what writes files, is chosen. */
int rights_check(struct run *r, const struct node *n)
{
	const char *path = n->menu->path, *needs[2] = { "read", NULL };

	if (n->is_mutating) {
		needs[0] = "write";
		needs[1] = !strncmp(path, "/user", 5) ? "policy"
			   : !strcmp(path, "/file")   ? "ftp"
						      : NULL;
	} else if (!strcmp(n->cmd->name, "monitor-traffic")) {
		needs[1] = "test";
	}
	for (unsigned i = 0; i < 2; i++)
		if (r->policy && needs[i] && !users_has_policy(r->policy, needs[i]))
			return run_error(r, NULL, "not enough permissions (9)");
	return 0;
}

/* Without the package its menu is not there: a word that is bound late. */
int rights_package(struct run *r, const struct node *n)
{
	if (strncmp(n->menu->path, "/disk/btrfs", 11) != 0 ||
	    !strcmp(r->box->opt.package, "there"))
		return 0;
	r->err = arena_printf(&r->a, "bad command name btrfs (line 1 column %u)", n->col);
	r->ctl = CTL_FATAL;
	return -1;
}
