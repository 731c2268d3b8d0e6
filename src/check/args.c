#include "check/args.h"

#include <string.h>

#include "core/str.h"

enum own { OWN_NONE, OWN_ADDRESS, OWN_PORT, OWN_REFERENCE, OWN_PROVE, OWN_HELP };

static const struct {
	const char *name;
	enum own own;
	bool takes_value;
} owns[] = {
	{ "nvme-address", OWN_ADDRESS, true },
	{ "nvme-port", OWN_PORT, true },
	{ "print-reference", OWN_REFERENCE, false },
	{ "prove-fence", OWN_PROVE, false },
	{ "help", OWN_HELP, false },
	{ "h", OWN_HELP, false },
};

enum { N_OWNS = sizeof(owns) / sizeof(owns[0]) };

/* The row of a flag of ours; N_OWNS: it is the controller's. */
static unsigned find(const char *arg, const char **ret_value)
{
	const char *name = arg + 1 + (arg[0] && arg[1] == '-');
	unsigned i = 0;

	*ret_value = NULL;
	if (arg[0] != '-')
		return N_OWNS;
	for (; i < N_OWNS; i++) {
		size_t n = strlen(owns[i].name);

		if (strncmp(name, owns[i].name, n) != 0 || (name[n] && name[n] != '='))
			continue;
		*ret_value = name[n] ? name + n + 1 : NULL;
		break;
	}
	return i;
}

static int set_address(struct check_args *a, const char *value, struct err *err)
{
	static const char chars[] = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz"
				    "0123456789.-:";

	if (!*value || strlen(value) > 253 || value[strspn(value, chars)])
		return err_set(err, ERR_INVALID,
			       "--nvme-address: must be an address or a host name");
	a->nvme_address = value;
	return 0;
}

static int set(struct check_args *a, unsigned i, const char *value, struct err *err)
{
	if (owns[i].takes_value != !!value)
		return err_set(err, ERR_INVALID, "--%s: %s a value", owns[i].name,
			       value ? "takes no" : "needs");
	switch (owns[i].own) {
	case OWN_ADDRESS:
		return set_address(a, value, err);
	case OWN_PORT:
		if (str_to_u64(value, &a->nvme_port) || !a->nvme_port ||
		    a->nvme_port > 65535)
			return err_set(err, ERR_INVALID,
				       "--nvme-port: must be a number from 1 to 65535");
		return 0;
	case OWN_REFERENCE:
		a->is_reference = true;
		return 0;
	case OWN_PROVE:
		a->is_prove = true;
		return 0;
	default:
		a->is_help = true;
		return 0;
	}
}

int check_args(struct check_args *a, int argc, char **argv,
	       char *(*get_env)(const char *name), struct err *err)
{
	static char controller[] = "--controller";
	char *rest[CHECK_ARGS_MAX + 2] = { argv[0], controller };
	int n = 2;

	*a = (struct check_args){ .nvme_address = "", .nvme_port = 4420 };
	if (argc > CHECK_ARGS_MAX)
		return err_set(err, ERR_INVALID, "too many arguments");
	for (int i = 1; i < argc; i++) {
		const char *value;
		unsigned own = find(argv[i], &value);

		if (own == N_OWNS) {
			rest[n++] = argv[i];
			continue;
		}
		if (!value && owns[own].takes_value && i + 1 < argc)
			value = argv[++i];
		if (set(a, own, value, err))
			return -1;
	}
	if (a->is_help || a->is_reference)
		return 0;
	if (config_parse(&a->config, n, rest, get_env, err))
		return -1;
	if (a->config.action != CONFIG_RUN)
		return err_set(err, ERR_INVALID, "see rds-csi check --help");
	if (!*a->nvme_address)
		a->nvme_address = a->config.rds_address;
	return 0;
}
