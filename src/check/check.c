#include "check/check.h"

#include <stdio.h>
#include <stdlib.h>

#include "check/args.h"
#include "check/findings.h"
#include "check/prove_main.h"
#include "core/log.h"
#include "core/mem.h"
#include "rds/look.h"

static const char usage[] =
	"rds-csi check [the controller's flags] [--nvme-address ADDRESS] [--nvme-port "
	"N]\n\n"
	"Looks at the box from where it runs and says, one line each, what is well "
	"(ok),\n"
	"what is worth knowing (note) and what is missing, with what to do (problem).\n"
	"Changes nothing on the box. Ends with 0 when all is well, 1 when something is\n"
	"missing, 2 for a bad flag.\n"
	"  --nvme-address  where nodes reach the exports, the nvmeAddress of your\n"
	"                  StorageClass (default: --rds-address)\n"
	"  --nvme-port     and at which port (4420)\n"
	"  --prove-fence   instead: a whole fence on a scratch volume of 64 MiB, which\n"
	"                  this host (Linux, root, nvme-tcp) writes meanwhile. Ends with "
	"0:\n"
	"                  proven, 1: it leaks, 2: bad flag, 3: it could not be tried\n";

struct check {
	struct check_args args;
	struct ssh_conf conf;
	struct ros_site site;
	struct look look;
	struct findings findings;
};

static int print_reference(void)
{
	struct buf text;

	buf_init(&text, 64 * 1024);
	if (findings_reference(&text) == 0)
		(void)fputs(text.data, stdout);
	buf_fini(&text);
	return CHECK_WELL;
}

static int print_findings(struct check *c)
{
	const struct check_asked asked = {
		.config = &c->args.config,
		.site = &c->site,
		.nvme_address = c->args.nvme_address,
		.nvme_port = c->args.nvme_port,
	};
	struct buf text;

	findings_make(&c->findings, &c->look.facts, &asked);
	buf_init(&text, 64 * 1024);
	if (findings_print(&c->findings, &text) == 0)
		(void)fputs(text.data, stdout);
	buf_fini(&text);
	return findings_problems(&c->findings) ? CHECK_MISSING : CHECK_WELL;
}

static void set_up(struct check *c)
{
	const struct config *config = &c->args.config;

	c->conf = (struct ssh_conf){
		.address = config->rds_address,
		.port = (uint16_t)config->rds_port,
		.user = config->rds_user,
		.key_file = config->rds_key_file,
		.host_key_file = config->rds_host_key,
		.is_insecure = config->rds_insecure,
	};
	c->look.conf = &c->conf;
	c->look.site = &c->site;
	c->look.nvme_address = c->args.nvme_address;
	c->look.nvme_port = (uint16_t)c->args.nvme_port;
	c->look.max_sessions = (unsigned)config->rds_sessions;
}

static void on_done(struct op *op)
{
	(void)op; /* the loop runs dry */
}

static int look(struct check *c)
{
	struct clock clock;
	uv_loop_t loop;
	struct err err;

	if (ros_site_bases(&c->site, c->args.config.volume_base, &err)) {
		(void)fprintf(stderr, "rds-csi check: --rds-volume-base-path: %s\n",
			      err.msg);
		return CHECK_BAD_FLAG;
	}
	set_up(c);
	if (uv_loop_init(&loop) || ssh_open(&err)) {
		(void)fputs("rds-csi check: no event loop\n", stderr);
		return CHECK_MISSING;
	}
	clock_open(&clock, &loop);
	look_start(&c->look, &loop, on_done);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	clock_close(&loop);
	(void)uv_run(&loop, UV_RUN_DEFAULT);
	(void)uv_loop_close(&loop);
	if (op_failed(&c->look.op)) {
		(void)fprintf(stderr, "rds-csi check: %s\n", c->look.op.err.msg);
		return CHECK_MISSING;
	}
	return print_findings(c);
}

int check_main(int argc, char **argv)
{
	static struct check c;
	struct err err;

	log_open(LOG_ERROR, false);
	(void)uv_replace_allocator(mem_uv_alloc, mem_uv_realloc, mem_uv_calloc,
				   mem_uv_free);
	if (check_args(&c.args, argc, argv, getenv, &err)) {
		(void)fprintf(stderr, "rds-csi check: %s\n", err.msg);
		return CHECK_BAD_FLAG;
	}
	if (c.args.is_help) {
		(void)fputs(usage, stdout);
		return CHECK_WELL;
	}
	if (c.args.is_prove)
		return prove_main(&c.args);
	return c.args.is_reference ? print_reference() : look(&c);
}
