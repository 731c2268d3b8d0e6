/* rds-sim: see --help and README.md. */
#include <signal.h>
#include <stdio.h>
#include <time.h>
#include <unistd.h>

#include "sim/control.h"
#include "sim/server.h"

int main(int argc, char **argv)
{
	static struct server s;
	struct sb stats = { 0 };
	int rc;

	opts_init(&s.opt);
	rc = opts_parse(&s.opt, argc, argv);
	if (rc)
		return rc > 0 ? 0 : 2;
	rand_seed(s.opt.seed ? s.opt.seed
			     : (uint64_t)time(NULL) ^ (uint64_t)getpid() << 32);
	signal(SIGPIPE, SIG_IGN);
	if (server_open(&s) < 0)
		return 1;
	server_loop(&s);
	control_stats(&s, &stats);
	fwrite(stats.p, 1, stats.len, stdout);
	sb_fini(&stats);
	server_close(&s);
	return 0;
}
