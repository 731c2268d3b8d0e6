#ifndef VM_WIRE_H
#define VM_WIRE_H
#include <stdbool.h>

/* A network to the target that can fall silent. The target listens in a network namespace
 * of its own, behind two pairs of virtual Ethernet cards; a silent pair loses every
 * packet in both directions, and nobody is told. Reconnects of the kernel leave from the
 * VM's own namespace, as on a real node.
 *
 * The listening socket belongs to the namespace of the process that links the first
 * subsystem into the port, and stays while anything is linked. So wire_open makes port 1
 * and links an empty subsystem into it; the box then finds its port already there. */
enum { WIRE_N = 2 };

/* What the box must be given as its address: all of the namespace's. */
extern const char wire_box_address[];
/* The address of the target at the end of that pair. */
const char *wire_address(unsigned pair);

bool wire_open(void); /* before the box starts */
void wire_close(void);
bool wire_silence(unsigned pair, bool is_silent);
#endif
