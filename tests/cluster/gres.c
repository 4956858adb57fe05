/* Debian's slurmd 22.05 hands an empty GRES string to gres_init_node_config, so that its node registers without GPUs.
 * Preloaded into slurmd, this supplies the string from the environment: BISMAP_GRES="gpu:1". */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdlib.h>

int gres_init_node_config(char *config, void *list)
{
	int (*original)(char *, void *) = dlsym(RTLD_NEXT, "gres_init_node_config");
	char *supplied = getenv("BISMAP_GRES");
	return original(config && *config ? config : supplied, list);
}
