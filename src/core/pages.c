#include "core/pages.h"

#include <link.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <unistd.h>

void pages_small(void)
{
	(void)prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
}

/* Only segments that nobody ever could write to: what the loader has relocated and made
 * read-only since (RELRO) lies in a writable one, and would be lost. */
static int drop(struct dl_phdr_info *info, size_t size, void *arg)
{
	uintptr_t page = (uintptr_t)sysconf(_SC_PAGESIZE);

	(void)size;
	(void)arg;
	for (unsigned i = 0; i < info->dlpi_phnum; i++) {
		const ElfW(Phdr) *p = &info->dlpi_phdr[i];
		uintptr_t from = (info->dlpi_addr + p->p_vaddr) & ~(page - 1);
		uintptr_t to = info->dlpi_addr + p->p_vaddr + p->p_memsz;
		union {
			uintptr_t number;
			void *p;
		} at = { .number = from };

		if (p->p_type == PT_LOAD && p->p_flags == PF_R && to > from)
			(void)madvise(at.p, to - from, MADV_DONTNEED);
	}
	return 0;
}

void pages_drop_loaders(void)
{
	(void)dl_iterate_phdr(drop, NULL);
}
