#include "nvme/helper.h"

/* The child's side alone, for tests that run without the whole program. Same arguments:
 * node_helper helper VERB ARGS… */
int main(int argc, char **argv)
{
	if (argc < 2)
		return 2;
	return helper_main(argc - 1, argv + 1);
}
