#define ELEMENT 2
#include "instance.h"
