/* The schema file as bytes of the program, so that the binary stands alone. The make rule
 * in test/sim.mk names the dependency that the compiler cannot see. */
#include "sim/schema_data.h"

__asm__(".section .rodata\n"
	".global sim_schema_data\n"
	".global sim_schema_end\n"
	"sim_schema_data:\n"
	".incbin \"test/data/routeros-schema.json\"\n"
	"sim_schema_end:\n"
	".byte 0\n"
	".previous\n");
