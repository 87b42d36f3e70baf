#define ELEMENT 0
#include "instance.h"
