#define ELEMENT 1
#include "instance.h"
