#include "batchapi/version.h"

const char *ba_version(void)
{
#include "../../../lua/batchapi/version.lua"
}
