/* Channels of one connection: an exec request becomes a script, its output goes out as it
 * comes, then exit status, EOF, close. */
#include <stdlib.h>
#include <string.h>

#include "sim/server.h"
#include "sim/users.h"

static int on_exec(ssh_session session, ssh_channel channel, const char *command,
		   void *data)
{
	struct chan *ch = data;

	(void)session;
	(void)channel;
	if (ch->got_exec)
		return 1;
	ch->got_exec = true;
	ch->line = xstrdup(command);
	return 0;
}

static void on_close(ssh_session session, ssh_channel channel, void *data)
{
	struct chan *ch = data;

	(void)session;
	(void)channel;
	ch->is_closed = true;
}

static int refuse_pty(ssh_session session, ssh_channel channel, const char *term,
		      int width, int height, int px, int py, void *data)
{
	(void)session;
	(void)channel;
	(void)term;
	(void)width;
	(void)height;
	(void)px;
	(void)py;
	(void)data;
	return -1;
}

static int refuse_shell(ssh_session session, ssh_channel channel, void *data)
{
	(void)session;
	(void)channel;
	(void)data;
	return 1;
}

ssh_channel channel_open(ssh_session session, void *userdata)
{
	struct conn *c = userdata;
	struct chan *ch = xmalloc(sizeof *ch);
	struct box_stats *st = &c->server->box->stats;

	ch->ch = ssh_channel_new(session);
	if (!ch->ch) {
		free(ch);
		return NULL;
	}
	ch->conn = c;
	ch->cb.userdata = ch;
	ch->cb.channel_exec_request_function = on_exec;
	ch->cb.channel_close_function = on_close;
	ch->cb.channel_pty_request_function = refuse_pty;
	ch->cb.channel_shell_request_function = refuse_shell;
	ssh_callbacks_init(&ch->cb);
	ssh_set_channel_callbacks(ch->ch, &ch->cb);
	ch->next = c->chans;
	c->chans = ch;
	st->channels++;
	if (++st->channels_now > st->channels_peak)
		st->channels_peak = st->channels_now;
	return ch->ch;
}

/* What a real box says by its exit status is nothing: hence the modes. */
static int exit_status(const struct server *s, const struct exec *e)
{
	if (!e->failed || s->opt.exit_mode == EXIT_ALWAYS_0)
		return 0;
	return s->opt.exit_mode == EXIT_1_ON_ERROR ? 1 : (int)(rand_u64() & 1);
}

static void count_closed(struct chan *ch)
{
	if (!ch->is_finished)
		ch->conn->server->box->stats.channels_now--;
	ch->is_finished = true;
}

static void pump_one(struct conn *c, struct chan *ch)
{
	struct exec *e;
	size_t n;

	if (ch->line) {
		conn_arm(c, ch->line);
		ch->exec = sched_start(&c->server->sched, ch->line, strlen(ch->line));
		ch->exec->run.policy = users_policy(c->server->box->users, c->user);
		free(ch->line);
		ch->line = NULL;
	}
	e = ch->exec;
	if (!e)
		return;
	if (ch->is_closed) {
		exec_orphan(e);
		ch->exec = NULL;
		return;
	}
	n = exec_visible(e);
	while (ch->sent < n) {
		int rc = ssh_channel_write(ch->ch, e->run.out.p + ch->sent,
					   (uint32_t)(n - ch->sent));

		if (rc <= 0)
			break;
		ch->sent += (size_t)rc;
	}
	if (e->state != EXEC_DONE || ch->sent < n)
		return;
	ssh_channel_request_send_exit_status(ch->ch, exit_status(c->server, e));
	ssh_channel_send_eof(ch->ch);
	ssh_channel_close(ch->ch);
	exec_release(e);
	ch->exec = NULL;
	count_closed(ch);
}

bool channel_busy(const struct conn *c)
{
	for (const struct chan *ch = c->chans; ch; ch = ch->next)
		if (ch->line || (ch->exec &&
				 (ch->exec->state == EXEC_DONE ||
				  exec_visible(ch->exec) > ch->sent) &&
				 ssh_channel_window_size(ch->ch) > 0))
			return true;
	return false;
}

static void chan_free(struct chan *ch)
{
	if (ch->exec)
		exec_orphan(ch->exec);
	count_closed(ch);
	free(ch->line);
	free(ch);
}

void channel_pump(struct conn *c)
{
	struct chan **at = &c->chans, *ch;

	while ((ch = *at)) {
		pump_one(c, ch);
		if (!ch->is_closed || ch->exec) {
			at = &ch->next;
			continue;
		}
		*at = ch->next;
		ssh_remove_channel_callbacks(ch->ch, &ch->cb);
		if (!ch->is_finished)
			ssh_channel_close(ch->ch);
		ssh_channel_free(ch->ch);
		chan_free(ch);
	}
}

/* The session, and with it every channel of libssh's, is freed already. */
void channel_free_all(struct conn *c)
{
	while (c->chans) {
		struct chan *ch = c->chans;

		c->chans = ch->next;
		chan_free(ch);
	}
}
