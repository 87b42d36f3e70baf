#pragma once
#include <cblas.h>

// LAPACK's singular value decomposition, which OpenBLAS carries; its own header is not part of libopenblas-dev. All matrices are
// column-major.
void sgesdd_(const char *job, const int *rows, const int *columns, float *a, const int *a_stride, float *singular_values, float *u,
             const int *u_stride, float *vt, const int *vt_stride, float *work, const int *work_count, int *integer_work, int *info);
