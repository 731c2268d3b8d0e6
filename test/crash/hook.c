/* Linked into rds-csi-crash with --wrap: sees every start and move of every op, whatever
 * main() does with op_trace. */
#include <fcntl.h>
#include <signal.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "core/op.h"
#include "core/proc_child.h"
#include "crash/crash.h"

void __real_op_start(struct op *op, const struct op_type *type, uv_loop_t *loop,
		     void (*done)(struct op *op));
void __real_op_move(struct op *op, unsigned state);
void __wrap_op_start(struct op *op, const struct op_type *type, uv_loop_t *loop,
		     void (*done)(struct op *op));
void __wrap_op_move(struct op *op, unsigned state);
int __real_uv_spawn(uv_loop_t *loop, uv_process_t *child,
		    const uv_process_options_t *options);
int __wrap_uv_spawn(uv_loop_t *loop, uv_process_t *child,
		    const uv_process_options_t *options);
int __real_proc_child_spawn(struct proc_child *c, struct proc *p);
int __wrap_proc_child_spawn(struct proc_child *c, struct proc *p);
int __real_proc_worker_give(struct proc *p);
int __wrap_proc_worker_give(struct proc *p);

enum { NOT_RUNNING = CRASH_STATES };

static struct crash_file *file;
static unsigned current[CRASH_TYPES]; /* the state last entered, of any op of the type */

static int type_index(const struct op_type *t)
{
	struct crash_type *c = file->types;
	uint32_t i;

	for (i = 0; i < file->n_types; i++, c++)
		if (strncmp(c->name, t->name, CRASH_NAME - 1) == 0 &&
		    (c->n_states == t->n_states || !c->n_states))
			break;
	if (i == CRASH_TYPES)
		abort();
	if (i < file->n_types && c->n_states)
		return (int)i;
	(void)strncpy(c->name, t->name, CRASH_NAME - 1);
	c->n_states = t->n_states;
	for (unsigned s = 0; s < t->n_states && s < CRASH_STATES; s++)
		(void)strncpy(c->states[s], t->states[s], CRASH_NAME - 1);
	file->n_types += i == file->n_types;
	return (int)i;
}

static void count(int type, unsigned from, unsigned to)
{
	struct crash_move *m = file->moves;

	for (uint32_t i = 0; i < file->n_moves; i++, m++)
		if (m->type == type && m->from == from && m->to == to) {
			m->count++;
			return;
		}
	if (file->n_moves == CRASH_MOVES)
		abort();
	*m = (struct crash_move){ (uint8_t)type, (uint8_t)from, (uint8_t)to, 1 };
	file->n_moves++;
}

/* The test may have decided meanwhile that this driver lives. */
static void fire(uint32_t armed, enum crash_how how)
{
	if (!__atomic_compare_exchange_n(&file->how, &armed, CRASH_OFF, false,
					 __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE))
		return;
	__atomic_store_n(&file->fired, (uint32_t)how, __ATOMIC_RELEASE);
	(void)raise(how == CRASH_KILL || how == CRASH_KILL_SPAWNED ? SIGKILL : SIGSTOP);
}

static void fire_wanted(int type, unsigned state, enum crash_how how)
{
	if (!(file->types[type].wanted[state] & 1U << how))
		return;
	file->type = type;
	file->to = (int)state;
	fire(CRASH_WANTED, how);
}

static void on_move(const struct op *op, unsigned from, unsigned to)
{
	int type = type_index(op->type);
	uint32_t how = __atomic_load_n(&file->how, __ATOMIC_ACQUIRE);

	count(type, from, to);
	current[type] = to + 1 < op->type->n_states ? to : NOT_RUNNING;
	if (how == CRASH_WANTED)
		fire_wanted(type, to, CRASH_KILL);
	else if (how != CRASH_OFF && type == file->type && (int)to == file->to &&
		 (file->from == CRASH_ANY || (int)from == file->from) && --file->nth == 0)
		fire(how, (enum crash_how)how);
}

static void on_spawned(void)
{
	for (uint32_t i = 0; i < file->n_types; i++) {
		if (current[i] == NOT_RUNNING)
			continue;
		file->types[i].spawned[current[i]] = 1;
		if (__atomic_load_n(&file->how, __ATOMIC_ACQUIRE) != CRASH_WANTED)
			continue;
		fire_wanted((int)i, current[i], CRASH_KILL_SPAWNED);
		fire_wanted((int)i, current[i], CRASH_STOP_SPAWNED);
	}
}

__attribute__((constructor)) static void install(void)
{
	const char *path = getenv("CRASH_FILE");
	int fd = path ? open(path, O_RDWR | O_CLOEXEC) : -1;
	void *p;

	if (fd < 0)
		return;
	p = mmap(NULL, sizeof(*file), PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	(void)close(fd);
	if (p == MAP_FAILED)
		abort();
	file = p;
	for (unsigned i = 0; i < CRASH_TYPES; i++)
		current[i] = NOT_RUNNING;
}

void __wrap_op_start(struct op *op, const struct op_type *type, uv_loop_t *loop,
		     void (*done)(struct op *op))
{
	__real_op_start(op, type, loop, done);
	if (file)
		on_move(op, OP_START, OP_START);
}

void __wrap_op_move(struct op *op, unsigned state)
{
	unsigned from = op->state;

	__real_op_move(op, state);
	if (file)
		on_move(op, from, state);
}

/* mkfs is run through the test's script, which counts it and runs the real one. */
int __wrap_uv_spawn(uv_loop_t *loop, uv_process_t *child,
		    const uv_process_options_t *options)
{
	const char *script = getenv("CRASH_MKFS"), *name = strrchr(options->file, '/');
	uv_process_options_t changed = *options;

	name = name ? name + 1 : options->file;
	if (script && strcmp(name, strrchr(script, '/') + 1) == 0)
		changed.file = script;
	return __real_uv_spawn(loop, child, &changed);
}

int __wrap_proc_child_spawn(struct proc_child *c, struct proc *p)
{
	int rc = __real_proc_child_spawn(c, p);

	if (file && rc == 0)
		on_spawned();
	return rc;
}

int __wrap_proc_worker_give(struct proc *p)
{
	int rc = __real_proc_worker_give(p);

	if (file && rc == 0)
		on_spawned();
	return rc;
}
